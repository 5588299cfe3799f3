"""The folder of a stage: its last whole epoch, or its result; nothing in it is executed, nothing is half written."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from noiselayer.errors import InputError
from noiselayer.files.differences import differences
from noiselayer.files.whole_file import whole_file, writing
from noiselayer.training.batches import Part

FORMAT = 1
"""Of a stage's files; another number means that this version could misread them."""

_KEY = "noiselayer"


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a network's weights as safetensors, which holds numbers and names alone."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    path.write_bytes(save(tensors))  # its own save_file lets nobody but the owner read the file


class StageFolder:
    """Where a stage leaves its checkpoint while it runs, and its weights and record at the end."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self.identity = {"format": FORMAT, **identity}

    @property
    def last(self) -> Path:
        """The checkpoint of the last whole epoch."""
        return self.path / "last.ckpt"

    def record(self, module: nn.Module) -> dict[str, Any] | None:
        """What :meth:`finish` kept, with the weights loaded into ``module``; None if the stage has not ended."""
        path = self.path / "result.json"
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            identity = record.pop("identity", {})
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise self._damaged(path, error) from error
        self._check(path, identity)
        weights = self.path / "weights.safetensors"
        try:
            module.load_state_dict(load_file(weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise self._damaged(weights, error) from error
        return dict(record)

    def checkpoint(self) -> Path | None:
        """The checkpoint to go on from, or None; it has been looked at, without executing anything in it."""
        if not self.last.exists():
            return None
        try:
            found = torch.load(self.last, map_location="cpu", weights_only=True, mmap=True)
            identity = found.get(_KEY, {})
        except pickle.UnpicklingError as error:  # torch does not say which of the two it is
            raise InputError(
                f"{self.last} is damaged, or holds more than numbers and names, which could run code; it has not been "
                f"loaded. Remove {self.path} to train this stage again."
            ) from error
        except Exception as error:  # what damaged files raise has no base in common
            raise self._damaged(self.last, error) from error
        self._check(self.last, identity)
        return self.last

    def finish(self, module: nn.Module, record: dict[str, Any]) -> None:
        """Keep the weights first, the record last: a stage with a record is whole."""
        with writing(str(self.path), _GO_ON):
            self.path.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path / "weights.safetensors") as beside:
                save_weights(module, beside)
            with whole_file(self.path / "result.json") as beside:
                beside.write_text(json.dumps({**record, "identity": self.identity}), encoding="utf-8")
            self.last.unlink(missing_ok=True)

    def _check(self, path: Path, identity: Any) -> None:
        found = identity if isinstance(identity, dict) else {}
        if found.get("format") != FORMAT:
            raise InputError(
                f"{path} was written by another version of noiselayer (format {found.get('format')}, this one has "
                f"{FORMAT}). Go on with the version that wrote it, or remove {self.path} to train this stage again."
            )
        differing = differences(found, self.identity, at_most=4)
        if differing:
            raise InputError(
                f"{path} was left by another run: {differing}. Start the run as it was, or remove {self.path} to train "
                "this stage again."
            )

    def _damaged(self, path: Path, error: Exception) -> InputError:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        return InputError(
            f"{path} is damaged ({reason}). Remove {self.path} to train this stage again; finished stages beside it "
            "are kept."
        )


_GO_ON = "What was written before is whole: make room, and go on with the same command and --resume."


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints: written beside their place and renamed, marked with an identity, read without code.

    Lightning's own go through a temporary file in another folder; where that is another disk, they are copied,
    and a kill in the middle leaves half a checkpoint in place of the last good one.
    """

    def __init__(self, identity: dict[str, Any]) -> None:
        self.identity = identity

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write the file whole; if that fails, the last one is still there."""
        with writing(str(path), _GO_ON):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()  # straight to a full disk torch fails without the system's reason
            torch.save({**checkpoint, _KEY: self.identity}, content)
            with whole_file(Path(path)) as beside:
                beside.write_bytes(content.getbuffer())

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, _: storage,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        """Read numbers and plain types, whatever Lightning's version asks for."""
        loaded: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return loaded


def stage_identity(
    name: str,
    module: nn.Module,
    train: Sequence[Part],
    validation: Sequence[Part],
    **settings: int | bool | str,
) -> dict[str, Any]:
    """What tells a stage from others whose checkpoint it must not go on from, as plain types.

    Of the module names and shapes of its parameters count, not their values.
    """
    shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
    network = hashlib.blake2b(json.dumps(shapes, sort_keys=True).encode(), digest_size=8).hexdigest()
    return {
        "stage": name,
        **settings,
        "training_samples": _samples(train),
        "validation_samples": _samples(validation),
        "network": network,
    }


def _samples(parts: Sequence[Part]) -> str:
    """How many, and a hash of their labels, their trust and annotators."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(f"{int(part.trust)} {len(part.labels)} ".encode())
        digest.update(part.labels.cpu().contiguous().numpy().tobytes())
        if part.annotators is not None:
            digest.update(part.annotators.cpu().contiguous().numpy().tobytes())
    return f"{sum(len(part.labels) for part in parts)} ({digest.hexdigest()})"

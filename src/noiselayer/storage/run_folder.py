"""The folder of a run: who may write into it, and whether what lies there is the same run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from noiselayer.errors import InputError, list_some
from noiselayer.files.records import read_json, write_json
from noiselayer.files.whole_file import is_unfinished, remove_unfinished

__all__ = ["RunFolder"]

_COMPARED = (
    *("options", "inputs", "class_names", "encoder", "data", "clean", "outside", "known_noise_matrix"),
    "precision",
)


class RunFolder:
    """A folder that one run writes into.

    Args:
        path: Where; made when the run begins.
        resume: Go on with the run that lies there, if there is one.

    Raises:
        InputError: If something else lies there, or a run that nobody asked to resume.

    Attributes:
        path: Where.
        config: Of the run that lies there; None for a new one.

    >>> import tempfile
    >>> folder = RunFolder(Path(tempfile.mkdtemp()) / "run", resume=False)
    >>> folder.config is None, folder.path.exists()
    (True, False)
    """

    def __init__(self, path: str | Path, *, resume: bool) -> None:
        self.path = Path(path)
        self.config: dict[str, Any] | None = None
        self._made: Path | None = None
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"the output folder {self.path} is a file; name another with --out.")
        content = sorted(file.name for file in self.path.iterdir()) if self.path.is_dir() else []
        content = [name for name in content if not is_unfinished(name)]  # killed before it had begun
        if not content:
            return
        if not resume:
            raise InputError(
                f"the output folder {self.path} is in use (it holds {list_some(content, 4)}). Name another "
                "with --out, or go on with a run that was stopped there with --resume."
            )
        if not (self.path / "config.json").is_file():
            raise InputError(
                f"there is no run to resume in {self.path}: it holds {list_some(content, 4)}, but no "
                "config.json. Name another folder with --out."
            )
        self.config = read_json(self.path / "config.json")

    @property
    def stages(self) -> Path:
        """Where the checkpoints of unfinished stages lie."""
        return self.path / "stages"

    @property
    def finished(self) -> bool:
        """Whether the run that lies here has come to its end."""
        metrics = self.path / "metrics.json"
        return metrics.is_file() and bool(read_json(metrics).get("finished"))

    def check_same(self, config: dict[str, Any]) -> None:
        """Raise an error that names what differs between the run that lies here and the one asked for.

        Raises:
            InputError: If anything differs that changes the result; paths and devices may.
        """
        if self.config is None:
            return
        if self.config.get("format") != config.get("format"):
            raise InputError(
                f"the run in {self.path} was begun by another version of noiselayer (format "
                f"{self.config.get('format')}, this one writes {config.get('format')}). Go on with the version that "
                "began it, or name another folder with --out."
            )
        before, now = _flat(_compared(self.config)), _flat(_compared(json.loads(json.dumps(config))))
        differing = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
        if differing:
            listed = list_some(
                (f"{key} was {_short(before.get(key))}, now {_short(now.get(key))}" for key in differing), 5
            )
            raise InputError(
                f"the run in {self.path} was started otherwise, so it cannot be resumed: {listed}. Start it "
                "as it was, or name another folder with --out."
            )

    def begin(self, config: dict[str, Any]) -> None:
        """Make the folder, if need be, and write what the run is; a run that goes on keeps what is written there.

        Raises:
            InputError: If the folder cannot be made or written to.
        """
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._made = missing[-1] if missing else None
            remove_unfinished(self.path)
            if self.config is None:
                write_json(self.path / "config.json", config)
        except OSError as error:
            self.abandon()
            raise InputError(f"cannot write to the output folder {self.path}: {error.strerror}.") from error

    def remove_stages(self) -> None:
        """Remove the checkpoints: the run is at its end."""
        shutil.rmtree(self.stages, ignore_errors=True)

    def abandon(self) -> None:
        """After a failure, remove what this run has made, unless there are checkpoints to go on from."""
        if self.config is not None or any(self.stages.rglob("*.*")):
            return
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)
        elif self.path.is_dir():
            (self.path / "config.json").unlink(missing_ok=True)
            shutil.rmtree(self.stages, ignore_errors=True)


def _compared(config: dict[str, Any]) -> dict[str, Any]:
    compared = {key: config.get(key) for key in _COMPARED}
    options = compared["options"]
    if isinstance(options, dict):  # a run that was stopped by a loss may go on without that batch
        compared["options"] = {name: value for name, value in options.items() if name != "on_nonfinite"}
    return compared


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, keys joined by dots."""
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"

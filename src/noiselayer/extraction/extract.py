"""Samples -> features of a frozen network, in batches; what a killed process had finished is not computed again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from noiselayer.arrays.kinds import check_count
from noiselayer.data.image_index import cache_folder
from noiselayer.errors import InputError, argument
from noiselayer.extraction.feature_cache import FeatureCache, Keys, keys_of
from noiselayer.extraction.pretrained import Layers, Pretrained, load_pretrained
from noiselayer.files.decode import read_rgb
from noiselayer.files.whole_file import read_json, write_json, writing

_FORMAT = 1
_ROWS, _SECONDS = 2048, 60.0
"""A piece is written after so many rows or seconds: what a kill can cost."""
_WORTH_SAYING = 10.0  # seconds


def extract_features(
    inputs: Sequence[Any] | npt.NDArray[Any] | Tensor,
    model: str | Pretrained | Callable[..., Any],
    *,
    cache_dir: str | Path | None = None,
    batch_size: int | None = None,
    device: str | torch.device = "cpu",
    views: int = 1,
    layers: Layers = "blocks",
    name: str | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float16]:
    """Features of samples by a frozen network, shape (N, D), half precision, a memory map of a file in a cache.

    The cache holds rows under a digest of the sample's content, in a folder of the network, its weights and its
    library's version: a sample is computed once, whatever its file is called, and again when it or the network has
    changed. Within ``torch.distributed`` every process takes its share of the batches, and all get the whole.

    Args:
        inputs: N paths of images, Pillow images or arrays of bytes of shape (H, W, 3) for a network of images; N texts
            for one of texts; anything for a callable, which gets tensors if they come as an array or a tensor.
        model: A name (:func:`noiselayer.extraction.load_pretrained`), two of them with a ``+`` between for the features
            of both beside each other, what that function gives, or a callable. A function has no weights that tell
            whether it is what it was: it is cached only under a ``name``, which is yours to change when it does.
        cache_dir: Where features are kept; ``NOISELAYER_CACHE``, or ``noiselayer`` in the user's folder of caches, if
            None. Everything in it can be removed at any time.
        batch_size: Samples at a time; 8 on a CPU, where more of them do not fit its caches, and 64 elsewhere, if None.
        device: Where the network computes.
        views: 1, or 2 for the mean of an image's features and its mirror image's.
        layers: "blocks": beside the features of a convolutional network the means of its last blocks' maps; "end": its
            features alone (:func:`noiselayer.extraction.load_pretrained`).
        name: Of a callable.
        say: Gets a sentence on what is computed, and why.
        progress: Gets how many samples are done, and of how many, after every batch.

    Raises:
        InputError: If there is no such network, a sample is damaged, or the disk is full.
        ValueError: If a batch is to hold no sample.

    >>> import tempfile
    >>> X = torch.arange(12.0).reshape(4, 3)
    >>> f = extract_features(X, torch.nn.Linear(3, 2), cache_dir=tempfile.mkdtemp())
    >>> f.shape, f.dtype
    ((4, 2), dtype('float16'))
    """
    if views not in (1, 2):
        raise InputError(f"{argument('views')} must be 1 or 2; got {views}.")
    if batch_size is not None:
        check_count(batch_size, "batch_size", 1)
    if not len(inputs):
        raise InputError("there are no samples to extract features of.")
    if isinstance(model, str) and "+" in model:
        shared = {"cache_dir": cache_dir, "batch_size": batch_size, "device": device, "views": views}
        shared["layers"] = layers
        each = [
            extract_features(inputs, part, **shared, say=say, progress=progress)  # type: ignore[arg-type]
            for part in model.split("+")
        ]
        return np.concatenate(each, axis=1)
    network = model if isinstance(model, Pretrained) else load_pretrained(model, name=name, layers=layers)
    if network.module is None and name is None and network.takes == "anything":
        at, rows_of = zip(
            *_batches(network, inputs, np.arange(len(inputs)), batch_size, device, views), strict=True
        )
        return np.concatenate(rows_of)[np.concatenate(at).argsort()]
    recipe = {"format": _FORMAT, "network": network.fingerprint(), "views": views}
    cache = FeatureCache(_folder_of(network.name, recipe, cache_dir, say))
    keys = _keys(inputs, network.takes)
    missing = cache.missing(keys)
    if say is not None:
        known = len(np.unique(keys)) - len(missing)  # some samples may be the same
        say(_in_words(network.name, len(keys), len(missing), known, cache.folder))
    if network.takes == "texts":  # of one length side by side, so that little is padded
        missing = missing[np.argsort([len(inputs[k]) for k in missing], kind="stable")]
    rank, world = _process()
    if world > 1:
        torch.distributed.barrier()  # all have seen the same rows missing
    started, rows, held, done, timed = time.monotonic(), [], [], 0, False
    for at, features in _batches(network, inputs, missing, batch_size, device, views, rank, world):
        if not done:
            cache.check_room(len(missing), len(keys), features.shape[1])
        rows.append(features)
        held.append(keys[at])
        done += len(at)
        if say is not None and not timed and done > len(at):  # the first batch pays for what begins late
            timed = True
            seconds = (time.monotonic() - started) / done * (len(missing) / world - done)
            if seconds > _WORTH_SAYING:
                say(f"About {seconds / 60:.0f} minutes." if seconds > 90 else f"About {seconds:.0f} seconds.")
        if progress is not None:
            progress(done * world, len(missing))
        if sum(map(len, rows)) >= _ROWS or time.monotonic() - started > _SECONDS:
            cache.add(np.concatenate(held), np.concatenate(rows))
            started, rows, held = time.monotonic(), [], []
    if rows:
        cache.add(np.concatenate(held), np.concatenate(rows))
    if world > 1:
        torch.distributed.barrier()
        if rank == 0:
            cache.in_order(keys)
        torch.distributed.barrier()
    return cache.in_order(keys)


def _batches(
    network: Pretrained,
    inputs: Any,
    chosen: npt.NDArray[np.int64],
    batch_size: int | None,
    device: str | torch.device,
    views: int,
    rank: int = 0,
    world: int = 1,
) -> Any:
    """Positions and features, shape (n, D), half precision, of this process's share of the batches."""
    device = torch.device(device)
    if network.module is not None:
        network.module.to(device)
    size = batch_size or (8 if device.type == "cpu" else 64)
    batches = [chosen[first : first + size] for first in range(0, len(chosen), size)]
    np.random.default_rng(0).shuffle(batches)  # the time that the first ones take says how long all will
    for at in batches[rank::world]:
        samples = [_sample(inputs[k], int(k), network.takes) for k in at.tolist()]
        with torch.inference_mode():
            f = network.embed([network.prepare(sample) for sample in samples], device)
            if views == 2 and network.takes == "images":
                mirrored = [network.prepare(ImageOps.mirror(sample)) for sample in samples]
                f = (f + network.embed(mirrored, device)) / 2
        rows = f.detach().float().cpu().numpy()
        if rows.ndim != 2 or len(rows) != len(at):
            raise InputError(
                f"features must have shape (n, D), a row per sample; {network.name} gave {rows.shape} for {len(at)}."
            )
        with np.errstate(over="ignore"):  # what is too large is named below
            half = rows.astype(np.float16)
        if not np.isfinite(half).all():
            bad = int(at[~np.isfinite(half).all(axis=1)][0])
            raise InputError(
                f"{network.name} gives sample {bad} a feature that is no number of half precision: "
                f"{_brief(inputs[bad])}."
            )
        yield at, half


def _sample(sample: Any, position: int, takes: str) -> Any:
    if takes == "images":
        if isinstance(sample, str | Path):
            return read_rgb(Path(sample))
        if isinstance(sample, Image.Image):
            return sample.convert("RGB")
        array = np.asarray(sample)
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3):
            raise InputError(
                f"sample {position} must be a path, a Pillow image or bytes of shape (height, width, 3), or (height, "
                f"width, 1) if it is grey; got {array.dtype} of shape {array.shape}."
            )
        return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).convert("RGB")
    if takes == "texts" and not isinstance(sample, str):
        raise InputError(f"sample {position} must be a text; got {_brief(sample)}.")
    return torch.as_tensor(sample) if isinstance(sample, np.ndarray) else sample


def _keys(inputs: Any, takes: str) -> Keys:
    return keys_of(_content(inputs[k], takes) for k in range(len(inputs)))


def _content(sample: Any, takes: str) -> bytes:
    """What decides about a sample's features."""
    if takes == "images" and isinstance(sample, str | Path):
        try:
            return Path(sample).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read image {sample}: {error.strerror}.") from error
    if isinstance(sample, str):
        return sample.encode()
    if isinstance(sample, Tensor):
        sample = sample.detach().cpu().numpy()
    if isinstance(sample, Path):
        return sample.read_bytes()
    array = np.asarray(sample)
    if array.dtype == object:
        raise InputError(f"a sample must be a path, a text, an image or numbers; got {_brief(sample)}.")
    return f"{array.dtype} {array.shape}".encode() + array.tobytes()


def _folder_of(
    name: str, recipe: dict[str, Any], cache_dir: str | Path | None, say: Callable[[str], None] | None
) -> Path:
    """The folder of a network as it is now; says so where there are features of it as it was."""
    parent = (cache_folder() if cache_dir is None else Path(cache_dir).expanduser()) / "features"
    parent /= re.sub(r"[^\w.-]+", "-", name)
    folder = parent / f"{recipe['network']}-{recipe['views']}"
    about = folder / "about.json"
    if not about.exists():
        others = [file.parent.name for file in parent.glob("*/about.json")]
        if others and say is not None:
            say(
                f"{name} is not what it was (its weights, its library's version, its preprocessing or the layers "
                f"that are taken have changed): its features are computed anew; those of before are in {parent}."
            )
        with writing(str(folder), f"Name another folder with {argument('cache_dir')}."):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(about, {"name": name, **recipe})
    elif read_json(about).get("format") != _FORMAT:
        raise InputError(f"{folder} was written by another version of noiselayer; remove it.")
    return folder


def _in_words(name: str, count: int, missing: int, known: int, folder: Path) -> str:
    if not missing:
        return f"Features of {count:,} samples by {name}: all are in {folder}."
    kept = f" {known:,} are there already." if known else ""
    return f"Features by {name}: {missing:,} of {count:,} samples are computed, into {folder}.{kept}"


def _process() -> tuple[int, int]:
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _brief(sample: Any) -> str:
    words = repr(sample)
    return words if len(words) < 60 else words[:57] + "..."

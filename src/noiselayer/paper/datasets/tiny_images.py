"""Tiny Images: 79 million photographs of 32 x 32 pixels in one file, what is known of each in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError
from noiselayer.paper.datasets.find_files import require_file
from noiselayer.paper.datasets.image_set import ImageSet, Labels, Pixels

METADATA = np.dtype(
    [
        ("keyword", "S80"),
        ("filename", "S95"),
        ("width", "S2"),
        ("height", "S2"),
        ("colors", "S1"),
        ("date", "S32"),
        ("engine", "S10"),
        ("thumb_url", "S200"),
        ("source_url", "S328"),
        ("page", "S4"),
        ("ind_page", "S4"),
        ("ind_engine", "S4"),
        ("ind_overall", "S4"),
        ("label", "S2"),
    ]
)
"""A record of tiny_metadata.bin: 768 bytes of text, every field filled up with spaces."""

_IMAGE_BYTES = 3 * 32 * 32
_RECORDS = 1 << 16
_HOW = "The data set was withdrawn by its authors in 2020 and is not distributed; docs/datasets.md says more."


def open_tiny_images(binary: Path | str) -> Pixels:
    """Open ``tiny_images.bin`` as a memory map, shape (N, 32, 32, 3), rows before columns.

    In the file an image is 3,072 bytes: the red plane, the green and the blue, each column by column.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tiny_images.bin"
    >>> _ = path.write_bytes(bytes(range(32)) + bytes(3072 - 32))
    >>> open_tiny_images(path)[0, :3, 0].tolist()  # the first column, from the top, red first
    [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    """
    path = require_file(Path(binary), "the pixels of Tiny Images (tiny_images.bin)", _HOW)
    shape = (_count(path, _IMAGE_BYTES), 3, 32, 32)
    images: Pixels = np.memmap(path, dtype=np.uint8, mode="r", shape=shape).transpose(0, 3, 2, 1)
    return images


def open_tiny_metadata(metadata: Path | str) -> npt.NDArray[Any]:
    """Open ``tiny_metadata.bin`` as a memory map of records, shape (N,), of type :data:`METADATA`."""
    path = require_file(Path(metadata), "what is known of Tiny Images (tiny_metadata.bin)", _HOW)
    return np.memmap(path, dtype=METADATA, mode="r", shape=(_count(path, METADATA.itemsize),))


def tiny_image_search(metadata: Path | str, keywords: Sequence[str]) -> dict[str, Labels]:
    """Positions, ascending, of the images that each word ("cat", "tabby_cat") brought up; one pass for all."""
    words = list(keywords)
    for word in words:
        if words.count(word) > 1:
            raise InputError(f"keywords must differ; {word!r} is there twice.")
        if not 0 < len(word.encode()) <= 80 or word != word.strip():
            raise InputError(f"keywords must be 1 to 80 bytes without spaces around them; got {word!r}.")
    if not words:
        return {}
    field = open_tiny_metadata(metadata)["keyword"]
    # Sorted words and a binary search: one look at a record, however many words there are.
    padded = np.array([word.encode().ljust(80) for word in words], dtype="S80")
    order = padded.argsort()
    found: list[list[Labels]] = [[] for _ in words]
    for start in range(0, len(field), _RECORDS):
        block = np.asarray(field[start : start + _RECORDS])
        match = order[np.searchsorted(padded[order], block).clip(max=len(words) - 1)]
        hits = (padded[match] == block).nonzero()[0]
        for k in np.unique(match[hits]):
            found[k].append(start + hits[match[hits] == k])
    for word, positions in zip(words, found, strict=True):
        if not positions:
            raise InputError(f"no image of {metadata} has the keyword {word!r}.")
    return {word: np.concatenate(positions) for word, positions in zip(words, found, strict=True)}


def load_tiny_images(
    binary: Path | str,
    metadata: Path | str | None = None,
    *,
    keywords: Mapping[str, Sequence[str]] | None = None,
    indices: Sequence[int] | npt.NDArray[Any] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> ImageSet:
    """Read some of Tiny Images: those found with certain words, those at certain positions, or any.

    Args:
        binary: ``tiny_images.bin``.
        metadata: ``tiny_metadata.bin``, which ``keywords`` need.
        keywords: Class name -> the words it was searched with, which make the (loose) labels; without them
            every label is -1.
        indices: Positions in the file; with keywords, those of them that a word found.
        limit: At most so many of these, drawn at random.
        seed: Of the draw.

    Returns:
        The images in the file's order, copied into memory, or with neither keywords, indices nor limit the
        whole file, left on the disk; ``class_names`` are the keys of ``keywords``.

    Raises:
        InputError: If a file is missing, damaged or has more or fewer images than the other, keywords come
            without metadata or are not found, or an index is out of range.

    >>> load_tiny_images("tiny_images.bin", keywords={"cat": ["cat"]})
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: keywords are looked up in the metadata: give tiny_metadata.bin as well.
    """
    if keywords is not None and metadata is None:
        raise InputError("keywords are looked up in the metadata: give tiny_metadata.bin as well.")
    images = open_tiny_images(binary)
    N = len(images)
    if metadata is not None and (records := len(open_tiny_metadata(metadata))) != N:
        raise InputError(
            f"{binary} holds {N:,} images, {metadata} {records:,} records; they must be of the same data set."
        )
    wanted = None if indices is None else np.sort(np.asarray(indices, dtype=np.int64))
    if wanted is not None and len(wanted) and not 0 <= wanted[0] <= wanted[-1] < N:
        raise InputError(
            f"indices must lie in 0..{N - 1} for the {N:,} images of {binary}; got {wanted[0]}..{wanted[-1]}."
        )
    if limit is not None and limit < 0:
        raise InputError(f"limit must be 0 or more; got {limit}.")
    rng = np.random.default_rng(seed)
    if keywords is not None and metadata is not None:
        chosen, labels = _found_for(metadata, keywords)
        if wanted is not None:
            among = np.isin(chosen, wanted)
            chosen, labels = chosen[among], labels[among]
    elif wanted is not None:
        chosen, labels = wanted, np.full(len(wanted), -1)
    elif limit is not None:
        chosen = np.sort(rng.choice(N, size=min(limit, N), replace=False))
        labels = np.full(len(chosen), -1)
    else:
        return ImageSet(images, np.full(N, -1), ())
    if limit is not None and limit < len(chosen):
        kept = np.sort(rng.permutation(len(chosen))[:limit])
        chosen, labels = chosen[kept], labels[kept]
    return ImageSet(np.ascontiguousarray(images[chosen]), labels, tuple(keywords or ()))


def _found_for(metadata: Path | str, keywords: Mapping[str, Sequence[str]]) -> tuple[Labels, Labels]:
    """Positions in the file, ascending, and the class that each was searched for."""
    words = [word for of_class in keywords.values() for word in of_class]
    found = tiny_image_search(metadata, words)
    classes = [k for k, of_class in enumerate(keywords.values()) for _ in of_class]
    positions = np.concatenate([np.empty(0, dtype=np.int64), *found.values()])
    labels = np.repeat(np.array(classes, dtype=np.int64), [len(found[word]) for word in words])
    order = positions.argsort()
    return positions[order], labels[order]


def _count(path: Path, record: int) -> int:
    size = path.stat().st_size
    if size == 0 or size % record:
        raise InputError(
            f"{path} must hold records of {record:,} bytes; its {size:,} bytes are no multiple. Is it whole?"
        )
    return size // record

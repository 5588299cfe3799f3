"""outside32: photographs of 200 classes at 32 x 32 pixels, most of which are none of CIFAR-10's ten."""

from __future__ import annotations

from pathlib import Path

from noiselayer.data.numpy_files import read_npy, read_npz
from noiselayer.datasets.files import missing_files
from noiselayer.datasets.image_set import ImageSet

__all__ = ["load_outside32"]

_FILES = ("outside32_x.npy", "outside32.npz")


def load_outside32(folder: Path | str) -> ImageSet:
    """Open the outside images, which stay on the disk, with their labels of 200 classes.

    ``outside32_x.npy`` holds the images, uint8, shape (N, 32, 32, 3); ``outside32.npz`` the arrays label
    (N,), wnid (K,) and name (K,): a class's WordNet number, and its words, comma between them.

    Args:
        folder: Where both files lie.

    Returns:
        The images as a memory map; ``class_names`` are the words.

    Raises:
        InputError: If a file is missing or damaged.

    >>> load_outside32("nowhere")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no folder nowhere, which should hold outside32_x.npy and
    outside32.npz. docs/datasets.md says how to make them from Tiny ImageNet.
    """
    folder = Path(folder)
    images, table = (folder / name for name in _FILES)
    if not (images.is_file() and table.is_file()):
        raise missing_files(
            folder, " and ".join(_FILES), "docs/datasets.md says how to make them from Tiny ImageNet."
        )
    names = tuple(read_npz(table, "name").tolist())
    return ImageSet(read_npy(images, memory_map=True), read_npz(table, "label"), names)

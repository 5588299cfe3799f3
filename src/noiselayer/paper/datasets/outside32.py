"""outside32: photographs of 200 classes at 32 x 32 pixels, most of which are none of CIFAR-10's ten."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from noiselayer.data.numpy_files import read_npy, read_npz
from noiselayer.errors import InputError
from noiselayer.paper.datasets.find_files import missing_files, require_file
from noiselayer.paper.datasets.image_set import ImageSet
from noiselayer.paper.datasets.path_set import read_class_folders

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
    outside32.npz. noiselayer.paper.datasets.make_outside32 makes them from Tiny ImageNet.
    """
    folder = Path(folder)
    images, table = (folder / name for name in _FILES)
    if not (images.is_file() and table.is_file()):
        how = "noiselayer.paper.datasets.make_outside32 makes them from Tiny ImageNet."
        raise missing_files(folder, " and ".join(_FILES), how)
    names = tuple(read_npz(table, "name").tolist())
    return ImageSet(read_npy(images, memory_map=True), read_npz(table, "label"), names)


def make_outside32(tiny_imagenet: Path | str, folder: Path | str) -> None:
    """Make the files of outside32 from the training images of Tiny ImageNet, halved to 32 x 32 pixels.

    Args:
        tiny_imagenet: The unpacked ``tiny-imagenet-200``: ``train`` has a folder per WordNet number, and
            ``words.txt`` lines of number, tab, words.
        folder: Where to write ``outside32_x.npy`` and ``outside32.npz``; made if it is not there.

    Raises:
        InputError: If a file is missing or cannot be read, or a class has no words.
    """
    from noiselayer.files.whole_file import whole_file

    how = "It is in tiny-imagenet-200.zip, http://cs231n.stanford.edu/tiny-imagenet-200.zip."
    table = require_file(Path(tiny_imagenet) / "words.txt", "the words of every class", how)
    lines = table.read_text(encoding="utf-8").splitlines()
    words = dict(line.split("\t", maxsplit=1) for line in lines if "\t" in line)
    photographs = read_class_folders(Path(tiny_imagenet) / "train")
    unnamed = [wnid for wnid in photographs.class_names if wnid not in words]
    if unnamed:
        raise InputError(f"class folder {unnamed[0]!r} of {tiny_imagenet} has no line in words.txt.")
    pixels = photographs.inputs(32).in_memory().__getitems__(range(len(photographs)))
    names = [words[wnid].strip() for wnid in photographs.class_names]
    images, arrays = (Path(folder) / name for name in _FILES)
    images.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(images) as beside, whole_file(arrays) as table_beside:
        np.save(beside, np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy()))
        np.savez(table_beside, label=photographs.labels, wnid=photographs.class_names, name=names)

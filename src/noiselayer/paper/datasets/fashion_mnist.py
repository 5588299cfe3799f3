"""Fashion-MNIST from its IDX files."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.paper.datasets.find_files import first_with, missing_files
from noiselayer.paper.datasets.image_set import ImageSet

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the files."""

_PARTS = {"train": "train", "test": "t10k"}


def load_fashion_mnist(folder: Path | str) -> dict[str, ImageSet]:
    """Read Fashion-MNIST, 28 x 28 x 1 pixels: 60,000 images to train on and 10,000 to test on.

    The four IDX files, packed (``.gz``) or not, are looked for in ``folder/FashionMNIST/raw``, where
    torchvision puts them, then in ``folder`` itself, then where Debian's package ``dataset-fashion-mnist``
    puts them.

    Args:
        folder: Where to look first.

    Returns:
        "train" and "test".

    Raises:
        InputError: If the files are nowhere, or one is damaged.

    >>> sets = load_fashion_mnist("data")  # doctest: +SKIP
    >>> sets["train"].images.shape  # doctest: +SKIP
    (60000, 28, 28, 1)
    """
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.mnist import read_image_file, read_label_file

    folder = Path(folder)
    names = [f"{part}-{kind}-ubyte" for part in _PARTS.values() for kind in ("images-idx3", "labels-idx1")]
    files = first_with([folder / "FashionMNIST" / "raw", folder, DEBIAN_FASHION_MNIST], names)
    if files is None:
        raise missing_files(
            folder,
            f"{', '.join(names)} (or .gz), itself or in FashionMNIST/raw",
            f'To download them: torchvision.datasets.FashionMNIST("{folder}", download=True), or on Debian '
            "apt-get install dataset-fashion-mnist.",
        )
    sets = {}
    for part, prefix in _PARTS.items():
        images = _read(files[f"{prefix}-images-idx3-ubyte"], read_image_file)
        labels = _read(files[f"{prefix}-labels-idx1-ubyte"], read_label_file)
        sets[part] = ImageSet(images[..., None].numpy(), labels.numpy(), tuple(FashionMNIST.classes))
    return sets


def _read(path: Path, reader: Callable[[str], Tensor]) -> Tensor:
    """Read an IDX file with torchvision's reader, which takes unpacked files alone."""
    try:
        if path.suffix != ".gz":
            return reader(str(path))
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder, path.stem)
            with gzip.open(path) as packed, unpacked.open("wb") as file:
                shutil.copyfileobj(packed, file)
            return reader(str(unpacked))
    except (OSError, EOFError, AssertionError, TypeError, ValueError, IndexError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"cannot read {path}: it is damaged or not an IDX file ({reason}).") from error

"""CIFAR-10, with the human labels of CIFAR-10N where they lie beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np

from noiselayer.data.numpy_files import npz_keys, read_npz
from noiselayer.errors import InputError
from noiselayer.paper.datasets.find_files import missing_files
from noiselayer.paper.datasets.image_set import ImageSet, Labels

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The ten categories, in the order of the labels."""

_BATCHES = "cifar-10-batches-py"
_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
_HUMAN = "cifar10n_"


class Cifar10(TypedDict):
    """What :func:`load_cifar10` returns.

    Attributes:
        train: 50,000 images, 32 x 32 x 3, with their true labels.
        test: 10,000 images.
        cifar10n: Human labels of ``train``, shape (50000,), by name ("aggre", "random1", "worse"); empty
            where the file has none.
    """

    train: ImageSet
    test: ImageSet
    cifar10n: dict[str, Labels]


def load_cifar10(folder: Path | str) -> Cifar10:
    """Read CIFAR-10 from the files that are in a folder.

    Either ``cifar10.npz`` with the arrays x_train, y_train, x_test, y_test and, if you like, class_names and
    cifar10n_NAME; or the folder ``cifar-10-batches-py``, through ``torchvision.datasets.CIFAR10``, which
    checks that the files are whole before it unpickles them.

    Args:
        folder: Where either lies; the first is taken where both do.

    Raises:
        InputError: If neither is there, a file is damaged, or an array is missing.

    >>> load_cifar10("nowhere")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no folder nowhere, which should hold cifar10.npz or
    cifar-10-batches-py. To download it: torchvision.datasets.CIFAR10("nowhere", download=True).
    """
    folder = Path(folder)
    if (folder / "cifar10.npz").is_file():
        return _from_npz(folder / "cifar10.npz")
    how = f'To download it: torchvision.datasets.CIFAR10("{folder}", download=True).'
    if not (folder / _BATCHES).is_dir():
        raise missing_files(folder, f"cifar10.npz or {_BATCHES}", how)
    from torchvision.datasets import CIFAR10

    try:
        parts = [CIFAR10(folder, train=train, download=False) for train in (True, False)]
    except RuntimeError as error:
        raise InputError(f"the files in {folder / _BATCHES} are not whole. {how}") from error
    train, test = (ImageSet(part.data, np.array(part.targets), tuple(part.classes)) for part in parts)
    return {"train": train, "test": test, "cifar10n": {}}


def _from_npz(path: Path) -> Cifar10:
    keys = npz_keys(path)
    lacking = [key for key in _NPZ_KEYS if key not in keys]
    if lacking:
        raise InputError(
            f"{path} must hold the arrays {', '.join(_NPZ_KEYS)}; it lacks {', '.join(lacking)}."
        )
    names = tuple(read_npz(path, "class_names").tolist()) if "class_names" in keys else CIFAR10_CLASSES
    train, test = (
        ImageSet(read_npz(path, f"x_{part}"), read_npz(path, f"y_{part}"), names)
        for part in ("train", "test")
    )
    human = {key.removeprefix(_HUMAN): read_npz(path, key) for key in keys if key.startswith(_HUMAN)}
    for name, labels in human.items():
        if labels.shape != train.labels.shape:
            raise InputError(
                f"array {_HUMAN}{name} of {path} must have one label for each of the {len(train):,} training "
                f"images; its shape is {labels.shape}."
            )
    return {
        "train": train,
        "test": test,
        "cifar10n": {name: labels.astype(np.int64) for name, labels in human.items()},
    }

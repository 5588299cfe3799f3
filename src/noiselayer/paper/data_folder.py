"""The images of an experiment: real ones from a folder, or a small stand-in that is always there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from noiselayer.errors import InputError
from noiselayer.paper.datasets import (
    ImageSet,
    load_cifar10,
    load_fashion_mnist,
    load_svhn,
    local_contrast_normalization,
)
from noiselayer.paper.datasets.image_set import Labels

Made = TypeVar("Made")
_BATCH = 4096


@dataclass(frozen=True)
class Images:
    """A data set with true labels, the test's for the error alone; ``human_labels`` are name -> shape (N,)."""

    name: str
    train: ImageSet
    test: ImageSet
    human_labels: dict[str, Labels] | None = None


class DataFolder:
    """Reads a data set once, when an experiment asks for it; without a path only ``"digits"`` is there."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What ``make`` returns, made once; whatever it depends on must be in the name.

        >>> folder = DataFolder(None)
        >>> folder.once("a list", list) is folder.once("a list", list)
        True
        """
        if name not in self._made:
            self._made[name] = make()
        made: Made = self._made[name]
        return made

    def images(self, name: str) -> Images:
        """The data set of this name, one of :data:`DATASETS`."""
        if name not in DATASETS:
            raise InputError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}.")
        return self.once(name, lambda: DATASETS[name](self))

    def folder(self, needed_for: str) -> Path:
        """The folder of real data sets; the message says what it is ``needed_for`` where none was given."""
        if self.path is None:
            raise InputError(
                f"{needed_for} needs real data: name their folder with --data or NOISELAYER_DATA "
                "(docs/datasets.md says what it holds), or take --scale small."
            )
        return self.path


def _cifar10(data: DataFolder) -> Images:
    sets = load_cifar10(data.folder("CIFAR-10"))
    return Images("CIFAR-10", sets["train"], sets["test"], sets["cifar10n"] or None)


def _fashion_mnist(data: DataFolder) -> Images:
    sets = load_fashion_mnist(data.folder("Fashion-MNIST"))
    return Images("Fashion-MNIST", sets["train"], sets["test"])


def _svhn(data: DataFolder) -> Images:
    """The paper's set: both parts to train on, contrast-normalised."""
    train, extra, test = load_svhn(data.folder("SVHN")).values()
    both = ImageSet(
        np.concatenate([train.images, extra.images]),
        np.concatenate([train.labels, extra.labels]),
        train.class_names,
    )
    return Images("SVHN", _contrast_normalized(both), _contrast_normalized(test))


def _contrast_normalized(photographs: ImageSet) -> ImageSet:
    """The paper's preprocessing of SVHN, as bytes: 128 is the local mean, and 40 a local standard deviation."""
    bytes_ = np.empty_like(photographs.images)
    for start in range(0, len(bytes_), _BATCH):
        batch = torch.from_numpy(photographs.images[start : start + _BATCH]).permute(0, 3, 1, 2)
        scaled = (128 + 40 * local_contrast_normalization(batch)).round_().clamp_(0, 255)
        bytes_[start : start + _BATCH] = scaled.permute(0, 2, 3, 1).numpy()
    return replace(photographs, images=bytes_)


def _digits(data: DataFolder) -> Images:
    """scikit-learn's digits as colour images of 32 x 32 pixels: something to try the commands on."""
    digits = load_digits()
    grey = np.kron(digits.images * (255 / 16), np.ones((1, 4, 4))).astype(np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=3)
    x_train, x_test, y_train, y_test = train_test_split(
        colour, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )
    names = tuple(str(k) for k in range(10))
    return Images("digits", ImageSet(x_train, y_train, names), ImageSet(x_test, y_test, names))


DATASETS: dict[str, Callable[[DataFolder], Images]] = {
    "cifar10": _cifar10,
    "fashion-mnist": _fashion_mnist,
    "svhn": _svhn,
    "digits": _digits,
}
"""Name -> its reader."""

"""The images of an experiment: real ones from a folder, or a small stand-in that is always there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.data import LabeledData, from_arrays
from noiselayer.errors import InputError

__all__ = ["DATASETS", "DataFolder", "Images"]

Array = npt.NDArray[Any]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Images:
    """A data set with true labels.

    Attributes:
        name: What it is, never what it stands in for.
        x_train: Shape (N, H, W, C), bytes.
        y_train: Shape (N,), true labels.
        x_test: Shape (M, H, W, C).
        y_test: Shape (M,), true labels; read for the test error alone.
        class_names: The K names.
        human_labels: Name -> labels of the training images by people, shape (N,); None where there are none.
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    class_names: tuple[str, ...]
    human_labels: dict[str, Array] | None = None

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    def labeled(self, rows: Array, labels: Array | Tensor | None = None) -> LabeledData:
        """Training images of these rows, with their true labels or with others.

        Args:
            rows: Indices of training images.
            labels: One for each row; the true ones if None.
        """
        given = self.y_train[rows] if labels is None else labels
        return from_arrays(self.x_train[rows], given, class_names=self.class_names)

    def test(self) -> LabeledData:
        """The test images, with their true labels."""
        return from_arrays(self.x_test, self.y_test, class_names=self.class_names)


class DataFolder:
    """Reads a data set once, when an experiment asks for it.

    Args:
        path: The folder of real data sets; None if there is none, then only ``"digits"`` is there.

    >>> digits = DataFolder(None).images("digits")
    >>> digits.x_train.shape, digits.num_classes
    ((1347, 32, 32, 3), 10)
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._read: dict[str, Images] = {}
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What ``make`` returns, made once: the cells of an experiment share the sets that are dear to build.

        Args:
            name: Of the thing; whatever it depends on must be in it.
            make: Makes it.

        >>> folder = DataFolder(None)
        >>> folder.once("a list", list) is folder.once("a list", list)
        True
        """
        if name not in self._made:
            self._made[name] = make()
        made: Made = self._made[name]
        return made

    def images(self, name: str) -> Images:
        """The data set of this name.

        Args:
            name: One of :data:`DATASETS`.

        Raises:
            InputError: If there is no such data set, or its files are not in the folder.
        """
        if name not in DATASETS:
            raise InputError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}.")
        if name not in self._read:
            self._read[name] = DATASETS[name](self.path)
        return self._read[name]

    def folder(self, needed_for: str) -> Path:
        """The folder of real data sets.

        Args:
            needed_for: What wants it, for the message.

        Raises:
            InputError: If none was given.
        """
        if self.path is None:
            raise InputError(
                f"{needed_for} needs real data: name their folder with --data or NOISELAYER_DATA "
                "(docs/datasets.md says what it holds), or take --scale small."
            )
        return self.path


def _cifar10(folder: Path | None) -> Images:
    from noiselayer.paper.datasets import load_cifar10

    sets = load_cifar10(DataFolder(folder).folder("CIFAR-10"))
    return replace(_of_sets("CIFAR-10", sets), human_labels=dict(sets["cifar10n"]) or None)


def _fashion_mnist(folder: Path | None) -> Images:
    from noiselayer.paper.datasets import load_fashion_mnist

    return _of_sets("Fashion-MNIST", load_fashion_mnist(DataFolder(folder).folder("Fashion-MNIST")))


def _svhn(folder: Path | None) -> Images:
    from noiselayer.paper.datasets import load_svhn

    sets = load_svhn(DataFolder(folder).folder("SVHN"))
    if "extra" in sets:
        both = (sets["train"], sets["extra"])
        joined = {
            "images": np.concatenate([s.images for s in both]),
            "labels": np.concatenate([s.labels for s in both]),
        }
        sets = {**sets, "train": type(sets["train"])(**joined, class_names=sets["train"].class_names)}
    read = _of_sets("SVHN", sets)
    return replace(read, x_train=_contrast_normalized(read.x_train), x_test=_contrast_normalized(read.x_test))


def _contrast_normalized(images: Array) -> Array:
    """The paper's preprocessing of SVHN, as bytes: 128 is the local mean, and 40 a local standard deviation."""
    from noiselayer.paper.datasets import local_contrast_normalization

    bytes_ = np.empty_like(images)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH]).permute(0, 3, 1, 2)
        scaled = (128 + 40 * local_contrast_normalization(batch)).round_().clamp_(0, 255)
        bytes_[start : start + _BATCH] = scaled.permute(0, 2, 3, 1).numpy()
    return bytes_


def _digits(folder: Path | None) -> Images:
    """scikit-learn's digits as colour images of 32 x 32 pixels: something to try the commands on."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    grey = np.kron(digits.images * (255 / 16), np.ones((1, 4, 4))).astype(np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=3)
    x_train, x_test, y_train, y_test = train_test_split(
        colour, digits.target.astype(np.int64), test_size=0.25, random_state=0, stratify=digits.target
    )
    return Images("digits", x_train, y_train, x_test, y_test, tuple(str(k) for k in range(10)))


def _of_sets(name: str, sets: Any) -> Images:
    train, test = sets["train"], sets["test"]
    return Images(name, train.images, train.labels, test.images, test.labels, tuple(train.class_names))


_BATCH = 4096

DATASETS: dict[str, Callable[[Path | None], Images]] = {
    "cifar10": _cifar10,
    "fashion-mnist": _fashion_mnist,
    "svhn": _svhn,
    "digits": _digits,
}
"""Name -> function of the folder."""

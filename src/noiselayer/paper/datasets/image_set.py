"""Images in memory or on the disk, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from noiselayer.data import LabeledData, from_arrays
from noiselayer.errors import InputError

Labels = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
_Set = TypeVar("_Set", bound="ImageSet")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size as bytes, each with a label.

    Attributes:
        images: Shape (N, H, W, C), uint8; a memory map stays one, and so stays on the disk.
        labels: Shape (N,), class indices 0..K-1 into ``class_names``, or -1 for an image of no class; kept as
            int64.
        class_names: The K names.

    Raises:
        InputError: If a shape or type is another, or a label is out of range.

    >>> pictures = ImageSet(np.zeros((3, 32, 32, 3), dtype=np.uint8), np.array([0, 1, 1]), ("cat", "dog"))
    >>> len(pictures), pictures.num_classes, pictures.subset([2, 0]).labels
    (3, 2, array([1, 0]))
    """

    images: Pixels
    labels: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise InputError(
                "images must be uint8 of shape (N, H, W, C); got "
                f"{self.images.dtype} of shape {self.images.shape}."
            )
        object.__setattr__(self, "class_names", tuple(map(str, self.class_names)))
        self._keep_labels("labels")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """K, the number of class names."""
        return len(self.class_names)

    def subset(self: _Set, indices: Sequence[int] | npt.NDArray[Any]) -> _Set:
        """The samples at ``indices``, in that order, with all that is known of each, copied.

        Args:
            indices: Integers 0..N-1, or N booleans.

        Raises:
            InputError: If an index is out of range.
        """
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_ and chosen.shape == (len(self),):
            chosen = chosen.nonzero()[0]
        elif chosen.size == 0:
            chosen = np.empty(0, dtype=np.int64)
        if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
            raise InputError(
                f"indices must be integers, or {len(self):,} booleans, in one dimension; got {chosen.dtype} "
                f"of shape {chosen.shape}."
            )
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise InputError(
                f"indices must lie in 0..{len(self) - 1} for {len(self):,} images; got "
                f"{chosen.min()}..{chosen.max()}."
            )
        per_sample = (f.name for f in fields(self) if f.name != "class_names")
        return replace(self, **{name: getattr(self, name)[chosen] for name in per_sample})

    def labeled(
        self, rows: npt.NDArray[Any] | None = None, labels: npt.NDArray[Any] | Tensor | None = None
    ) -> LabeledData:
        """As labelled data: the images at ``rows``, all if None, with ``labels``, their own if None."""
        images, own = (self.images, self.labels) if rows is None else (self.images[rows], self.labels[rows])
        return from_arrays(images, own if labels is None else labels, class_names=self.class_names)

    def _keep_labels(self, name: str) -> None:
        """Check an attribute of class indices, one per image, and keep it as int64."""
        labels = np.asarray(getattr(self, name))
        if labels.shape != (len(self.images),) or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(
                f"{name} must be integers, one for each of the {len(self.images):,} images; got "
                f"{labels.dtype} of shape {labels.shape}."
            )
        labels = labels.astype(np.int64)
        if labels.size and (labels.min() < -1 or labels.max() >= self.num_classes):
            raise InputError(
                f"{name} must lie in 0..{self.num_classes - 1} for {self.num_classes} class names, or be -1 "
                f"for none; got {labels.min()}..{labels.max()}."
            )
        object.__setattr__(self, name, labels)

"""Labels of one or several labellers and checked ones, as numbers of the same classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.arrays.class_labels import check_one_kind, is_missing, value_of_member
from noiselayer.errors import InputError, list_some
from noiselayer.estimation.labeller import selected_by_label

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class GoldLabels:
    """What the labellers said and what was checked, -1 for none.

    Attributes:
        classes: The K labels, sorted.
        given: Shape (N + M, S).
        gold: Shape (N + M,); the last M are samples that no labeller has seen.
        added: M.
    """

    classes: Array
    given: Array
    gold: Array
    added: int

    @classmethod
    def of(cls, y: Any, gold: Any, y_clean: Any, N: int) -> GoldLabels:
        """Labels of any type that sorts; None, NaN, empty texts and, among numbers, -1 are none.

        >>> found = GoldLabels.of(["cat", None, "dog"], [None, "dog", None], None, 3)
        >>> found.classes.tolist(), found.given[:, 0].tolist(), found.gold.tolist()
        (['cat', 'dog'], [0, -1, 1], [-1, 1, -1])
        """
        labels = _objects(y)
        labels = labels[:, None] if labels.ndim == 1 else labels
        true = np.full(N, None) if gold is None else _objects(gold)
        more = np.empty(0, object) if y_clean is None else _objects(y_clean)
        _check_not_one_hot(labels)
        if labels.ndim != 2 or len(labels) != N or true.shape != (N,):
            raise InputError(
                f"y must have shape ({N},) or ({N}, S) and gold ({N},), a row per row of X; got {labels.shape} and "
                f"{true.shape}. gold is missing (None, NaN, -1) where nobody has looked."
            )
        parts = {"y": labels.ravel(), "gold": true, "y_clean": more}
        everything = np.concatenate(list(parts.values()))
        none = np.array([_missing(value) for value in everything])
        check_one_kind(
            **{name: [v for v in values.tolist() if not _missing(v)] for name, values in parts.items()}
        )
        try:
            known = [value_of_member(value, "y") for value in everything[~none].tolist()]
            classes, codes = np.unique(known, return_inverse=True)
        except TypeError as error:
            raise InputError(f"y and gold must hold labels of one type: {error}.") from error
        if len(classes) < 2:
            raise InputError(
                f"all labels in y and gold are of one class, {classes.tolist()}; a classifier needs at least two."
            )
        numbers = np.full(len(everything), -1, dtype=np.int64)
        numbers[~none] = codes
        size, S = labels.size, labels.shape[1]
        given = numbers[:size].reshape(N, S)
        return cls(
            classes,
            np.concatenate([given, np.full((len(more), S), -1)]),
            numbers[size:],
            len(more),
        )

    def padded(self, confidence: Any) -> Array:
        """Stated certainties for all N + M samples."""
        c = np.asarray(confidence, dtype=float)
        return np.concatenate([c, np.zeros((self.added, *c.shape[1:]))])

    def notes(self) -> list[str]:
        """What is to be known before the classifier is used, in sentences."""
        notes = []
        K = len(self.classes)
        seen = np.bincount(self.gold[self.gold >= 0], minlength=K) > 0
        carried = np.bincount(self.given[self.given >= 0], minlength=K) > 0
        if seen.any() and not seen.all():
            notes.append(
                f"no checked sample is of class {self._names(~seen)}: only the labels speak for it. Check samples "
                "that carry this label."
            )
        if not carried.all():
            notes.append(
                f"no label is of class {self._names(~carried)}, which was found among the checked samples: only these "
                "speak for it. Check more, or tell the labeller of it."
            )
        own = self.given[: len(self.given) - self.added]
        checked = np.flatnonzero(self.gold[: len(own)] >= 0)
        if own.shape[1] == 1 and len(checked):
            odd = selected_by_label(
                np.where(own[:, 0] < 0, K, own[:, 0]), checked, K + 1, self.classes.tolist()
            )
            if odd is not None:
                notes.append(
                    odd.split(". Each")[0]
                    + ". The classifier of the checked ones alone has their shares of classes, "
                    "and so has the comparison. Draw them at random, or take noiselayer.measure_labels for numbers."
                )
        return notes

    def _names(self, which: Array) -> str:
        return list_some([repr(name) for name in self.classes[which].tolist()])


def _check_not_one_hot(labels: Array) -> None:
    """Raise on a column per class: columns are labellers here, and these would say 0 and 1 of every sample."""
    if labels.ndim != 2 or not len(labels) or labels.shape[1] < 2:
        return
    try:
        numbers = labels.astype(float)
    except (TypeError, ValueError):
        return  # names, or gaps
    if (numbers >= 0).all() and (abs(numbers.sum(axis=1) - 1) < 1e-3).all():
        raise InputError(
            f"y has a row of {labels.shape[1]} numbers that sum to 1 for every sample, as one-hot labels and "
            "probabilities do; its columns are labellers here. Give the classes: y.argmax(axis=1)."
        )


def _objects(values: Any) -> Array:
    """As an array of objects; whole numbers that are floats because there are gaps among them are whole numbers."""
    if hasattr(values, "to_pylist") and not hasattr(values, "columns"):  # of pyarrow
        values = values.to_pylist()
    array = np.array(values.to_numpy() if hasattr(values, "to_numpy") else values, dtype=object)
    known = np.array([not _missing(value) for value in array.flat], dtype=bool).reshape(array.shape)
    if not known.all() and all(isinstance(value, float) and value.is_integer() for value in array[known]):
        array[known] = array[known].astype(int)
    return array


def _missing(value: Any) -> bool:
    if is_missing(value):
        return True
    return not value.strip() if isinstance(value, str) else (not isinstance(value, bool) and value == -1)

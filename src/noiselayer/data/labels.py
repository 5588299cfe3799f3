"""Labels as people write them -> class indices 0..K-1, and back to names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.errors import InputError, list_some, nearest

__all__ = ["check_class_names", "encode_labels", "rename_labels"]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def encode_labels(
    values: npt.NDArray[Any] | Tensor | Sequence[Any],
    class_names: Sequence[str] | None = None,
    *,
    name: str = "labels",
) -> tuple[Tensor, tuple[str, ...]]:
    """Turn labels into class indices.

    Without ``class_names`` the classes are the different values, sorted (integers by size), and their names
    the values as text. With them, a label is either one of the names, or, where no name looks like an
    integer, the position of its class in ``class_names``.

    Args:
        values: Shape (N,) or (N, 1): integers, text, booleans, or floats without a fraction.
        class_names: The K names, in the order of the indices.
        name: What to call the labels in messages.

    Returns:
        The indices, shape (N,), int64, and the K class names.

    Raises:
        InputError: If the labels are empty, not of one of these types, have fractions or gaps, are out of
            range or not among ``class_names``, or, without ``class_names``, all the same.

    >>> encode_labels(["dog", "cat", "dog"])
    (tensor([1, 0, 1]), ('cat', 'dog'))
    >>> encode_labels([10, 2, 10])
    (tensor([1, 0, 1]), ('2', '10'))
    >>> encode_labels([1, 0, 1], ["cat", "dog"])[0]
    tensor([1, 0, 1])
    >>> encode_labels(["dgo", "cat"], ["cat", "dog"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: labels: 'dgo' (row 0, counting from 0) is not one of the 2 classes cat, dog.
    Did you mean 'dog'?
    """
    distinct, inverse = _distinct(values, name)
    integers = all(_INTEGER.fullmatch(value) for value in distinct)
    if class_names is None:
        names = _derive_names(distinct, integers, inverse, name)
        position = {known: index for index, known in enumerate(names)}
    else:
        names = check_class_names(class_names)
        position = {known: index for index, known in enumerate(names)}
        if integers and not any(_INTEGER.fullmatch(known) for known in names):
            position = {str(index): index for index in range(len(names))}
    for code, value in enumerate(distinct):
        if value not in position:
            row = int(np.argmax(inverse == code))
            raise InputError(_not_a_class(value, row, names, integers, name))
    table = torch.tensor([position[value] for value in distinct], dtype=torch.int64)
    return table[torch.from_numpy(inverse.astype(np.int64))], names


def rename_labels(labels: Tensor, own_names: Sequence[str], class_names: Sequence[str]) -> Tensor:
    """Class indices under one order of names -> indices under another.

    Args:
        labels: Shape (N,), indices into ``own_names``.
        own_names: The names that ``labels`` count in.
        class_names: The names to count in. Names that no label uses may be missing.

    Raises:
        InputError: If a label's class is not among ``class_names``.

    >>> rename_labels(torch.tensor([0, 1, 1]), ["cat", "dog"], ["bird", "dog", "cat"])
    tensor([2, 1, 1])
    """
    position = {known: index for index, known in enumerate(class_names)}
    used = torch.bincount(labels, minlength=len(own_names)) > 0
    missing = [known for index, known in enumerate(own_names) if used[index] and known not in position]
    if missing:
        raise InputError(
            f"labels are of class {list_some(map(repr, missing))}, which is not one of the "
            f"{len(class_names)} classes {list_some(class_names)}.{nearest(missing[0], class_names)}"
        )
    return torch.tensor([position.get(known, -1) for known in own_names], dtype=torch.int64)[labels]


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple of text, if there are two or more and no two alike.

    Raises:
        InputError: Otherwise.

    >>> check_class_names(["cat", "dog"])
    ('cat', 'dog')
    """
    names = tuple(map(str, class_names))
    if len(names) < 2:
        raise InputError(f"class_names must name at least two classes; got {list_some(names) or 'none'}.")
    twice = (
        sorted({known for known in names if names.count(known) > 1}) if len(set(names)) < len(names) else []
    )
    if twice:
        raise InputError(
            f"class_names must differ; {list_some(map(repr, twice))} stands there more than once."
        )
    return names


def _distinct(
    values: npt.NDArray[Any] | Tensor | Sequence[Any], name: str
) -> tuple[list[str], npt.NDArray[Any]]:
    """The different labels as text, and for every row which of them it has."""
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(
            f"{name} must be one label per sample, shape (N,); got shape {array.shape}. "
            "Turn one-hot rows into class indices with .argmax(axis=1)."
        )
    if len(array) == 0:
        raise InputError(f"{name} must hold at least one label; got none.")
    if array.dtype.kind == "f":
        array = _whole(array, name)
    elif array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind not in "biuU":
        raise InputError(f"{name} must be integers or text; got dtype {array.dtype}.")
    distinct, inverse = np.unique(array, return_inverse=True)
    texts = [str(value) for value in distinct.tolist()]
    if "" in texts:
        rows = np.flatnonzero(inverse == texts.index(""))
        raise InputError(_no_label(rows, name))
    return texts, inverse


def _whole(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.int64]:
    finite = np.isfinite(array)
    if not finite.all():
        raise InputError(_no_label(np.flatnonzero(~finite), name))
    fractions = array != np.floor(array)
    if fractions.any():
        row = int(np.argmax(fractions))
        raise InputError(
            f"{name} must be class indices or names; row {row} (counting from 0) is {array[row]}, a "
            "fraction. Round them if they are rounding errors; a measured quantity is no class."
        )
    return array.astype(np.int64)


def _no_label(rows: npt.NDArray[Any], name: str) -> str:
    have = "row has" if len(rows) == 1 else "rows have"
    listed = list_some(rows.tolist())
    return (
        f"{name}: {len(rows):,} {have} no label ({listed}, counting from 0). Remove the rows or label them."
    )


def _derive_names(
    distinct: list[str], integers: bool, inverse: npt.NDArray[Any], name: str
) -> tuple[str, ...]:
    if len(distinct) < 2:
        raise InputError(
            f"{name} are of one class only, {distinct[0]!r}; a classifier needs at least two. Check that "
            "these are the labels you mean."
        )
    if integers and len(distinct) > 2 and "-1" in distinct:
        row = int(np.argmax(inverse == distinct.index("-1")))
        raise InputError(
            f"{name} must lie in 0..K-1; row {row} (counting from 0) is -1, which often means 'no label'. "
            "Remove such rows, or give class_names with '-1' among them if it is a class."
        )
    return tuple(sorted(distinct, key=int) if integers else sorted(distinct))


def _not_a_class(value: str, row: int, names: Sequence[str], integers: bool, name: str) -> str:
    if integers and not any(_INTEGER.fullmatch(known) for known in names):
        return (
            f"{name} must lie in 0..{len(names) - 1} for the {len(names)} classes {list_some(names)}; "
            f"row {row} (counting from 0) is {value}."
        )
    return (
        f"{name}: {value!r} (row {row}, counting from 0) is not one of the {len(names)} classes "
        f"{list_some(names)}.{nearest(value, names)}"
    )

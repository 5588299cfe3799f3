"""Labels of any kind as class numbers: one class per sample, by number or by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_dense
from noiselayer.arrays.tensors import as_tensor
from noiselayer.errors import InputError

MISSING = -1
MULTI_LABEL = "a multi-label tool, such as cleanlab.multilabel_classification"


def class_numbers(
    values: Any, name: str, class_names: Sequence[str] | None = None, *, missing: bool = False
) -> Tensor:
    """Labels as a tensor of integers, in the shape in which they came; their range is not checked.

    Lists, NumPy, pandas (by position), polars, torch.

    Args:
        values: Class numbers, or the classes' names where ``class_names`` says their order.
        name: What to call the argument in the message.
        class_names: The K names in the order of the classes.
        missing: Whether samples may be without a label: -1, None or NaN, all of which become -1.

    Raises:
        TypeError: If labels are neither, or a sample has none or several.
        ValueError: If a name is not among ``class_names``.

    >>> class_numbers(["dog", "cat"], "labels", ["cat", "dog"])
    tensor([1, 0])
    >>> class_numbers([0.0, 1.0, None], "labels", missing=True)
    tensor([ 0,  1, -1])
    >>> class_numbers([[0], [0, 2]], "labels")
    Traceback (most recent call last):
    ...
    TypeError: labels must hold one class per sample; sample 0 has [0]. Several classes per sample are for
    a multi-label tool, such as cleanlab.multilabel_classification.
    """
    check_dense(values, name)
    try:
        found = as_tensor(values, name)
    except TypeError:
        return _from_objects(values, name, class_names, missing)
    if found.is_floating_point() and missing and bool(found.isnan().any()):
        known = found.nan_to_num(MISSING)
        if bool((known == known.round()).all()):  # whole numbers that a table made floats of, as it had gaps
            return known.long()
    if found.numel() and (found.is_floating_point() or found.dtype == torch.bool):
        gaps = found.is_floating_point() and bool(found.isnan().any())
        which = f", NaN at {int(found.flatten().isnan().nonzero()[0])}" if gaps else ""
        raise TypeError(
            f"{name} must be class indices (integers){_or_missing(missing)}; got {found.dtype}{which}."
            + ("" if missing or not gaps else " Leave samples without a label out.")
        )
    return found.long()


def is_missing(value: Any) -> bool:
    """Whether a value stands for no label: None, NaN, pandas' NA or NaT.

    >>> is_missing(None), is_missing(float("nan")), is_missing("")
    (True, True, False)
    """
    if value is None or type(value).__name__ == "NAType":
        return True
    return not hasattr(value, "__len__") and bool(value != value)


def value_of_member(value: Any, name: str) -> Any:
    """The text or number that a member of an enumeration is, which NumPy takes for the member's name, cut short.

    Raises:
        TypeError: If a member is neither.

    >>> from enum import Enum
    >>> Mood = Enum("Mood", {"GOOD": "good", "BAD": "bad"}, type=str)
    >>> value_of_member(Mood.GOOD, "y"), value_of_member("bad", "y")
    ('good', 'bad')
    """
    if not isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(
        f"{name} must hold text or numbers; got {value}, of an enumeration. Use [member.value for member in {name}]."
    )


def check_one_kind(**labels: Iterable[Any]) -> None:
    """Raise if some labels are texts and others are none: NumPy would make texts of all.

    Raises:
        InputError: With one label of each kind, and whose they are.

    >>> check_one_kind(y=[0, 1], gold=["1", "0"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: y and gold must hold labels of one kind; y has 0, which is no text, and gold the text
    '1'. Give all as texts, or all as numbers.
    """
    texts: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, values in labels.items():
        for value in values:
            (texts if isinstance(value, str) else others).setdefault(name, value)
    if texts and others:
        (text_of, text), (other_of, other) = next(iter(texts.items())), next(iter(others.items()))
        names = " and ".join(name for name in labels if name in (text_of, other_of))
        raise InputError(
            f"{names} must hold labels of one kind; {other_of} has {other}, which is no text, and {text_of} the text "
            f"{_short(text)!r}. Give all as texts, or all as numbers."
        )


def _from_objects(values: Any, name: str, class_names: Sequence[str] | None, missing: bool) -> Tensor:
    """Names, numbers with gaps among them, or what is neither."""
    if hasattr(values, "to_pylist"):  # pyarrow, which copies text and gaps only when told to
        values = values.to_pylist()
    elif hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = values if isinstance(values, np.ndarray) else _objects(values, name)
    code = {} if class_names is None else {str(one): k for k, one in enumerate(class_names)}
    numbers = np.empty(array.size, dtype=np.int64)
    for place, value in enumerate(array.flat):
        numbers[place] = _number(value, place, name, code, missing)
    return torch.from_numpy(numbers.reshape(array.shape))


def _number(value: Any, place: int, name: str, code: dict[str, int], missing: bool) -> int:
    if isinstance(value, np.ndarray | list | tuple | set | frozenset):
        raise TypeError(
            f"{name} must hold one class per sample; sample {place} has {_short(value)}. Several classes per "
            f"sample are for {MULTI_LABEL}."
        )
    if is_missing(value):
        if missing:
            return MISSING
        raise TypeError(
            f"{name} must be class indices (integers); sample {place} has {value}. Leave samples without a label out."
        )
    value = value_of_member(value, name)
    if isinstance(value, str | bytes):
        text = value.decode() if isinstance(value, bytes) else str(value)
        if not code:
            raise TypeError(
                f"{name} must be class indices (integers){_or_missing(missing)}, or names with class_names= that "
                f"say the order of the classes; got {text!r} at {place} without class_names."
            )
        if text not in code:
            raise ValueError(f"{name} must be of class_names, {_short(list(code))}; got {text!r} at {place}.")
        return code[text]
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer | float | np.floating):
        raise TypeError(
            f"{name} must be class indices (integers){_or_missing(missing)}; got {type(value).__name__} at {place}."
        )
    if value != int(value):
        raise TypeError(
            f"{name} must be class indices (integers){_or_missing(missing)}; got {value} at {place}."
        )
    return int(value)


def _objects(values: Any, name: str) -> np.ndarray[Any, Any]:
    """Nested lists of one length as an array of objects; of several lengths, one of lists."""
    try:
        return np.asarray(values, dtype=object)
    except ValueError:
        array = np.empty(len(values), dtype=object)
        array[:] = list(values)
        return array


def _or_missing(missing: bool) -> str:
    return " or -1, None or NaN where a label is missing" if missing else ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

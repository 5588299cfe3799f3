"""Labels as people write them -> class indices 0..K-1, and back to names."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.arrays.class_labels import value_of_member
from noiselayer.errors import InputError, UnknownClassError, argument, list_some, nearest, reason

_COMMON = 20  # samples
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?((0|[1-9]\d*)([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?|[-+]?inf", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?")
# What stands for a missing number. Where labels are words, "None" and "NA" may be classes.
_NO_NUMBER = {"", "nan", "-nan", "na", "n/a", "#n/a", "<na>", "null", "none"}


def encode_labels(
    values: npt.NDArray[Any] | Tensor | Sequence[Any],
    class_names: Sequence[str] | None = None,
    *,
    name: str = "labels",
    allow_missing: bool = False,
) -> tuple[Tensor, tuple[str, ...]]:
    """Turn labels into class indices.

    Without ``class_names`` the classes are the different values, sorted (integers by size), and their names
    the values as text. With them, a label is either one of the names, or, where no name looks like an
    integer, the position of its class in ``class_names``. Where all labels are numbers, "1.0" is 1, whether
    it is text or not: a table gives the same classes in every format.

    Args:
        values: Shape (N,) or (N, 1): integers, text, booleans, or floats without a fraction.
        class_names: The K names, in the order of the indices.
        name: What to call the labels in messages.
        allow_missing: Give -1 to rows without a label (NaN, "") instead of refusing them.

    Returns:
        The indices, shape (N,), int64, and the K class names.

    Raises:
        InputError: If the labels are empty, not of one of these types, have fractions or gaps, are dates, out
            of range or not among ``class_names``, or, without ``class_names``, all the same.

    Warns:
        UserWarning: If class names differ in capitals, accents or spaces alone, or one that stands once or twice is
            spelled almost like a common one.

    >>> encode_labels(["dog", "cat", "dog"])
    (tensor([1, 0, 1]), ('cat', 'dog'))
    >>> encode_labels([10, 2, 10])
    (tensor([1, 0, 1]), ('2', '10'))
    >>> encode_labels(["10.0", "", "2"], allow_missing=True)
    (tensor([ 1, -1,  0]), ('2', '10'))
    >>> encode_labels([1, 0, 1], ["cat", "dog"])[0]
    tensor([1, 0, 1])
    >>> encode_labels(["dgo", "cat"], ["cat", "dog"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.UnknownClassError: labels: 'dgo' (row 0, counting from 0) is not one of the 2 classes cat, dog.
    Did you mean 'dog'?
    """
    classes, inverse = _classes(values, class_names, name)
    missing = "" in classes
    if missing and not (allow_missing and (len(classes) > 1 or class_names is not None)):
        rows = np.flatnonzero(np.array([not text for text in classes])[inverse])
        raise InputError(_no_label(rows, name))
    found = list(dict.fromkeys(text for text in classes if text))
    if class_names is None:
        if len(found) < 2:
            raise InputError(
                f"{name} are of one class only, {found[0]!r}; a classifier needs at least two. Check that "
                "these are the labels you mean."
            )
        if len(found) > 2 and "-1" in found and all(map(is_integer, found)):
            row = int(np.argmax(np.array(classes)[inverse] == "-1"))
            raise InputError(
                f"{name} must lie in 0..K-1; row {row} (counting from 0) is -1, which often means 'no label'. "
                f"Remove such rows, or give {argument('class_names')} with '-1' among them if it is a class."
            )
        names = check_class_names(sort_classes(found))
        warn_of_near_duplicates(names)
        _warn_of_slips(names, Counter(np.array(classes)[inverse].tolist()))
    else:
        names = check_class_names(class_names)
    if count_from_zero(found, names):
        position = {str(index): index for index in range(len(names))}
    else:
        position = {known: index for index, known in enumerate(names)}
    position[""] = -1
    wrong = {
        value: int(np.argmax(inverse == code)) for code, value in enumerate(classes) if value not in position
    }
    if wrong:
        raise UnknownClassError(_not_classes(wrong, names, name))
    table = torch.tensor([position[value] for value in classes], dtype=torch.int64)
    return table[torch.from_numpy(inverse.astype(np.int64))], names


def encode_together(
    labels: Mapping[str, npt.NDArray[Any]],
    class_names: Sequence[str] | None = None,
    *,
    num_classes: int | None = None,
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Turn several arrays of labels into indices of the same classes.

    The classes are ``class_names``; or 0..K-1 if ``num_classes`` columns of probabilities have no names and all
    labels are integers; or the different labels, sorted.

    >>> encode_together({"true": np.array(["cat", "dog"]), "given": np.array(["dog", "bird"])})[1]
    ('bird', 'cat', 'dog')
    >>> encode_together({"true": np.array([0, 1])}, num_classes=3)[1]
    ('0', '1', '2')
    """
    if class_names is None:
        found = {text for name, values in labels.items() for text in encode_labels(values, name=name)[1]}
        if num_classes is None:
            class_names = sort_classes(found)
        elif all(map(is_integer, found)):
            class_names = tuple(map(str, range(num_classes)))
        else:
            raise InputError(
                f"the columns of the probabilities have no names, and the labels are text: {len(found)} classes, "
                f"{list_some(sort_classes(found))}; there are {num_classes} columns. Say what the columns mean, in "
                f"their order, with {argument('class_names')}."
            )
    names = check_class_names(class_names)
    return {name: encode_labels(values, names, name=name)[0] for name, values in labels.items()}, names


def encode_columns(
    columns: Mapping[str, npt.NDArray[Any]], class_names: Sequence[str] | None = None
) -> tuple[dict[str, npt.NDArray[np.int64]], tuple[str, ...]]:
    """Turn columns of labels, some of which may be missing, into indices of the same classes; -1 where missing.

    >>> encode_columns({"ann": np.array(["1.0", ""]), "bob": np.array(["1", "2"])})
    ({'ann': array([ 0, -1]), 'bob': array([0, 1])}, ('1', '2'))
    """
    if class_names is None:
        found = {
            text
            for name, values in columns.items()
            for text in _classes(values, None, f"column {name!r}")[0]
            if text
        }
        if not found:
            raise InputError("the table holds no label by any annotator: every cell is empty.")
        if len(found) > 2 and "-1" in found and all(map(is_integer, found)):
            raise InputError(
                "labels must lie in 0..K-1; -1 is among them, which often means 'no label'. Leave such cells empty, "
                f"or give {argument('class_names')} with '-1' among them if it is a class."
            )
        class_names = encode_labels(sorted(found))[1]
    names = check_class_names(class_names)
    encoded = {
        name: encode_labels(values, names, name=f"column {name!r}", allow_missing=True)[0].numpy()
        for name, values in columns.items()
    }
    return encoded, names


def rename_labels(labels: Tensor, own_names: Sequence[str], class_names: Sequence[str]) -> Tensor:
    """Class indices under one order of names -> indices under another; -1 stays.

    Names that no label uses may be missing from ``class_names``.

    >>> rename_labels(torch.tensor([0, 1, 1]), ["cat", "dog"], ["bird", "dog", "cat"])
    tensor([2, 1, 1])
    """
    position = {known: index for index, known in enumerate(class_names)}
    used = torch.bincount(labels + 1, minlength=len(own_names) + 1)[1:] > 0
    missing = [known for index, known in enumerate(own_names) if used[index] and known not in position]
    if missing:
        raise UnknownClassError(
            f"labels are of class {list_some(map(repr, missing))}, which is not one of the "
            f"{len(class_names)} classes {list_some(class_names)}.{nearest(missing[0], class_names)}"
        )
    places = [-1, *(position.get(known, -1) for known in own_names)]
    return torch.tensor(places, dtype=torch.int64)[labels + 1]


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    r"""The names as a tuple of text, if there are two or more, no two alike, that files give back as they are.

    >>> check_class_names(["cat", "dog"])
    ('cat', 'dog')
    """
    names = tuple(map(str, class_names))
    if len(names) < 2:
        raise InputError(
            f"{argument('class_names')} must name at least two classes; got {list_some(names) or 'none'}."
        )
    spoiled = [known for known in names if known != known.strip() or "\r" in known or "\0" in known]
    if spoiled:
        raise InputError(
            "class names must not begin or end with a space or hold a carriage return; got "
            f"{list_some(map(repr, spoiled))}. Rename the class{'es' if len(spoiled) > 1 else ''}."
        )
    twice = (
        sorted({known for known in names if names.count(known) > 1}) if len(set(names)) < len(names) else []
    )
    if twice:
        raise InputError(
            f"{argument('class_names')} must differ; {list_some(map(repr, twice))} stands there more than once."
        )
    return names


def is_integer(text: str) -> bool:
    """Whether a class is called by a whole number.

    >>> is_integer("-7"), is_integer("007")
    (True, False)
    """
    return _INTEGER.fullmatch(text) is not None


def sort_classes(names: Sequence[str] | set[str]) -> tuple[str, ...]:
    """The order of classes that nobody has ordered: whole numbers by size, other names as text.

    >>> sort_classes(["10", "9"]), sort_classes(["b", "10", "9"])
    (('9', '10'), ('10', '9', 'b'))
    """
    return tuple(sorted(names, key=int) if all(map(is_integer, names)) else sorted(names))


def count_from_zero(labels: Sequence[str], class_names: Sequence[str]) -> bool:
    """Whether labels are positions in ``class_names``: they are numbers, and no name is one.

    >>> count_from_zero(["0", "1"], ["cat", "dog"]), count_from_zero(["5", "10"], ["1", "5", "10"])
    (True, False)
    """
    return all(map(is_integer, labels)) and not any(map(is_integer, class_names))


def _classes(
    values: npt.NDArray[Any] | Tensor | Sequence[Any], class_names: Sequence[str] | None, name: str
) -> tuple[list[str], npt.NDArray[Any]]:
    """The different values, each with its class as text ("": none), and for every row which of them it has."""
    if isinstance(values, list | tuple):
        values = [value_of_member(value, name) for value in values]
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
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{name} must be integers or text: {reason(error)}.") from error
    if array.dtype.kind not in "biufU":
        raise InputError(f"{name} must be integers or text; got dtype {array.dtype}.")
    distinct, inverse = np.unique(array, return_inverse=True)
    texts = [str(value) for value in distinct.tolist()]
    if class_names is not None and {text for text in texts if text} <= set(map(str, class_names)):
        return texts, inverse
    words = [text for text in texts if text.casefold() not in _NO_NUMBER]
    if words and all(map(_DATE.fullmatch, words)):
        raise InputError(f"{name} are dates, such as {words[0]}; a date is no class. Name another column.")
    if array.dtype.kind != "f" and not (words and all(map(_NUMBER.fullmatch, words))):
        return texts, inverse
    classes = []
    for code, text in enumerate(texts):
        number = "" if text.casefold() in _NO_NUMBER else _whole_number(text)
        if number is None:
            row = int(np.argmax(inverse == code))
            what = (
                "too large for a class"
                if not abs(float(text.replace(",", "."))) < 2**53
                else "a fraction. Round them if they are rounding errors; a measured quantity is no class"
            )
            raise InputError(
                f"{name} must be class indices or names; row {row} (counting from 0) is {text}, {what}."
            )
        classes.append(number)
    return classes, inverse


def _whole_number(text: str) -> str | None:
    """A number without its fraction of zeros; None if it has another fraction or cannot be kept exactly."""
    if is_integer(text):
        return str(int(text)) if -(2**63) <= int(text) < 2**63 else None
    number = float(text.replace(",", "."))
    return str(int(number)) if abs(number) < 2**53 and number.is_integer() else None


def _no_label(rows: npt.NDArray[Any], name: str) -> str:
    have = "row has" if len(rows) == 1 else "rows have"
    listed = list_some(rows.tolist())
    return (
        f"{name}: {len(rows):,} {have} no label ({listed}, counting from 0). Remove the rows or label them."
    )


def warn_of_near_duplicates(names: Sequence[str]) -> None:
    """Warn of classes that look like one: "cat" and "Cat ", or an accent composed in one and not in the other."""
    alike: dict[str, list[str]] = defaultdict(list)
    for known in names:
        folded = unicodedata.normalize("NFKD", known).casefold()
        alike[" ".join("".join(c for c in folded if not unicodedata.combining(c)).split())].append(known)
    groups = [" and ".join(map(repr, group)) for group in alike.values() if len(group) > 1]
    if groups:
        warnings.warn(
            f"classes that differ in capitals, accents or spaces alone are taken for different ones: "
            f"{list_some(groups)}. If they are one class, write it in one way.",
            stacklevel=3,
        )


def _warn_of_slips(names: Sequence[str], counts: Mapping[str, int]) -> None:
    """Warn of names that stand once or twice, and are all but a letter or two those of many samples."""
    words = [known for known in names if len(known) > 3 and not any(map(str.isdigit, known))]
    common = {known.casefold(): known for known in words if counts[known] >= _COMMON}
    rare = [known for known in words if counts[known] <= 2 and known.casefold() not in common]
    if not common or len(common) * len(rare) > 10_000:  # a comparison takes a tenth of a millisecond
        return
    close = ((known, get_close_matches(known.casefold(), common, 1, 0.8)) for known in rare)
    slips = [f"{known!r} like {common[like[0]]!r}" for known, like in close if like]
    if slips:
        warnings.warn(
            f"classes that stand once or twice are spelled almost like common ones: {list_some(slips)}. If these are "
            "slips of the pen, mend them.",
            stacklevel=3,
        )


def _not_classes(wrong: Mapping[str, int], names: Sequence[str], name: str) -> str:
    """What is wrong with values, each with the first of its rows."""
    (value, row), *more = wrong.items()
    if is_integer(value) and not any(map(is_integer, names)):
        return (
            f"{name} must lie in 0..{len(names) - 1} for the {len(names)} classes {list_some(names)}; "
            f"row {row} (counting from 0) is {value}."
        )
    others = list_some((f"{one!r} (row {at})" for one, at in more), 5)
    return (
        f"{name}: {value!r} (row {row}, counting from 0) is not one of the {len(names)} classes "
        f"{list_some(names)}.{nearest(value, names)}{f' The same holds for {others}.' if others else ''}"
    )

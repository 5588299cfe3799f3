"""-1, "unknown" or "Cat" beside a checked "cat" as a label: a class of its own, no answer, or another spelling?"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import argument, list_some

NOT_CHECKED = ("-1", "?", "-")
"""Signs for no label also in a column of checked ones."""
_WORDS = {
    "n/a",
    "na",
    "none",
    "null",
    "unknown",
    "unsure",
    "not sure",
    "no answer",
    "don't know",
}


def signs_beside(*labels: Iterable[Any]) -> set[str]:
    """The signs for no label; "-" beside a "+" is a class.

    >>> sorted(signs_beside(["yes", "no"])), sorted(signs_beside(["+", "-"], ["+"]))
    (['-', '-1', '?'], ['-1', '?'])
    """
    return {*NOT_CHECKED} - ({"-"} if any(_plain(one) == "+" for each in labels for one in each) else set())


def no_answers(labels: Iterable[Any], checked: Iterable[Any]) -> list[str]:
    """Labels as they are written that stand for no answer: "?", "-", or a word for it that no checked label is.

    >>> no_answers(["yes", "Unknown", "no", "n/a", None], ["yes", "no"])
    ['Unknown', 'n/a']
    >>> no_answers(["yes", "unknown"], ["yes", "unknown"])
    []
    """
    labels, checked = list(labels), list(checked)
    words = (_WORDS - set(map(_plain, checked))) | signs_beside(labels, checked) - {"-1"}
    return sorted({str(label) for label in labels if _plain(label) in words})


def respellings(labels: Iterable[Any], checked: Iterable[Any]) -> dict[str, str]:
    """Labels that no checked one is, but for capitals, and the checked label that each is then.

    >>> respellings(["Refund", "refund", "Other"], ["refund", "question"])
    {'Refund': 'refund'}
    """
    texts = {str(one).strip() for one in checked if _plain(one)}
    spelled = {text.casefold(): text for text in texts}
    others = {str(label) for label in labels if str(label).strip() not in texts}
    return {label: spelled[_plain(label)] for label in sorted(others) if _plain(label) in spelled}


def _plain(label: Any) -> str:
    """In small letters, without spaces around; empty for a cell that says nothing."""
    return "" if label is None or label != label else str(label).strip().casefold()


def as_checked(values: Any, class_names: Sequence[str] | None, checked: Any) -> Any:
    r"""Labels as people who checked some write them: no words for no answer, and no other capitals.

    Warns:
        UserWarning: If labels are taken for none, or for others.

    >>> import pytest
    >>> with pytest.warns(UserWarning, match="'unknown' is taken for no label.*\n*.*"):
    ...     as_checked(np.array(["cat", "unknown", "dog"]), None, np.array(["cat", "", "dog"])).tolist()
    ['cat', '', 'dog']
    """
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return values
    labels, truths = array.ravel().tolist(), np.asarray(checked).ravel().tolist()
    silent = [word for word in no_answers(labels, truths) if word not in (class_names or ())]
    same = respellings(labels, truths) if class_names is None else {}
    if silent:
        are = "is" if len(silent) == 1 else "are"
        warnings.warn(
            f"{list_some(map(repr, silent))} {are} taken for no label, as no checked label says so; name "
            f"all classes with {argument('class_names')} if it is one.",
            stacklevel=4,
        )
    if same:
        said = (f"{label!r} is taken for {truth!r}" for label, truth in same.items())
        warnings.warn(f"{list_some(said)}, as checked labels are written.", stacklevel=4)
    meant = {**same, **dict.fromkeys(silent, "")}
    return renamed(array, meant) if meant else values


def renamed(labels: Any, meant: dict[str, str]) -> npt.NDArray[Any]:
    """Labels as text, some of them others; empty where a cell says nothing.

    >>> renamed(["cat", None, "?"], {"?": ""}).tolist()
    ['cat', '', '']
    """
    return np.array(
        ["" if not _plain(one) else meant.get(str(one), str(one)) for one in np.asarray(labels).ravel()]
    )


def without_answer(values: Any, class_names: Sequence[str] | None, checked: Any) -> Any:
    """Labels, with none where -1 stands, if that says that a language model or a rule had no answer.

    It does among names, and among numbers (two at least) where labels were ``checked`` and none was found to be -1; not
    where ``class_names`` has it.

    Warns:
        UserWarning: If it does.

    >>> import pytest
    >>> with pytest.warns(UserWarning, match="-1 is taken for no label"):
    ...     without_answer(np.array(["cat", "-1", "dog"]), None, None).tolist()
    ['cat', '', 'dog']
    >>> without_answer(np.array([-1, 0, 1]), None, None).tolist()
    [-1, 0, 1]
    """
    array = np.asarray(values)
    silent = np.zeros(array.shape, dtype=bool)
    for none in (-1, "-1"):
        if array.dtype.kind == "O" or (array.dtype.kind in "if") == (none == -1):
            silent |= array == none
    if not silent.any() or silent.all() or "-1" in (class_names or ()):
        return values
    others = {str(value).strip() for value in array[~silent].ravel().tolist()} - {"", "nan", "None"}
    numbers = all(other.lstrip("+-").replace(".", "", 1).isdigit() for other in others)
    if numbers and (
        checked is None or len(others) < 2 or "-1" in {str(c).removesuffix(".0") for c in checked}
    ):
        return values
    warnings.warn(
        f"-1 is taken for no label; name it among {argument('class_names')} if it is a class.", stacklevel=4
    )
    result = array.astype(float) if array.dtype.kind in "if" else array.copy()
    result[silent] = np.nan if array.dtype.kind in "if" else ""
    return result

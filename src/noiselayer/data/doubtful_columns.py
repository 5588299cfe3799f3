"""Columns that nobody should learn from: they number the rows, or they hold the labels in another form."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.columns import text_hint
from noiselayer.data.labels import encode_labels, is_integer
from noiselayer.errors import InputError, argument

if TYPE_CHECKING:
    import pandas as pd

_NAMED_SO = re.compile(r"(.*[_\s.-])?(id|uuid|guid|index|idx|row)|.*[a-z]I[dD]", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4}")
_ADVICE = (
    f"Leave it out with {argument('ignore_columns')}, or name the columns to learn from with "
    f"{argument('feature_columns')}"
)
_FEW = 20  # rows: too few to tell from values what a column is
_ENOUGH = 50
_MOST = 0.95  # of a column's values that are names of the classes


def rows_own_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Columns that differ from row to row, or are of time: identifiers, free text and dates, each with the reason.

    >>> import pandas as pd
    >>> list(rows_own_columns(pd.DataFrame({"customer_id": [17, 4, 8], "age": [20, 30, 40]})))
    ['customer_id']
    """
    found = {}
    for name in map(str, frame.columns):
        column = frame[name].dropna()
        try:
            own = int(column.nunique())
        except TypeError:  # lists, which the encoder refuses
            continue
        whole, text = column.dtype.kind in "iu", column.dtype.kind in "OUT"
        counts = whole and own >= _FEW and bool((np.diff(column.to_numpy()) == 1).all())
        if own == len(column) and (counts or (_NAMED_SO.fullmatch(name) and (whole or text))):
            found[name] = f"is an identifier, another one in every row. {_ADVICE}"
        elif text and own and all(_DATE.match(str(value)) for value in column.iloc[:_FEW]):
            found[name] = (
                "holds dates; turn them into numbers or categories (the year, the weekday), or leave it out with "
                f"{argument('ignore_columns')}"
            )
        elif text and len(column) >= _FEW and own > 0.9 * len(column) and not _numbers(column):
            hint = text_hint(name, column.iloc[:_ENOUGH].tolist())
            found[name] = (
                f"holds text that differs from row to row ({own:,} different values). {hint}{_ADVICE}"
            )
    return found


def leaking_columns(
    frame: pd.DataFrame, labels: npt.NDArray[Any], class_names: Sequence[str] | None = None
) -> dict[str, str]:
    """Columns that may give the labels away: others' labels of the same rows, or codes of the classes.

    A column is suspected if its values are the names of classes and agree with the labels more often than by
    chance (where the names are no words of every day, in any case), or if each of its few values goes with one
    label in 99.5 % of the rows.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"human": ["cat", "dog", "owl"] * 7, "size": range(21)})
    >>> list(leaking_columns(frame, np.array(["cat", "dog", "owl"] * 6 + ["dog", "owl", "cat"])))
    ['human']
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are given where the labels are read
            given, names = encode_labels(labels, class_names, allow_missing=True)
    except InputError:  # said where the labels are read
        return {}
    rows = np.flatnonzero(given.numpy() >= 0)
    if len(rows) < _FEW:
        return {}
    codes = given.numpy()[rows]
    usual = float(np.bincount(codes).max() / len(codes))
    found = {}
    for name in map(str, frame.columns):
        column = frame[name].iloc[rows]
        if _are_labels(column, codes, names):
            checked = argument("checked_column", name)
            found[name] = (
                f"holds names of the classes: are these labels too? If they are trusted, say {checked}. {_ADVICE}"
            )
        elif len(rows) >= _ENOUGH and usual < 0.95 and _share_told(column, codes) >= 0.995:
            found[name] = f"tells the label alone: was it made from it? {_ADVICE}"
    return found


def _are_labels(column: pd.Series[Any], codes: npt.NDArray[np.int64], names: Sequence[str]) -> bool:
    K, known = len(names), {name.casefold(): code for code, name in enumerate(names)}
    try:
        values, rows = np.unique(column.dropna().map(str).to_numpy(dtype=str), return_inverse=True)
    except ValueError:  # lists of different lengths
        return False
    label_of = np.array(
        [known.get(text.removesuffix(".0").strip().casefold(), -1) for text in values], dtype=int
    )
    # Slips of the pen are no other classes.
    if len(set(label_of[label_of >= 0])) < 2 or (label_of[rows] >= 0).mean() < _MOST:
        return False
    where = np.flatnonzero(column.notna().to_numpy())[label_of[rows] >= 0]
    one, other = label_of[rows][label_of[rows] >= 0], codes[where]
    by_chance = float(np.bincount(one, minlength=K) @ np.bincount(other, minlength=K)) / len(one) ** 2
    kappa = (float((one == other).mean()) - by_chance) / max(1e-9, 1 - by_chance)
    words = K > 2 and not any(map(is_integer, names))  # yes and no, 0 and 1 stand in many columns
    return words or kappa >= 0.4


def _share_told(column: pd.Series[Any], codes: npt.NDArray[np.int64]) -> float:
    """How many labels this column alone gets right; 0 for columns of many values."""
    import pandas as pd

    try:
        values, distinct = pd.factorize(column)
    except TypeError:
        return 0.0
    if not 2 <= len(distinct) <= len(codes) // 5:
        return 0.0
    counts = np.zeros((len(distinct) + 1, int(codes.max()) + 1), dtype=np.int64)
    np.add.at(counts, (values, codes), 1)
    return float(counts.max(axis=1).sum() / len(codes))


def _numbers(column: pd.Series[Any]) -> bool:
    """Whether most of it are numbers: the encoder says which cells are none."""
    import pandas as pd

    return bool(pd.to_numeric(column, errors="coerce").notna().mean() > 0.5)

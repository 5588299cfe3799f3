"""One feature column at a time: what is learned from its training rows, and how its values become numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError, argument, list_some

if TYPE_CHECKING:
    import pandas as pd

_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class NumericColumn:
    """A column that becomes (x - mean) / scale, and with ``gaps`` a second one that is 1 where x was missing.

    Attributes:
        name: Of the column in the table.
        mean: Over the training rows that have a value.
        scale: Their standard deviation; 1 for a constant column.
        median: Stands in for a missing value.
        gaps: Whether training rows had missing values.
    """

    name: str
    mean: float
    scale: float
    median: float
    gaps: bool


@dataclass(frozen=True)
class CategoricalColumn:
    """A column that becomes one 0/1 column per level, and with ``gaps`` one more for an unknown level.

    Attributes:
        name: Of the column in the table.
        levels: The different values of the training rows, as text, sorted.
        gaps: Whether training rows had missing values: then a level for "unknown" was trained on them.
    """

    name: str
    levels: tuple[str, ...]
    gaps: bool


def fit_numeric(name: str, series: pd.Series[Any], impute_missing: bool) -> NumericColumn:
    """Mean, scale and median of a numeric column.

    >>> import pandas as pd
    >>> fit_numeric("age", pd.Series([20, 40]), impute_missing=False)
    NumericColumn(name='age', mean=30.0, scale=10.0, median=30.0, gaps=False)
    """
    values = to_numbers(name, series)
    gaps = np.isnan(values)
    present = values[~gaps]
    if len(present) == 0:
        raise InputError(
            f"column {name!r} has no value in any row. Leave it out with {argument('ignore_columns')}."
        )
    if gaps.any() and not impute_missing:
        raise InputError(gap_message(name, np.flatnonzero(gaps)))
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(present.mean()), float(present.std())
    if not (math.isfinite(mean) and math.isfinite(scale)):
        raise InputError(f"column {name!r} holds numbers too large to average; scale it down.")
    # Rounding gives a constant column a tiny spread; dividing by it would make signal of the last bit.
    if not scale > 1e-12 * float(np.abs(present).max()):
        scale = 1.0
    return NumericColumn(name, mean, scale, float(np.median(present)), bool(gaps.any()))


def fit_categorical(name: str, series: pd.Series[Any], max_levels: int) -> CategoricalColumn:
    """The levels of a categorical column.

    >>> import pandas as pd
    >>> fit_categorical("town", pd.Series(["Bonn", "Aachen", None]), max_levels=2)
    CategoricalColumn(name='town', levels=('Aachen', 'Bonn'), gaps=True)
    """
    texts, codes = _levels(name, series)
    levels = sorted(set(texts) - {""})
    if not levels:
        raise InputError(
            f"column {name!r} has no value in any row. Leave it out with {argument('ignore_columns')}."
        )
    if len(levels) > max_levels:
        images = all(level.lower().endswith(_IMAGE_ENDINGS) for level in levels)
        mend = (
            f"It looks like paths of images: say {argument('image_column', name)}."
            if images
            else text_hint(name, levels) + f"Leave it out with {argument('ignore_columns')}."
        )
        raise InputError(
            f"column {name!r} has {len(levels):,} different values, more than {max_levels} categories. {mend}"
        )
    return CategoricalColumn(name, tuple(levels), bool((codes < 0).any()))


def text_hint(name: str, values: Sequence[Any]) -> str:
    """What to say of a column that looks like free text; nothing of another one.

    >>> bool(text_hint("note", ["a very good film", "not my kind of film"])), text_hint("town", ["Aachen", "Bonn"])
    (True, '')
    """
    words = sum(len(str(value).split()) for value in values)
    if words < 3 * len(values):
        return ""
    return f"If these are texts to learn from, say {argument('text_column', name)}. "


def check_no_numbers(name: str, series: pd.Series[Any]) -> None:
    """Refuse a column of text that is a column of numbers but for a few cells.

    More than ten different numbers, and fewer other values than numbers: one "n/k" or "12o" must not turn a
    measurement into categories.

    >>> import pandas as pd
    >>> check_no_numbers("age", pd.Series([*range(20, 40), "4o"]))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: column 'age' holds numbers, but '4o' in row 20 (counting from 0). Mend the
    cell or leave it empty; if these are codes, name the column in categorical_columns.
    """
    import pandas as pd

    texts, codes = _levels(name, series)
    other = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").isna().to_numpy()
    spoiled = [code for code, text in enumerate(texts) if other[code] and text]
    if spoiled and int((~other).sum()) > max(10, len(spoiled)):
        row = int(np.argmax(codes == spoiled[0]))
        raise InputError(
            f"column {name!r} holds numbers, but {texts[spoiled[0]]!r} in row {row} (counting from 0). Mend "
            f"the cell or leave it empty; if these are codes, name the column in {argument('categorical_columns')}."
        )


def encode_categories(column: CategoricalColumn, series: pd.Series[Any]) -> npt.NDArray[np.float32]:
    """Zeros and ones, shape (N, L) for L levels, or (N, L + 1) if the column had gaps in training.

    >>> import pandas as pd
    >>> encode_categories(CategoricalColumn("town", ("Aachen", "Bonn"), True), pd.Series(["Bonn", "Cologne"]))
    array([[0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    texts, codes = _levels(column.name, series)
    position = {level: index for index, level in enumerate(column.levels)}
    unknown = len(column.levels)
    # Code -1 (missing) picks the last entry.
    table = np.array([position.get(text, unknown) for text in texts] + [unknown], dtype=np.int64)
    block: npt.NDArray[np.float32] = np.eye(unknown + 1, dtype=np.float32)[table[codes]]
    return block if column.gaps else block[:, :unknown]


def is_numeric(series: pd.Series[Any]) -> bool:
    """Whether a column is of a numeric type; booleans are categories.

    >>> import pandas as pd
    >>> is_numeric(pd.Series([1, 2])), is_numeric(pd.Series([True, False]))
    (True, False)
    """
    from pandas.api import types

    return types.is_numeric_dtype(series) and not types.is_bool_dtype(series)


def to_numbers(name: str, series: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """A column as numbers, shape (N,), NaN where it has no value.

    >>> import pandas as pd
    >>> to_numbers("age", pd.Series(["20", "", "40"]))
    array([20., nan, 40.])
    """
    import pandas as pd

    numbers = pd.to_numeric(series, errors="coerce")
    values = np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    # Only cells that did not turn into numbers are looked at as text: a wide table of numbers has none.
    for row in np.flatnonzero(np.isnan(values) & series.notna().to_numpy()).tolist():
        if str(series.iloc[row]).strip():
            raise InputError(
                f"column {name!r} must hold numbers, as it did in training; row {row} (counting from 0) "
                f"holds {series.iloc[row]!r}."
            )
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        raise InputError(f"column {name!r} must be finite; row {row} (counting from 0) holds {values[row]}.")
    return values


def _levels(name: str, series: pd.Series[Any]) -> tuple[list[str], npt.NDArray[Any]]:
    """The different values as text, and for every row which of them it has (-1: none)."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(series):
        raise InputError(
            f"column {name!r} holds dates; turn them into numbers or categories (the year, the weekday) "
            f"or leave it out with {argument('ignore_columns')}."
        )
    try:
        codes, distinct = pd.factorize(series)
    except TypeError as error:
        raise InputError(
            f"column {name!r} must hold numbers or categories; got {type(series.iloc[0]).__name__}."
        ) from error
    texts = [_level(value) for value in distinct]
    # An empty cell that was read as text is as missing as one that pandas found missing.
    table = np.array([code if text else -1 for code, text in enumerate(texts)] + [-1])
    return texts, table[codes]


def _level(value: object) -> str:
    """A category as text, the same whether the table was read as text, numbers or booleans."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.capitalize() if text.casefold() in ("true", "false") else text


def gap_message(name: str, rows: npt.NDArray[Any]) -> str:
    """What to say about missing numbers in ``rows``.

    >>> gap_message("age", np.array([3]))[:50]
    "column 'age' has no value in 1 row (3, counting fr"
    """
    many = f"{len(rows):,} row{'s' if len(rows) > 1 else ''}"
    return (
        f"column {name!r} has no value in {many} ({list_some(rows.tolist())}, counting from 0). Fill it, "
        f"remove the row, or ask for the median with {argument('impute_missing')}."
    )

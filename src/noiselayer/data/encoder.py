"""Feature columns of a table -> one row of float32 numbers per sample."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.columns import (
    CategoricalColumn,
    NumericColumn,
    check_no_numbers,
    encode_categories,
    fit_categorical,
    fit_numeric,
    gap_message,
    is_numeric,
    to_numbers,
)
from noiselayer.data.frames import require_columns
from noiselayer.errors import InputError, argument

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableEncoder:
    """Turns feature columns into numbers, always in the same way once it has been fitted to training rows.

    Numeric columns are standardised. Every level of a categorical column gets a column of zeros and ones. A
    missing category, and at prediction time one never seen in training, is "unknown": a level of its own if
    training rows had gaps in that column, else zeros throughout (a column for it would have had no training).
    A missing number is an error unless ``impute_missing`` was asked for; then the training median takes its
    place and, if training rows had gaps, an extra column marks it.

    Attributes:
        columns: What was learned about every feature column, in the order of the output.
        impute_missing: Whether missing numbers are filled with the median.

    >>> import pandas as pd
    >>> encoder = TableEncoder.fit(pd.DataFrame({"age": [20, 40], "town": ["Bonn", "Aachen"]}))
    >>> encoder.feature_names
    ('age', 'town = Aachen', 'town = Bonn')
    >>> encoder.transform(pd.DataFrame({"age": [30, 20], "town": ["Aachen", "Cologne"]}))
    array([[ 0.,  1.,  0.],
           [-1.,  0.,  0.]], dtype=float32)
    """

    columns: tuple[NumericColumn | CategoricalColumn, ...]
    impute_missing: bool = False

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        *,
        categorical: Collection[str] = (),
        impute_missing: bool = False,
        max_levels: int = 256,
    ) -> TableEncoder:
        """Learn means, scales, medians and levels from the training rows.

        Args:
            frame: The feature columns alone. Columns of a numeric type are numeric, all others (text,
                categories, booleans) categorical.
            categorical: Columns to take as categorical whatever their type: codes, postcodes.
            impute_missing: Fill missing numbers with the median instead of refusing them.
            max_levels: A categorical column with more levels is refused: it is a name or free text, and
                would be learned by heart.

        Raises:
            InputError: If there are no columns or rows, or a column is of dates or lists, of numbers with a
                few cells of text, has no value at all, an infinite one, a missing one (unless
                ``impute_missing``) or too many levels.

        >>> import pandas as pd
        >>> TableEncoder.fit(pd.DataFrame({"age": [20.0, None]}))
        Traceback (most recent call last):
        ...
        noiselayer.errors.InputError: column 'age' has no value in 1 row (1, counting from 0). Fill it,
        remove the row, or ask for the median with impute_missing.
        """
        if frame.shape[0] == 0 or frame.shape[1] == 0:
            raise InputError(
                f"the table must have at least one row and one feature column; got {frame.shape[0]} rows and "
                f"{frame.shape[1]} columns."
            )
        columns, problems = fit_columns(
            frame, categorical=categorical, impute_missing=impute_missing, max_levels=max_levels
        )
        if problems:
            raise column_error(problems)
        return cls(columns, impute_missing)

    def transform(self, frame: pd.DataFrame) -> npt.NDArray[np.float32]:
        """Encode rows of a table that has at least the columns of the training table, in any order.

        Returns:
            Shape (N, D), float32, D = ``len(self.feature_names)``.

        Raises:
            InputError: If a column is missing, or a numeric one holds text, an infinity, or a gap that may
                not be filled.

        Warns:
            UserWarning: If a numeric column that had no gaps in training has some now.
        """
        frame = frame.rename(columns=str)
        require_columns(frame.columns, [column.name for column in self.columns])
        blocks = [
            self._numbers(column, frame[column.name])
            if isinstance(column, NumericColumn)
            else encode_categories(column, frame[column.name])
            for column in self.columns
        ]
        return np.concatenate(blocks, axis=1)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each of the D output columns stands for."""
        names: list[str] = []
        for column in self.columns:
            if isinstance(column, NumericColumn):
                names += [column.name] + [f"{column.name} is missing"] * column.gaps
            else:
                names += [f"{column.name} = {level}" for level in column.levels]
                names += [f"{column.name} is unknown"] * column.gaps
        return tuple(names)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain types, for JSON.

        >>> TableEncoder((CategoricalColumn("town", ("Aachen", "Bonn"), False),)).to_dict()["columns"]
        [{'kind': 'categorical', 'name': 'town', 'levels': ['Aachen', 'Bonn'], 'gaps': False}]
        """
        columns = []
        for column in self.columns:
            plain = asdict(column)
            if isinstance(column, CategoricalColumn):
                plain["levels"] = list(column.levels)
            columns.append(
                {"kind": "numeric" if isinstance(column, NumericColumn) else "categorical", **plain}
            )
        return {"impute_missing": self.impute_missing, "columns": columns}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> TableEncoder:
        """The encoder that :meth:`to_dict` wrote.

        Raises:
            InputError: If ``state`` is not such a dict.

        >>> encoder = TableEncoder((NumericColumn("age", 30.0, 10.0, 30.0, False),))
        >>> TableEncoder.from_dict(encoder.to_dict()) == encoder
        True
        """
        try:
            columns = tuple(_column_from_dict(dict(plain)) for plain in state["columns"])
            return cls(columns, bool(state["impute_missing"]))
        except (KeyError, TypeError) as error:
            raise InputError(f"this is not the state of a table encoder: {error!r}.") from error

    def _numbers(self, column: NumericColumn, series: pd.Series[Any]) -> npt.NDArray[np.float32]:
        values = to_numbers(column.name, series)
        gaps = np.isnan(values)
        if gaps.any():
            if not self.impute_missing:
                raise InputError(gap_message(column.name, np.flatnonzero(gaps)))
            if not column.gaps:
                warnings.warn(
                    f"column {column.name!r} has no value in {int(gaps.sum()):,} rows, though it had no "
                    "gaps in training; the training median takes their place.",
                    stacklevel=4,
                )
        scaled = (np.where(gaps, column.median, values) - column.mean) / column.scale
        blocks = [scaled, gaps] if column.gaps else [scaled]
        with np.errstate(over="ignore"):  # the caller names the row with an infinity
            return np.stack(blocks, axis=1).astype(np.float32)


def fit_columns(
    frame: pd.DataFrame,
    *,
    categorical: Collection[str] = (),
    impute_missing: bool = False,
    max_levels: int = 256,
) -> tuple[tuple[NumericColumn | CategoricalColumn, ...], dict[str, str]]:
    """What is learned about each column, and what is wrong with those that are no features, by name.

    See :meth:`TableEncoder.fit` for the arguments.

    >>> import pandas as pd
    >>> fit_columns(pd.DataFrame({"age": [20.0, None], "day": pd.to_datetime(["2024-01-01"] * 2)}))[1].keys()
    dict_keys(['age', 'day'])
    """
    frame = frame.rename(columns=str)
    columns: list[NumericColumn | CategoricalColumn] = []
    problems: dict[str, str] = {}
    for name in frame.columns:
        try:
            if name not in categorical and is_numeric(frame[name]):
                columns.append(fit_numeric(name, frame[name], impute_missing))
                continue
            if name not in categorical:
                check_no_numbers(name, frame[name])
            columns.append(fit_categorical(name, frame[name], max_levels))
        except InputError as error:
            problems[name] = str(error.args[0]).removeprefix(f"column {name!r} ").rstrip(".")
    return tuple(columns), problems


def column_error(problems: Mapping[str, str]) -> InputError:
    """One error for all columns that are no features.

    >>> print(column_error({"id": "numbers the rows", "day": "holds dates"}))
    2 columns cannot be features as they are:
      column 'id' numbers the rows.
      column 'day' holds dates.
    To leave all of them out, say ignore_columns='id,day'.
    """
    sentences = [f"column {name!r} {problem}." for name, problem in problems.items()]
    if len(sentences) == 1:
        return InputError(sentences[0])
    head = f"{len(sentences)} columns cannot be features as they are:"
    tail = f"To leave all of them out, say {argument('ignore_columns', ','.join(problems))}."
    lines = [head, *(f"  {line}" for line in sentences), tail]
    return InputError("\n".join(lines))


def _column_from_dict(plain: dict[str, Any]) -> NumericColumn | CategoricalColumn:
    kind = plain.pop("kind")
    if kind == "numeric":
        return NumericColumn(**plain)
    return CategoricalColumn(**{**plain, "levels": tuple(plain["levels"])})

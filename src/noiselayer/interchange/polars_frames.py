"""polars: a data frame as data to train on or to audit, and its labels corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from noiselayer.data import LabeledData
from noiselayer.data.frames import require_columns
from noiselayer.interchange.optional import require
from noiselayer.interchange.pandas_frames import from_pandas, written_as

if TYPE_CHECKING:
    import polars as pl

__all__ = ["from_polars", "relabel_polars"]


def from_polars(frame: pl.DataFrame | pl.LazyFrame, label_column: str, **options: Any) -> LabeledData:
    """The rows of a polars frame with their labels; see :func:`from_pandas` for the options.

    Args:
        frame: A data frame, or a lazy one, which is collected. Rows are named by their numbers.
        label_column: The column with the noisy labels.
        **options: ``feature_columns``, ``categorical_columns``, ``impute_missing``, ``class_names``.

    Raises:
        ImportError: If polars is not installed.
        InputError: If a column is missing or unfit, or the labels are.
    """
    pl = require("polars", "from_polars")
    whole: Any = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    require_columns(whole.columns, [label_column], "the frame")
    return from_pandas(whole.to_pandas(), label_column, **options)


def relabel_polars(
    frame: pl.DataFrame, label_column: str, labels: Sequence[str], *, class_names: Sequence[str] | None = None
) -> pl.DataFrame:
    """A copy of a polars frame with other labels; all other columns and the column's type stay.

    ``relabel_polars(...).write_parquet("corrected.parquet")`` writes them.

    Args:
        frame: That had the labels.
        label_column: The column with the labels.
        labels: Shape (N,), the class of every row by name; see :func:`corrected_labels`.
        class_names: The K names, if numbers stand for them in the frame; they still do in the copy.

    Raises:
        ImportError: If polars is not installed.
        InputError: If the numbers of rows differ, or a name is not one of the classes.
    """
    pl = require("polars", "relabel_polars")
    require_columns(frame.columns, [label_column], "the frame")
    new = written_as(frame[label_column].to_list(), labels, class_names, f"column {label_column!r}")
    return frame.with_columns(pl.Series(label_column, new, dtype=frame.schema[label_column]))

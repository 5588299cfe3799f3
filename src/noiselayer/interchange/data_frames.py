"""Data frames, of pandas, polars or whatever narwhals knows: as data to train on or to audit, and relabelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import narwhals as nw
import numpy as np
import pandas as pd

from noiselayer.data import LabeledData, TableEncoder, TableInputs
from noiselayer.data.frames import require_columns
from noiselayer.data.labels import encode_labels
from noiselayer.errors import InputError, list_some
from noiselayer.storage.review.label_store import label_names, raw_labels

Frame = TypeVar("Frame")


def from_frame(
    frame: Any,
    label_column: str,
    *,
    feature_columns: Sequence[str] | None = None,
    categorical_columns: Sequence[str] = (),
    impute_missing: bool = False,
    class_names: Sequence[str] | None = None,
) -> LabeledData:
    """The rows of a data frame with their labels, for :func:`noiselayer.training.methods.fit_classifier` and the like.

    (:class:`noiselayer.NoisyLabelClassifier` takes frames of numbers as they are.)

    Args:
        frame: Numbers, text and categories; rows are samples, named by pandas' index, else by their numbers. A lazy
            frame is collected.
        label_column: The column with the noisy labels.
        feature_columns: What to learn from; all other columns if None.
        categorical_columns: Columns of codes to take as categories.
        impute_missing: Fill gaps in numbers.
        class_names: The K names, if numbers stand for them.

    Raises:
        InputError: If it is no data frame, a column is missing or unfit, or the labels are.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 40, 60], "town": ["x", "y", "x"], "pet": ["cat", "dog", "dog"]})
    >>> data = from_frame(frame, "pet")
    >>> data.class_names, data.labels.tolist(), tuple(data.inputs.shape)
    (('cat', 'dog'), [0, 1, 1], (3,))
    """
    known = _known(frame.rename(columns=str) if isinstance(frame, pd.DataFrame) else frame)
    features = [name for name in known.columns if name != label_column]
    features = features if feature_columns is None else list(feature_columns)
    require_columns(known.columns, [label_column, *features], "the frame")
    if label_column in features:
        raise InputError(f"column {label_column!r} holds the labels, so it cannot be a feature too.")
    labels, names = encode_labels(_plain(known[label_column]), class_names, name=f"labels ({label_column})")
    table = known.to_pandas()
    encoder = TableEncoder.fit(
        table[features], categorical=categorical_columns, impute_missing=impute_missing
    )
    inputs = TableInputs(table, encoder, ids=[str(name) for name in table.index])
    origin = f"a frame, features {list_some(features, 20)}, labels from column {label_column!r}"
    return LabeledData(inputs, labels, names, origin)


def relabel_frame(
    frame: Frame, label_column: str, labels: Sequence[str], *, class_names: Sequence[str] | None = None
) -> Frame:
    """A copy of a frame with other labels; all other columns, the index and the column's type stay.

    Args:
        frame: That had the labels; not a lazy one.
        label_column: The column with the labels.
        labels: Shape (N,), the class of every row by name; see :func:`corrected_labels`.
        class_names: The K names, if numbers stand for them in the frame; they still do in the copy.

    Raises:
        InputError: If it is no data frame, the numbers of rows differ, or a name is not one of the classes.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 40], "pet": [0, 1]})
    >>> relabel_frame(frame, "pet", ["dog", "dog"], class_names=["cat", "dog"])["pet"].tolist()
    [1, 1]
    """
    known = _known(frame)
    require_columns(known.columns, [label_column], "the frame")
    column = known[label_column]
    new = written_as(_plain(column), labels, class_names, f"column {label_column!r}")
    native = column.to_native()
    if isinstance(native, pd.Series):  # pandas has types that narwhals does not tell apart
        kind: Any = native.dtype
        if isinstance(kind, pd.CategoricalDtype):
            added = [value for value in dict.fromkeys(new) if value not in kind.categories]
            kind = pd.CategoricalDtype([*kind.categories, *added], ordered=kind.ordered)
        native = pd.Series(new, index=native.index, dtype=kind, name=label_column)
        changed = nw.from_native(native, series_only=True)
    else:
        changed = nw.new_series(label_column, new, column.dtype, backend=known.implementation)
    relabelled: Frame = known.with_columns(changed).to_native()
    return relabelled


from_pandas = from_polars = from_frame
relabel_pandas = relabel_polars = relabel_frame


def written_as(
    old: Sequence[Any], labels: Sequence[str], class_names: Sequence[str] | None, origin: str
) -> list[Any]:
    """Classes by name -> the way a column writes them; rows that do not change stay exactly as they are.

    >>> written_as([0, 1], ["dog", "dog"], ["cat", "dog"], "labels")
    [1, 1]
    """
    if len(labels) != len(old):
        raise InputError(f"labels must be one per row: {origin} has {len(old):,} rows, got {len(labels):,}.")
    names, known = label_names(np.asarray(old), class_names, origin)
    raw = raw_labels(old, names, known, list(dict.fromkeys(labels)), origin)
    return [
        value if name == before else raw[name] for value, before, name in zip(old, names, labels, strict=True)
    ]


def _known(frame: Any) -> nw.DataFrame[Any]:
    try:
        known = nw.from_native(frame)
    except TypeError as error:
        raise InputError(
            f"frame must be a data frame of pandas, polars or another library that narwhals knows; got "
            f"{type(frame).__name__}."
        ) from error
    return known.collect() if isinstance(known, nw.LazyFrame) else known


def _plain(column: nw.Series[Any]) -> list[Any]:
    gaps = int(column.is_null().sum())
    if gaps:
        raise InputError(
            f"column {column.name!r} has {gaps:,} rows without a label; leave them out with "
            f"frame.dropna(subset=[{column.name!r}]), or drop_nulls in polars."
        )
    return column.to_list()

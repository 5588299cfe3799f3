"""pandas: a data frame as data to train on or to audit, and its labels corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from noiselayer.data import LabeledData, TableEncoder, TableInputs
from noiselayer.data.frames import require_columns
from noiselayer.data.labels import encode_labels
from noiselayer.errors import InputError, list_some
from noiselayer.storage.review.label_store import label_names, raw_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_pandas", "relabel_pandas", "written_as"]


def from_pandas(
    frame: pd.DataFrame,
    label_column: str,
    *,
    feature_columns: Sequence[str] | None = None,
    categorical_columns: Sequence[str] = (),
    impute_missing: bool = False,
    class_names: Sequence[str] | None = None,
) -> LabeledData:
    """The rows of a data frame with their labels, for :func:`noiselayer.training.fit_classifier` and the like.

    (:class:`noiselayer.NoisyLabelClassifier` takes frames of numbers as they are.)

    Args:
        frame: Numbers, text and categories; rows are samples, named by the frame's index.
        label_column: The column with the noisy labels.
        feature_columns: What to learn from; all other columns if None.
        categorical_columns: Columns of codes to take as categories.
        impute_missing: Fill gaps in numbers.
        class_names: The K names, if numbers stand for them.

    Raises:
        InputError: If a column is missing or unfit, or the labels are.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 40, 60], "town": ["x", "y", "x"], "pet": ["cat", "dog", "dog"]})
    >>> data = from_pandas(frame, "pet")
    >>> data.class_names, data.labels.tolist(), tuple(data.inputs.shape)
    (('cat', 'dog'), [0, 1, 1], (3,))
    """
    frame = frame.rename(columns=str)
    features = [name for name in frame.columns if name != label_column]
    features = features if feature_columns is None else list(feature_columns)
    require_columns(frame.columns, [label_column, *features], "the frame")
    if label_column in features:
        raise InputError(f"column {label_column!r} holds the labels, so it cannot be a feature too.")
    labels, names = encode_labels(_plain(frame[label_column]), class_names, name=f"labels ({label_column})")
    encoder = TableEncoder.fit(
        frame[features], categorical=categorical_columns, impute_missing=impute_missing
    )
    inputs = TableInputs(frame, encoder, ids=[str(name) for name in frame.index])
    origin = f"a frame, features {list_some(features, 20)}, labels from column {label_column!r}"
    return LabeledData(inputs, labels, names, origin)


def relabel_pandas(
    frame: pd.DataFrame, label_column: str, labels: Sequence[str], *, class_names: Sequence[str] | None = None
) -> pd.DataFrame:
    """A copy of a frame with other labels; all other columns, the index and the column's type stay.

    ``relabel_pandas(...).to_parquet("corrected.parquet")`` writes them.

    Args:
        frame: That had the labels.
        label_column: The column with the labels.
        labels: Shape (N,), the class of every row by name; see :func:`corrected_labels`.
        class_names: The K names, if numbers stand for them in the frame; they still do in the copy.

    Raises:
        InputError: If the numbers of rows differ, or a name is not one of the classes.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 40], "pet": [0, 1]})
    >>> relabel_pandas(frame, "pet", ["dog", "dog"], class_names=["cat", "dog"])["pet"].tolist()
    [1, 1]
    """
    import pandas as pd

    require_columns(frame.columns, [label_column], "the frame")
    old = frame[label_column]
    new = written_as(_plain(old), labels, class_names, f"column {label_column!r}")
    if isinstance(old.dtype, pd.CategoricalDtype):
        known = old.dtype.categories.tolist()
        added = [value for value in dict.fromkeys(new) if value not in known]
        kind: Any = pd.CategoricalDtype([*known, *added], ordered=old.dtype.ordered)
    else:
        kind = old.dtype
    changed: pd.DataFrame = frame.assign(**{label_column: pd.Series(new, index=frame.index, dtype=kind)})
    return changed


def written_as(
    old: Sequence[Any], labels: Sequence[str], class_names: Sequence[str] | None, origin: str
) -> list[Any]:
    """Classes by name -> the way a column writes them; rows that do not change stay exactly as they are.

    >>> written_as([0, 1], ["dog", "dog"], ["cat", "dog"], "labels")
    [1, 1]
    """
    import numpy as np

    if len(labels) != len(old):
        raise InputError(f"labels must be one per row: {origin} has {len(old):,} rows, got {len(labels):,}.")
    names, known = label_names(np.asarray(old), class_names, origin)
    raw = raw_labels(old, names, known, list(dict.fromkeys(labels)), origin)
    return [
        value if name == before else raw[name] for value, before, name in zip(old, names, labels, strict=True)
    ]


def _plain(column: pd.Series[Any]) -> list[Any]:
    gaps = int(column.isna().sum())
    if gaps:
        raise InputError(
            f"column {column.name!r} has {gaps:,} rows without a label; leave them out with "
            f"frame.dropna(subset=[{column.name!r}])."
        )
    values: list[Any] = column.tolist()
    return values

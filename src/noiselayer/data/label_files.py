"""Labels in a file of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.frames import TABLE_SUFFIXES, read_columns, read_frame, require_columns
from noiselayer.data.numpy_files import describe_npz, npz_keys, read_npy, read_npz, split_address
from noiselayer.errors import InputError, argument, list_some

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LABEL_NAMES",
    "is_label_file",
    "label_column_of",
    "labels_of_column",
    "read_annotator_column",
    "read_label_file",
]

LABEL_NAMES = ("y", "Y", "label", "labels", "target", "targets", "class", "y_train", "Y_train")


def is_label_file(address: str) -> bool:
    """Whether ``address`` names a file that labels can be read from, by its ending.

    >>> is_label_file("labels.csv"), is_label_file("data.npz:y"), is_label_file("cifar10n_worse")
    (True, True, False)
    """
    return split_address(address)[0].suffix.lower() in (".npy", ".npz", *TABLE_SUFFIXES)


def read_label_file(address: str, label_column: str | None = None) -> npt.NDArray[Any]:
    r"""Read labels as they are written, to be given to :func:`~noiselayer.data.labels.encode_labels`.

    Args:
        address: ``FILE.npy``, ``FILE.npz:KEY``, ``FILE.npz`` of a single array, or a CSV, TSV or Parquet
            table.
        label_column: The column of a table; needed if it has more than one and none has a usual name.

    Returns:
        Shape (N,), or whatever shape the file has.

    Raises:
        InputError: If the file, key or column is missing, or it is not clear which is meant.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = path.write_text("label\ncat\nNone\n")
    >>> read_label_file(str(path)).tolist()
    ['cat', 'None']
    """
    path, key = split_address(address)
    if not is_label_file(address):
        raise InputError(f"labels must be a file .npy, .npz:KEY, .csv, .tsv or .parquet; got {address}.")
    if not path.is_file():
        raise InputError(f"there is no file of labels {path}.")
    suffix = path.suffix.lower()
    if label_column is not None and suffix not in TABLE_SUFFIXES:
        raise InputError(f"{argument('label_column')} is for tables, and the labels are in {path}.")
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".npz":
        return read_npz(path, key or _single_key(path))
    columns = read_columns(path)
    column = label_column if label_column is not None else label_column_of(columns, path)
    require_columns(columns, [column], str(path))
    return labels_of_column(read_frame(path, text_columns=[column]), column)


def read_annotator_column(address: str, annotator_column: str) -> npt.NDArray[Any]:
    r"""Read who gave each label from the table that holds the labels, shape (N,).

    Raises:
        InputError: If the labels are in no table, or it has no such column.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = path.write_text("label,who\ncat,ann\ndog,bob\n")
    >>> read_annotator_column(str(path), "who").tolist()
    ['ann', 'bob']
    """
    path, _ = split_address(address)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(
            f"{argument('annotator_column')} is a column of the table that holds the labels, and they are in {path}; "
            "give labels and annotators together in a table."
        )
    require_columns(read_columns(path), [annotator_column], str(path))
    return labels_of_column(read_frame(path, text_columns=[annotator_column]), annotator_column)


def label_column_of(columns: Sequence[str], path: Path) -> str:
    """The one column of a table that must be its labels: the only one, or the only one of a usual name.

    Raises:
        InputError: If that is not clear.

    >>> label_column_of(["file", "label"], Path("a.csv"))
    'label'
    """
    usual = columns if len(columns) == 1 else [column for column in columns if column.lower() in LABEL_NAMES]
    if len(usual) == 1:
        return usual[0]
    raise InputError(
        f"it is not clear which column of {path} holds the labels; name it with "
        f"{argument('label_column')}. Its columns are: {list_some(columns, 20)}."
    )


def labels_of_column(frame: pd.DataFrame, column: str) -> npt.NDArray[Any]:
    """One column as an array of numbers or text, with "" for a gap in text.

    >>> import pandas as pd
    >>> labels_of_column(pd.DataFrame({"label": ["cat", None]}), "label").tolist()
    ['cat', '']
    """
    from pandas.api import types

    series = frame[column]
    if types.is_numeric_dtype(series) and not types.is_bool_dtype(series):
        if series.isna().any():
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(series.to_numpy())
    return np.array(
        ["" if gap else str(value).strip() for value, gap in zip(series, series.isna(), strict=True)]
    )


def _single_key(path: Path) -> str:
    keys = npz_keys(path)
    if len(keys) == 1:
        return keys[0]
    raise InputError(
        f"{path} holds {len(keys)} arrays; say which one are the labels as {path}:KEY. They are: "
        f"{describe_npz(path)}."
    )

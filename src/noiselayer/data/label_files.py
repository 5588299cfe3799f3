"""Where labels are - an array, a column, a file of their own - and what they are: the one reader of them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.frames import TABLE_SUFFIXES, is_table, read_columns, read_frame, require_columns
from noiselayer.data.numpy_files import describe_npz, npz_keys, read_npy, read_npz, split_address, usual_key
from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.given import existing_file

if TYPE_CHECKING:
    import pandas as pd

LABEL_NAMES = ("y", "Y", "label", "labels", "target", "targets", "class", "y_train", "Y_train")


@dataclass(frozen=True)
class LabelPlace:
    """Where the labels of data are.

    Attributes:
        file: The file that holds them.
        name: The array of an .npz file, or the column of a table; None for an .npy file.
        own: Whether the inputs lie in the same file.
    """

    file: Path
    name: str | None
    own: bool = False

    @property
    def words(self) -> str:
        """The place, for messages."""
        if not self.own:
            return str(self.file) if self.name is None or is_table(self.file) else f"{self.file}:{self.name}"
        return f"column {self.name!r}" if is_table(self.file) else f"array {self.name!r}"

    def read(self, name: str | None = None) -> npt.NDArray[Any]:
        """The labels as they are written, or another array or column of the same file."""
        name = self.name if name is None else name
        if name is None:
            return read_npy(self.file)
        if not is_table(self.file):
            return read_npz(self.file, name)
        require_columns(read_columns(self.file), [name], str(self.file))
        return labels_of_column(read_frame(self.file, text_columns=[name]), name)

    def read_beside(self, column: str | None, option: str) -> tuple[npt.NDArray[Any], str] | None:
        """What else is said of each label, shape (N,), and where that stands, in words; None if no column is named."""
        if column is None:
            return None
        if is_table(self.file):
            return self.read(column), f"column {column!r} of {self.file}"
        if self.name is not None:
            return self.read(column), f"array {column!r} of {self.file}"
        raise InputError(
            f"{argument(option)} is a column of the table that holds the labels, and they are in {self.file}; give "
            "both together in a table."
        )


def find_labels(data: Path, labels: str | None = None, label_column: str | None = None) -> LabelPlace:
    r"""Find the labels of data: in an array or column of its file, or in another file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,label\n20,no\n40,yes\n")
    >>> find_labels(path).words, find_labels(path, "age").words
    ("column 'label'", "column 'age'")
    """
    for name, value in (("labels", labels), ("label_column", label_column)):
        if value is not None and not value.strip():
            raise InputError(f"{argument(name)} is empty; name what holds the labels, or leave it out.")
    npz = data.suffix.lower() == ".npz"
    own = npz_keys(data) if npz else read_columns(data) if is_table(data) else []
    if labels is not None and labels not in own and (is_label_file(labels) or not own):
        return label_file(labels, label_column)
    if not own:
        raise InputError(
            f"{data} holds inputs only; name the file of their labels with {argument('labels')} (.npy, .npz:KEY, .csv)."
        )
    if npz:
        key = labels if labels is not None else usual_key(data, own, LABEL_NAMES, "labels", "labels")
        return LabelPlace(data, key, own=True)
    if labels is not None and label_column is not None and labels != label_column:
        raise InputError(
            f"labels ({labels!r}) and {argument('label_column')} ({label_column!r}) name two columns of "
            f"{data}; give one."
        )
    return LabelPlace(data, labels or label_column or _usual_column(own, data), own=True)


def label_file(address: str, label_column: str | None = None) -> LabelPlace:
    r"""Find labels in a file of their own: ``FILE.npy``, ``FILE.npz[:KEY]``, a table or ``TABLE:COLUMN``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = path.write_text("label\ncat\nNone\n")
    >>> label_file(str(path)).read().tolist()
    ['cat', 'None']
    """
    path, key = split_address(address)
    endings = "|".join(map(re.escape, TABLE_SUFFIXES))
    column = re.fullmatch(rf"(.+(?:{endings})):([^/\\]+)", address, flags=re.IGNORECASE)
    if column and label_column is None and not path.is_file():
        path, label_column = Path(column[1]), column[2]
    if not is_label_file(str(path)):
        raise InputError(
            f"labels must be a file .npy, .npz:KEY or a table ({', '.join(TABLE_SUFFIXES)}); got {address!r}."
        )
    existing_file(path, "file of labels")
    if is_table(path):
        columns = read_columns(path)
        name = label_column if label_column is not None else _usual_column(columns, path)
        require_columns(columns, [name], str(path))
        return LabelPlace(path, name)
    if label_column is not None:
        raise InputError(f"{argument('label_column')} is for tables, and the labels are in {path}.")
    if path.suffix.lower() == ".npy":
        return LabelPlace(path, None)
    keys = npz_keys(path)
    if key is None and len(keys) > 1:
        raise InputError(
            f"{path} holds {len(keys)} arrays; say which one are the labels as {path}:KEY. They are: "
            f"{describe_npz(path)}."
        )
    return LabelPlace(path, key or keys[0])


def is_label_file(address: str) -> bool:
    """Whether ``address`` names a file that labels can be read from, by its ending.

    >>> is_label_file("labels.csv"), is_label_file("data.npz:y"), is_label_file("cifar10n_worse")
    (True, True, False)
    """
    path = split_address(address)[0]
    return path.suffix.lower() in (".npy", ".npz") or is_table(path)


def read_labels(address: str) -> npt.NDArray[Any]:
    r"""Read labels as they are written, from any file of labels or ``TABLE:COLUMN``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
    >>> _ = path.write_text("true,given\ncat,dog\n")
    >>> read_labels(f"{path}:given").tolist()
    ['dog']
    """
    return label_file(address).read()


def labels_of_column(frame: pd.DataFrame, column: str) -> npt.NDArray[Any]:
    """One column as an array of numbers or text, with "" for a gap in text.

    >>> import pandas as pd
    >>> labels_of_column(pd.DataFrame({"label": ["cat", None]}), "label").tolist()
    ['cat', '']
    """
    from pandas.api import types

    series = frame[column]
    gaps = series.isna()
    if types.is_datetime64_any_dtype(series):
        raise InputError(f"column {column!r} holds dates, which are no classes; name another column.")
    if types.is_numeric_dtype(series) and not types.is_bool_dtype(series):
        if not gaps.any():
            return np.asarray(series.to_numpy())
        if types.is_float_dtype(series):
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    for row, value in enumerate(series):
        if isinstance(value, (list, tuple, dict, set, np.ndarray)):
            raise InputError(
                f"column {column!r} must hold one label per row; row {row} (counting from 0) is a "
                f"{type(value).__name__}: {str(value)[:60]}."
            )
    return np.array(["" if gap else str(value).strip() for value, gap in zip(series, gaps, strict=True)])


def names_of_column(frame: pd.DataFrame, column: str) -> npt.NDArray[np.str_]:
    """Names in a column, "" for a gap; whole numbers without a fraction, of any type, also where they are text.

    >>> import pandas as pd
    >>> names_of_column(pd.DataFrame({"id": [7.0, None]}), "id").tolist()
    ['7', '']
    >>> names_of_column(pd.DataFrame({"id": ["7.0", "12.0"]}), "id").tolist()  # as floats are written to a CSV file
    ['7', '12']
    """
    values = labels_of_column(frame, column)
    if values.dtype.kind == "f":
        values = np.array(["" if np.isnan(one) else f"{one:.15g}" for one in values.tolist()])
    names = values.astype(str)
    if all(re.fullmatch(r"-?\d+\.0|", name) for name in names.tolist()):
        names = np.array([name.removesuffix(".0") for name in names.tolist()])
    return names


def row_names(frame: pd.DataFrame, column: str | None, *, warn: bool = False) -> tuple[str, ...] | None:
    """The samples' names, a column of their table; None if there is none, or it does not tell the rows apart.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": ["a7", "a9"], "day": [1, 1]})
    >>> row_names(frame, "id"), row_names(frame, "day")
    (('a7', 'a9'), None)
    """
    if not column:
        return None
    names = tuple(names_of_column(frame, column).tolist())
    again = len(names) - len(set(names))
    if again and warn:
        warnings.warn(
            f"column {column!r} says the same of {again:,} rows as of others, so samples go by the number of their "
            "row, counted from 0.",
            stacklevel=3,
        )
    return None if again else names


def names_in(path: Path, column: str | None = "id") -> tuple[str, ...] | None:
    """The names that a column of a table gives its samples, as :func:`row_names` does; None without such a column."""
    if column is None or not is_table(path) or column not in read_columns(path):
        return None
    return row_names(read_frame(path, text_columns=[column]), column)


def _usual_column(columns: Sequence[str], path: Path) -> str:
    """The one column of a table that must be its labels: the only one, or the only one of a usual name."""
    usual = columns if len(columns) == 1 else [column for column in columns if column.lower() in LABEL_NAMES]
    if len(usual) == 1:
        return usual[0]
    raise InputError(
        f"it is not clear which column of {path} holds the labels; name it with {argument('label_column')}. "
        f"Its columns are: {list_some(columns, 20)}."
    )

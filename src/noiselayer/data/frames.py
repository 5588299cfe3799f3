"""Tables in files: CSV, TSV and Parquet -> pandas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiselayer.errors import InputError, list_some, nearest

# pandas takes half a second to import; arrays and folders of images do without it.
if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE_SUFFIXES", "read_columns", "read_frame", "require_columns"]

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")

_GAPS = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "-nan", "null", "NULL", "None"]


def read_columns(path: Path) -> list[str]:
    r"""The names of a table's columns, without reading its rows.

    Columns of a CSV or TSV without a name are left out: most are the row numbers that pandas wrote.

    Raises:
        InputError: If the file cannot be read as a table.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text(",age,label\n0,30,no\n1,40,yes\n")
    >>> read_columns(path)
    ['age', 'label']
    """
    with _readable(path):
        if path.suffix.lower() == ".parquet":
            from pyarrow.parquet import read_schema

            return list(_tidy(read_schema(path).empty_table().to_pandas()).columns)
        return [name for name in _header(path) if not re.fullmatch(r"Unnamed: \d+", name)]


def read_frame(path: Path, *, text_columns: Collection[str] = ()) -> pd.DataFrame:
    r"""Read a table that has a header; its rows are numbered from 0.

    Args:
        path: A .csv or .tsv file in UTF-8, or a .parquet file.
        text_columns: Columns of a CSV or TSV to leave as they are written, where pandas would turn "01" into
            1 and "None" into a gap. Names that the table lacks are ignored.

    Raises:
        InputError: If the file cannot be read as a table or has no rows.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("code,age\n01,30\n02,40\n")
    >>> read_frame(path, text_columns=["code"]).to_dict("list")
    {'code': ['01', '02'], 'age': [30, 40]}
    """
    import pandas as pd

    with _readable(path):
        if path.suffix.lower() == ".parquet":
            frame = _tidy(pd.read_parquet(path))
        else:
            columns = _header(path)
            frame = pd.read_csv(
                path,
                low_memory=False,  # else a long column may get one type per stretch of rows
                keep_default_na=False,
                na_values={name: _GAPS for name in columns if name not in text_columns},
                dtype={name: str for name in columns if name in text_columns},
                **_form(path),
            )[read_columns(path)]
    if len(frame) == 0:
        raise InputError(f"{path} has a header but no rows.")
    return frame


def require_columns(columns: Iterable[str], names: Iterable[str], table: str = "the table") -> None:
    """Raise an error that offers the nearest name if one of ``names`` is not among ``columns``.

    >>> require_columns(["age", "label"], ["lable"], "people.csv")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: people.csv has no column 'lable'. Did you mean 'label'? Its columns are:
    age, label.
    """
    known = list(columns)
    for name in names:
        if name not in known:
            listed = list_some(known, 20)
            raise InputError(
                f"{table} has no column {name!r}.{nearest(name, known)} Its columns are: {listed}."
            )


def _header(path: Path) -> list[str]:
    import pandas as pd

    return list(pd.read_csv(path, nrows=0, **_form(path)).columns)


def _form(path: Path) -> dict[str, Any]:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    # Without index_col=False pandas takes the first of too many cells for a row's name and shifts the others.
    return {"sep": separator, "encoding": "utf-8-sig", "skipinitialspace": True, "index_col": False}


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Names as text, and an index that has a name made the column it once was."""
    frame = frame.reset_index(drop=frame.index.nlevels == 1 and frame.index.name is None)
    frame.columns = frame.columns.map(str)
    return frame


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what pandas and pyarrow raise about a damaged file into an error for the user."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells dropped, and only a warning
            yield
    except InputError:
        raise
    except pd.errors.ParserWarning as error:
        raise InputError(
            f"cannot read {path} as a table: its rows have more cells than its header."
        ) from error
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"cannot read {path} as a table: {reason}") from error

"""Tables in files -> pandas: separated text (packed or not), JSON lines, Excel and Parquet."""

from __future__ import annotations

import csv
import gzip
import json
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from noiselayer.errors import InputError, MissingColumnError, list_some, nearest, reason
from noiselayer.files.given import existing_file

# pandas takes half a second to import; arrays and folders of images do without it.
if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".jsonl", ".xlsx", ".parquet")

_GAPS = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "-nan", "null", "NULL", "None"]
_LOOK = 1 << 16  # characters that the form of a text is told from


def table_suffix(path: str | Path) -> str | None:
    """The ending that says what kind of table a file is; None for other files.

    >>> table_suffix("people.csv.gz"), table_suffix("people.mat")
    ('.csv.gz', None)
    """
    name = Path(path).name.lower()
    return next((suffix for suffix in TABLE_SUFFIXES if name.endswith(suffix)), None)


def is_table(path: str | Path) -> bool:
    """Whether a file is a table, by its ending."""
    return table_suffix(path) is not None


def read_columns(path: Path) -> list[str]:
    r"""The names of a table's columns.

    A first column of separated text without a name is left out: it is the row numbers that pandas wrote.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text(",age,label\n0,30,no\n1,40,yes\n")
    >>> read_columns(path)
    ['age', 'label']
    """
    suffix = table_suffix(path)
    with _readable(path):
        if suffix == ".parquet":
            from pyarrow.parquet import read_schema

            schema = read_schema(path)
            _check_names([str(name) for name in schema.names], path)
            return list(_tidy(schema.empty_table().to_pandas()).columns)
        if suffix in (".jsonl", ".xlsx"):
            return list(_read_whole(path).columns)
        return [name for name in text_form(path).header if name]


def read_frame(path: Path, *, text_columns: Collection[str] = ()) -> pd.DataFrame:
    r"""Read a table that has a header; its rows are numbered from 0.

    ``text_columns`` of separated text are left as they are written: pandas would turn "01" into 1 and "None" into
    a gap. Names that the table lacks are ignored.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("code;age\n01;30\n02;40\n")
    >>> read_frame(path, text_columns=["code"]).to_dict("list")
    {'code': ['01', '02'], 'age': [30, 40]}
    """
    import pandas as pd

    suffix = table_suffix(path)
    with _readable(path):
        if suffix == ".parquet":
            read_columns(path)
            frame = _tidy(pd.read_parquet(path))
        elif suffix in (".jsonl", ".xlsx"):
            frame = _read_whole(path)
        else:
            form = text_form(path)
            frame = pd.read_csv(
                path,
                header=0,
                names=list(form.header),
                sep=form.separator,
                decimal=form.decimal,
                encoding=form.encoding,
                skipinitialspace=True,
                # Else pandas takes the first of too many cells for a row's name and shifts the others.
                index_col=False,
                low_memory=False,  # else a long column may get one type per stretch of rows
                keep_default_na=False,
                na_values={name: _GAPS for name in form.header if name not in text_columns},
                dtype={name: str for name in form.header if name in text_columns},
            )[[name for name in form.header if name]]
    if len(frame) == 0:
        raise InputError(f"{path} has a header but no rows.")
    return frame


def write_frame(frame: pd.DataFrame, path: Path, suffix: str) -> None:
    """Write a table in the format that ``suffix`` stands for, whatever the name of the file."""
    if suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    elif suffix == ".xlsx":
        _require_openpyxl(path)
        frame.to_excel(path, index=False)
    else:
        packing: Any = "gzip" if suffix.endswith(".gz") else None
        separator = "\t" if suffix.startswith(".tsv") else ","
        frame.to_csv(path, index=False, sep=separator, lineterminator="\n", compression=packing)


def require_columns(columns: Iterable[str], names: Iterable[str], table: str = "the table") -> None:
    """Raise an error that offers the nearest name if one of ``names`` is not among ``columns``.

    >>> require_columns(["age", "label"], ["lable"], "people.csv")
    Traceback (most recent call last):
    ...
    noiselayer.errors.MissingColumnError: people.csv has no column 'lable'. Did you mean 'label'? Its columns are:
    age, label.
    """
    known = list(columns)
    for name in names:
        if name not in known:
            listed = list_some(known, 20)
            raise MissingColumnError(
                f"{table} has no column {name!r}.{nearest(name, known)} Its columns are: {listed}.", name
            )


def match_columns(columns: Sequence[str], patterns: Iterable[str], table: str) -> list[str]:
    """The columns that are named, where ``*`` and ``?`` stand for any characters, each once.

    >>> match_columns(["e0", "e1", "age"], ["age", "e*"], "people.csv")
    ['age', 'e0', 'e1']
    """
    from fnmatch import fnmatchcase

    chosen: dict[str, None] = {}
    for pattern in patterns:
        found = [pattern] if pattern in columns else [name for name in columns if fnmatchcase(name, pattern)]
        if not found:
            require_columns(columns, [pattern], table)
        chosen.update(dict.fromkeys(found))
    return list(chosen)


@dataclass(frozen=True)
class TextForm:
    """How separated text is written.

    Attributes:
        encoding: "utf-8-sig" or "utf-16".
        separator: Between cells.
        decimal: The mark in numbers: a comma in some files of semicolons.
        header: The names of the columns; "" for row numbers without one.
    """

    encoding: str
    separator: str
    decimal: str
    header: tuple[str, ...]


def text_form(path: Path) -> TextForm:
    r"""Find out how a table of text is written, from its beginning.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("size;label\n1,5;cat\n", encoding="utf-16")
    >>> text_form(path)
    TextForm(encoding='utf-16', separator=';', decimal=',', header=('size', 'label'))
    """
    encoding = _encoding(path)
    with open_text(path, encoding) as file:
        beginning = file.read(_LOOK)
    usual = "\t" if str(table_suffix(path)).startswith(".tsv") else ","
    lines = beginning.splitlines(keepends=True)
    whole = lines if len(beginning) < _LOOK or len(lines) < 2 else lines[:-1]  # the last one may be cut
    csv.field_size_limit(1 << 24)
    read = {}
    for separator in (usual, *(mark for mark in ",;\t|" if mark != usual)):
        records = csv.reader(iter(whole), delimiter=separator, skipinitialspace=True)
        read[separator] = [record for record, _ in zip((r for r in records if r), range(20), strict=False)]
    if not read[usual]:
        raise InputError(f"cannot read {path} as a table: it is empty.")
    several = [mark for mark, rows in read.items() if len(rows[0]) > 1]
    even = [mark for mark in several if len({len(row) for row in read[mark]}) == 1]
    separator = next(iter([*even, *several, usual]))
    cells = [cell.strip() for record in read[separator][1:] for cell in record]
    comma = separator != "," and any(re.fullmatch(r"-?\d+,\d+", cell) for cell in cells)
    point = any(re.fullmatch(r"-?\d+\.\d+", cell) for cell in cells)
    names = [name.strip() for name in read[separator][0]]
    if re.fullmatch(r"(Unnamed: 0)?", names[0]) and len(names) > 1:
        names[0] = ""
    _check_names(names[not names[0] and len(names) > 1 :], path)
    return TextForm(encoding, separator, "," if comma and not point else ".", tuple(names))


def open_text(
    path: Path, encoding: str, mode: Literal["r", "w"] = "r", packed: bool | None = None
) -> IO[str]:
    """Open a table of text, packed by gzip or not, line ends as they are."""
    if str(table_suffix(path)).endswith(".gz") if packed is None else packed:
        return gzip.open(path, "rt" if mode == "r" else "wt", encoding=encoding, newline="")
    return path.open(mode, encoding=encoding, newline="")


def _encoding(path: Path) -> str:
    packed = str(table_suffix(path)).endswith(".gz")
    with gzip.open(path) if packed else path.open("rb") as file:
        start = file.read(256)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(start) > 3 and (0 in start[1:8:2]) != (0 in start[0:8:2]) and start.count(0) > len(start) // 3:
        raise InputError(f"{path} looks like UTF-16 without a mark at its beginning; save it as UTF-8.")
    return "utf-8-sig"


def _check_names(names: Sequence[str], path: Path) -> None:
    empty = [place for place, name in enumerate(names, start=1) if not name.strip()]
    if empty:
        raise InputError(
            f"the header of {path} has no name for column {list_some(empty)}; name or remove it."
        )
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(
            f"the header of {path} names {list_some(map(repr, twice))} more than once; give every column a name of "
            "its own."
        )


def _read_whole(path: Path) -> pd.DataFrame:
    """A table of JSON lines, or the first sheet of an Excel file."""
    import pandas as pd

    frame: pd.DataFrame
    if table_suffix(path) == ".jsonl":
        frame = pd.DataFrame.from_records(list(_json_rows(path)))
        _check_names([str(name) for name in frame.columns], path)
        return frame
    _require_openpyxl(path)
    raw = pd.read_excel(path, header=None, dtype=object, keep_default_na=False, na_values=[""])
    if not len(raw):
        raise InputError(f"cannot read {path} as a table: its first sheet is empty.")
    names = ["" if name is None or name != name else str(name).strip() for name in raw.iloc[0]]
    _check_names(names, path)
    frame = raw.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index(names)
    tidy: pd.DataFrame = frame.infer_objects()
    return tidy


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with open_text(path, _encoding(path)) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=_once)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"cannot read {path} as a table: line {number} is no JSON object ({error})."
                ) from error
            if not isinstance(row, dict):
                raise InputError(f"cannot read {path} as a table: line {number} must be a JSON object.")
            yield row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands there more than once")
    return found


def _require_openpyxl(path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("openpyxl") is None:
        raise InputError(
            f"{path} is an Excel table, which needs openpyxl: pip install 'noiselayer[excel]', or save it as CSV UTF-8."
        )


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Names as text, and an index that has a name made the column it once was."""
    frame = frame.reset_index(drop=frame.index.nlevels == 1 and frame.index.name is None)
    frame.columns = frame.columns.map(str)
    return frame


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what pandas and pyarrow raise about a damaged file into an error for the user."""
    import pandas as pd

    existing_file(path, "table")
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
    except UnicodeDecodeError as error:
        raise InputError(
            f"cannot read {path} as a table: it is not in UTF-8 (byte 0x{error.object[error.start]:02x}), most likely "
            "in Windows-1252 (cp1252). Save it as UTF-8 ('CSV UTF-8' in a spreadsheet), or convert it: "
            f"iconv -f cp1252 -t utf-8 {path} > NEW{table_suffix(path)}."
        ) from error
    except Exception as error:  # damaged files make the many readers raise almost anything
        raise InputError(f"cannot read {path} as a table: {reason(error)}") from error

"""Labels in a column of a table, and copies with other ones; all other cells stay as they are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noiselayer.data.frames import read_columns, read_frame, require_columns
from noiselayer.data.label_files import label_column_of, labels_of_column
from noiselayer.errors import InputError
from noiselayer.files.records import whole_file
from noiselayer.storage.review.label_store import LabelStore, beside, label_names, raw_labels

__all__ = ["table_labels"]


def table_labels(
    path: Path, column: str | None, class_names: Sequence[str] | None, image_column: str | None = None
) -> LabelStore:
    r"""The labels in a column of a CSV, TSV or Parquet file.

    Args:
        path: The file.
        column: Its name; the only one of a usual name if None.
        class_names: The K names, if numbers stand for them.
        image_column: The column that names the samples; rows are counted if None.

    Raises:
        InputError: If a column is missing, or it holds no labels.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text('age,label\n"20",no\n40,yes\n')
    >>> table_labels(path, None, None).write({1: "no"}, path.with_name("new.csv"))
    >>> path.with_name("new.csv").read_text()
    'age,label\n"20",no\n40,no\n'
    """
    columns = read_columns(path)
    name = column if column is not None else label_column_of(columns, path)
    text = [one for one in (name, image_column) if one is not None]
    require_columns(columns, text, str(path))
    frame = read_frame(path, text_columns=text)
    values = labels_of_column(frame, name)
    origin = f"column {name!r} of {path}"
    names, known = label_names(values, class_names, origin)
    ids = None if image_column is None else [str(one) for one in labels_of_column(frame, image_column)]
    plain = values.tolist()

    def write(changes: Mapping[int, str], out: Path) -> None:
        raw = raw_labels(plain, names, known, list(dict.fromkeys(changes.values())), origin)
        cells = {row: raw[new] for row, new in changes.items()}
        if path.suffix.lower() == ".parquet":
            _write_parquet(path, name, cells, out)
        else:
            _write_text(path, name, cells, plain, out)

    return LabelStore(origin, (path,), names, ids, beside(path), (path.suffix.lower(),), write)


def _write_text(path: Path, column: str, cells: Mapping[int, Any], before: Sequence[Any], out: Path) -> None:
    """Copy line by line; only records whose label changes are written anew."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with (
        path.open(encoding="utf-8", newline="") as file,
        whole_file(out) as part,
        part.open("w", encoding="utf-8", newline="") as new,
    ):
        records = _records(file, delimiter)
        header, lines = next(records)
        names = [name.removeprefix("\ufeff").strip() for name in header]
        if names.count(column) != 1:
            raise InputError(
                f"the header of {path} must name the column {column!r} once; give it that name alone."
            )
        place = names.index(column)
        ending = "\r\n" if lines.endswith("\r\n") else "\n"
        writer = csv.writer(new, delimiter=delimiter, lineterminator=ending)
        new.write(lines)
        row = -1
        for record, lines in records:
            if not record or record == [""]:  # an empty line is no row
                new.write(lines)
                continue
            row += 1
            if row >= len(before) or (place < len(record) and record[place].strip() != str(before[row])):
                raise InputError(
                    f"the rows of {path} cannot be told apart by its lines (row {row}, counting from 0); write the "
                    "table anew with a tool of your choice and try again."
                )
            if row not in cells:
                new.write(lines)
                continue
            record[place] = str(cells[row])
            writer.writerow(record)


def _records(file: Any, delimiter: str) -> Iterator[tuple[list[str], str]]:
    """The records of a CSV file, each with the text it was read from."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in file:
            taken.append(line)
            yield line

    csv.field_size_limit(1 << 24)
    for record in csv.reader(lines(), delimiter=delimiter, skipinitialspace=True):
        yield record, "".join(taken)
        taken.clear()


def _write_parquet(path: Path, column: str, cells: Mapping[int, Any], out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place = [str(name) for name in table.column_names].index(column)
    kind = table.schema.field(place)
    values = table.column(place).to_pylist()
    for row, value in cells.items():
        values[row] = value
    plain = kind.type.value_type if pa.types.is_dictionary(kind.type) else kind.type
    new = pa.array(values, type=plain)
    if pa.types.is_dictionary(kind.type):
        new = new.dictionary_encode().cast(kind.type)
    with whole_file(out) as part:
        pq.write_table(table.set_column(place, kind, new), part)

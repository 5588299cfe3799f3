"""Labels in a column of a table, and copies with other ones; all other cells stay as they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noiselayer.data.frames import (
    open_text,
    read_columns,
    read_frame,
    require_columns,
    table_suffix,
    text_form,
)
from noiselayer.data.label_files import LabelPlace, labels_of_column
from noiselayer.errors import InputError
from noiselayer.files.whole_file import whole_file
from noiselayer.storage.review.label_store import LabelStore, beside, label_names, raw_labels


def table_labels(
    place: LabelPlace, class_names: Sequence[str] | None, image_column: str | None = None
) -> LabelStore:
    """The labels in a column of a table; ``image_column`` names the samples, rows are counted if None."""
    path, name = place.file, str(place.name)
    text = [one for one in (name, image_column) if one is not None]
    require_columns(read_columns(path), text, str(path))
    frame = read_frame(path, text_columns=text)
    origin = f"column {name!r} of {path}"
    names, known = label_names(labels_of_column(frame, name), class_names, origin)
    ids = None if image_column is None else [str(one) for one in labels_of_column(frame, image_column)]
    suffix = str(table_suffix(path))
    copy = {".parquet": _copy_parquet, ".jsonl": _copy_jsonl, ".xlsx": _copy_excel}.get(suffix)
    before: list[Any] = (labels_of_column(frame, name) if copy is None else frame[name]).tolist()

    def write(changes: Mapping[int, str], out: Path, left_out: Collection[int] = ()) -> None:
        if not place.own:
            changes, left_out = {**changes, **dict.fromkeys(left_out, "")}, ()
        raw = raw_labels(before, names, known, list(dict.fromkeys(changes.values())), origin)
        cells = {row: raw[new] for row, new in changes.items()}
        if copy is None:
            _copy_text(path, name, cells, before, out, left_out)
        else:
            copy(path, name, cells, out, left_out)

    return LabelStore(origin, (path,), names, ids, beside(path), (suffix,), write)


def _copy_text(
    path: Path,
    column: str,
    cells: Mapping[int, Any],
    before: Sequence[str],
    out: Path,
    left_out: Collection[int],
) -> None:
    """Copy line by line; only records whose label changes are written anew."""
    form, packed = text_form(path), str(table_suffix(path)).endswith(".gz")
    encoding = form.encoding.removesuffix("-sig")  # so that a mark at the beginning is copied, not made
    with (
        open_text(path, encoding) as file,
        whole_file(out) as part,
        open_text(part, encoding, "w", packed) as new,
    ):
        records = _records(file, form.separator)
        header, lines = next(records)
        place = [name.removeprefix("\ufeff").strip() for name in header].index(column)
        ending = "\r\n" if lines.endswith("\r\n") else "\n"
        writer = csv.writer(new, delimiter=form.separator, lineterminator=ending)
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
            if row in left_out:
                continue
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


def _copy_jsonl(
    path: Path, column: str, cells: Mapping[int, Any], out: Path, left_out: Collection[int]
) -> None:
    """Copy line by line; only objects whose label changes are written anew."""
    with (
        open_text(path, "utf-8") as file,
        whole_file(out) as part,
        part.open("w", encoding="utf-8", newline="") as new,
    ):
        row = -1
        for line in file:
            row += bool(line.strip())
            if line.strip() and row in left_out:
                continue
            if not line.strip() or row not in cells:
                new.write(line)
                continue
            changed = json.loads(line.removeprefix("\ufeff")) | {column: cells[row]}
            new.write(json.dumps(changed, ensure_ascii=False) + "\n")


def _copy_excel(
    path: Path, column: str, cells: Mapping[int, Any], out: Path, left_out: Collection[int]
) -> None:
    from openpyxl import load_workbook

    book = load_workbook(path)
    sheet = book.worksheets[0]
    place = [str(cell.value).strip() for cell in sheet[1]].index(column) + 1
    for row, value in cells.items():
        sheet.cell(row + 2, place).value = value
    for row in sorted(left_out, reverse=True):
        sheet.delete_rows(row + 2)
    with whole_file(out) as part:
        book.save(part)


def _copy_parquet(
    path: Path, column: str, cells: Mapping[int, Any], out: Path, left_out: Collection[int]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place = [str(name) for name in table.column_names].index(column)
    kind = table.schema.field(place)
    values = table.column(place).to_pylist()
    plain = kind.type.value_type if pa.types.is_dictionary(kind.type) else kind.type
    for row, value in cells.items():
        # pandas reads gaps into floats
        values[row] = int(value) if pa.types.is_integer(plain) and value is not None else value
    try:
        new = pa.array(values, type=plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise InputError(
            f"a class does not fit into column {column!r} of {path}, of type {plain}: {error}."
        ) from error
    if pa.types.is_dictionary(kind.type):
        new = new.dictionary_encode().cast(kind.type)
    kept = [row for row in range(len(values)) if row not in left_out]
    with whole_file(out) as part:
        table = table.set_column(place, kind, new)
        pq.write_table(table.take(kept) if left_out else table, part)

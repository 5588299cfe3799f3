"""Something to recognise a sample by: its image, or its row of the table it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from noiselayer.data import Inputs, read_data
from noiselayer.data.frames import is_table, match_columns, read_frame
from noiselayer.data.label_files import names_in
from noiselayer.data.numpy_files import split_address
from noiselayer.errors import InputError
from noiselayer.files.decode import decode_image
from noiselayer.report.content import NO_DATA, Note
from noiselayer.report.thumbnails import PIXEL_ART, file_thumbnail, image_uri, tensor_thumbnail

if TYPE_CHECKING:
    from noiselayer.data.reading import Reading

_COLUMNS = 12
_NUMBERS = 8


@dataclass(frozen=True)
class Look:
    """What a page shows of a sample; see :class:`noiselayer.report.content.Suspect`."""

    image: str | None = None
    pixels: bool = False
    cells: tuple[tuple[str, str], ...] = ()


def look_at(
    reading: Reading, samples: Sequence[int], ids: Sequence[str], *, inputs: Inputs | None = None
) -> tuple[list[Look], list[Note]]:
    """Fetch what can be shown of some samples; nothing else is read.

    A note comes beside the looks if they, or some of the image files, cannot be shown: the data may have moved since
    they were used.

    >>> from noiselayer.data.reading import Reading
    >>> looks, notes = look_at(Reading("nowhere.npz"), [0], ["0"])
    >>> looks, notes[0].name
    ([Look(image=None, pixels=False, cells=())], 'Data not at hand')
    """
    unreadable: list[str] = []
    try:
        looks = _looks(reading, samples, ids, inputs, unreadable)
    except (InputError, OSError) as error:
        return [Look() for _ in samples], [Note(NO_DATA, f"Samples cannot be shown: {error}")]
    if not unreadable:
        return looks, []
    name = NO_DATA if len(unreadable) == len(looks) else "Some samples cannot be shown"
    return looks, [
        Note(name, f"{len(unreadable)} of {len(looks)} cannot be read. The first: {unreadable[0]}")
    ]


def rows_of(reading: Reading, samples: Sequence[int], ids: Sequence[str]) -> list[int]:
    """The rows of samples in their file: by their names, for samples may have been left out.

    Their names are those of a column, or the numbers of the rows themselves.

    >>> from noiselayer.data.reading import Reading
    >>> rows_of(Reading("data.npz"), [3, 4], ["17", "cat/1.png"])
    [17, 4]
    """
    column, path = reading.image_column or reading.id_column, split_address(reading.path)[0]
    named = {name: row for row, name in enumerate(names_in(path, column) or ())}
    pairs = zip(samples, ids, strict=True)
    return [
        named[name] if name in named else int(name) if name.isascii() and name.isdigit() else sample
        for sample, name in pairs
    ]


def _looks(
    reading: Reading, samples: Sequence[int], ids: Sequence[str], inputs: Inputs | None, unreadable: list[str]
) -> list[Look]:
    """Of each sample; what is wrong with image files that cannot be read is added to ``unreadable``."""
    path = split_address(reading.path)[0]
    table = is_table(path)
    if path.is_dir():
        return [_of_file(path / name, reading.image_size, unreadable) for name in ids]
    if table and reading.image_column is not None:
        looks = [_of_file(path.parent / name, reading.image_size, unreadable) for name in ids]
        if not reading.show_columns:
            return looks
        rows = _of_rows(reading, path, rows_of(reading, samples, ids))
        return [replace(look, cells=row.cells) for look, row in zip(looks, rows, strict=True)]
    if table:
        return _of_rows(reading, path, rows_of(reading, samples, ids))
    if inputs is None or inputs.kind == "embedded":
        inputs = read_data(
            reading.path, inputs_key=reading.inputs_key, layout=reading.layout, with_labels=False
        ).inputs
        samples = rows_of(reading, samples, ids)
    return [_of_array(inputs, sample) for sample in samples]


def _of_file(path: Path, image_size: tuple[int, int] | None, unreadable: list[str]) -> Look:
    try:
        if image_size is None:
            with Image.open(path) as image:
                width, height = ImageOps.exif_transpose(image).size
            image_size = (height, width)
            if max(image_size) <= PIXEL_ART:
                return Look(image=image_uri(decode_image(path, image_size)), pixels=True)
        return Look(image=file_thumbnail(path, image_size))
    except (InputError, OSError) as error:
        unreadable.append(str(error))
        return Look()


def _of_array(inputs: Inputs, sample: int) -> Look:
    if inputs.kind == "image":
        return Look(image=tensor_thumbnail(inputs[sample]), pixels=max(inputs.shape[1:]) <= PIXEL_ART)
    numbers = inputs[sample].tolist()
    cells = [(str(place), f"{number:.4g}") for place, number in enumerate(numbers[:_NUMBERS])]
    if len(numbers) > _NUMBERS:
        cells.append(("…", f"{len(numbers) - _NUMBERS:,} more"))
    return Look(cells=tuple(cells))


def _of_rows(reading: Reading, path: Path, rows: Sequence[int]) -> list[Look]:
    hidden = {reading.labels, reading.label_column, reading.checked_column}
    frame = read_frame(path)
    if reading.show_columns:
        names = match_columns([str(name) for name in frame.columns], reading.show_columns, str(path))
    else:
        shown = (reading.text_column,) if reading.text_column else reading.feature_columns
        names = list(shown or [name for name in frame.columns if name not in hidden])
    if reading.text_column and reading.text_column not in names:  # who cannot read it cannot judge its label
        names = [reading.text_column, *names]
    if reading.id_column is not None:
        names = [reading.id_column, *(name for name in names if name != reading.id_column)]
    chosen = frame[list(names)[:_COLUMNS]].iloc[list(rows)]
    return [
        Look(cells=tuple((str(name), _cell(value)) for name, value in zip(chosen.columns, row, strict=True)))
        for row in chosen.itertuples(index=False, name=None)
    ]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else str(value).removesuffix(" 00:00:00")  # a date

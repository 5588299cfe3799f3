"""Labels without their samples: enough for an audit whose probabilities are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from noiselayer.data.frames import is_table, match_columns, read_columns, read_frame, require_columns
from noiselayer.data.inputs import NoInputs
from noiselayer.data.label_files import LABEL_NAMES, LabelPlace, find_labels, row_names
from noiselayer.data.labeled import LabeledData, label_inputs
from noiselayer.data.names import RowNumbers
from noiselayer.data.numpy_files import npz_keys, read_npy, read_npz, split_address
from noiselayer.data.read_arrays import INPUT_NAMES
from noiselayer.data.reading import UNSEEN, Reading
from noiselayer.files.given import existing_file


def read_labels_alone(reading: Reading) -> LabeledData | None:
    r"""The labels of a table, of image files, or of an array that holds nothing else; no feature is looked at.

    None where the samples lie in the same file: arrays of images or vectors.

    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("id,text,label\n7,Good!,yes\n9,Bad!,no\n")
    >>> data = read_labels_alone(Reading(str(path), id_column="id"))
    >>> data.labels, data.inputs.ids
    (tensor([1, 0]), ('7', '9'))
    """
    path, key = split_address(reading.path)
    key = key or reading.inputs_key
    if path.is_dir() or reading.image_column is not None:  # of any size, for no pixel is looked at
        data = replace(reading, image_size=reading.image_size or UNSEEN).read()
        return replace(data, inputs=NoInputs(data.inputs.ids))
    if is_table(path):
        existing_file(path, "table")
        place = find_labels(path, reading.labels, reading.label_column)
    elif path.suffix.lower() in (".npy", ".npz") and (found := _labels_in(reading, key)) is not None:
        existing_file(path, "file of labels")
        place = found
    else:
        return None
    values = place.read()
    ids: Sequence[str] = RowNumbers(len(values))
    if is_table(path):
        match_columns(read_columns(path), reading.ignore_columns, str(path))
        if reading.id_column is not None:
            require_columns(read_columns(path), [reading.id_column], str(path))
            frame = read_frame(path, text_columns=[reading.id_column])
            ids = row_names(frame, reading.id_column, warn=True) or ids
    own_names = None
    if path.suffix.lower() == ".npz" and "class_names" in npz_keys(path):
        own_names = list(map(str, read_npz(path, "class_names").tolist()))
    return label_inputs(
        NoInputs(ids),
        values,
        reading.class_names,
        own_names=own_names,
        annotators=place.read_beside(reading.annotator_column, "annotator_column"),
        checked=place.read_beside(reading.checked_column, "checked_column"),
        origin=reading.path,
        where=place.words,
    )


def _labels_in(reading: Reading, key: str | None) -> LabelPlace | None:
    """The array of labels, if that is what the address names: one value per sample, or none of samples beside it."""
    path = split_address(reading.path)[0]
    existing_file(path, "file of labels")
    if path.suffix.lower() == ".npy":
        alone = reading.labels is None and read_npy(path, memory_map=True).ndim == 1
        return LabelPlace(path, None) if alone else None
    keys = npz_keys(path)
    if key is not None:
        alone = reading.labels is None and read_npz(path, key).ndim == 1
        return LabelPlace(path, key, own=True) if alone else None
    named = [
        name for name in keys if name == reading.labels or (reading.labels is None and name in LABEL_NAMES)
    ]
    if len(named) == 1 and not any(name in INPUT_NAMES for name in keys):
        return LabelPlace(path, named[0], own=True)
    return None

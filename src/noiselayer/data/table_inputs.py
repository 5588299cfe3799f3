"""Inputs that are rows of a table, and labelled data from CSV, TSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.columns import CategoricalColumn
from noiselayer.data.encoder import TableEncoder
from noiselayer.data.frames import read_columns, read_frame, require_columns
from noiselayer.data.images import ImageFileInputs, ImageSize
from noiselayer.data.label_files import (
    is_label_file,
    label_column_of,
    labels_of_column,
    read_annotator_column,
    read_label_file,
)
from noiselayer.data.labeled import LabeledData
from noiselayer.data.labels import encode_labels
from noiselayer.data.read_folder import read_images
from noiselayer.errors import InputError, argument, list_some

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableInputs", "read_table"]


class TableInputs(ArrayInputs):
    """Rows of a table as vectors of float32 numbers.

    Args:
        frame: The table; columns the encoder does not know are ignored.
        encoder: Fitted to the training rows.
        ids: A name per row; row numbers counted from 0 if None.

    Raises:
        InputError: If a column is missing or holds something the encoder cannot take.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 40]})
    >>> TableInputs(frame, TableEncoder.fit(frame))[0]
    tensor([-1.])
    """

    def __init__(
        self, frame: pd.DataFrame, encoder: TableEncoder, *, ids: Sequence[str] | None = None
    ) -> None:
        super().__init__(encoder.transform(frame), ids=ids, name="encoded features")
        self.kind = "table"
        self.encoder = encoder


def read_table(
    path: Path,
    *,
    labels: str | None = None,
    label_column: str | None = None,
    annotator_column: str | None = None,
    image_column: str | None = None,
    feature_columns: Sequence[str] | None = None,
    categorical_columns: Sequence[str] = (),
    impute_missing: bool = False,
    encoder: TableEncoder | None = None,
    class_names: Sequence[str] | None = None,
    image_size: ImageSize | None = None,
    skip_unreadable: bool = False,
    with_labels: bool = True,
) -> LabeledData:
    r"""Read a table of features or image paths; see :func:`~noiselayer.data.read_data` for the arguments.

    Raises:
        InputError: If a column is missing (the nearest name is offered) or unfit, or an image cannot be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,label\n20,no\n40,yes\n")
    >>> read_table(path).summary().split(". ")[-1]
    '2 classes: no 1, yes 1.'
    """
    columns = read_columns(path)
    column, file = _where_labels_are(columns, path, labels, label_column) if with_labels else (None, None)
    own_annotators = annotator_column if with_labels and file is None else None
    features = _features(columns, (column, own_annotators), image_column, feature_columns, encoder)
    named = (image_column, column, own_annotators)
    as_text = [*categorical_columns, *(name for name in named if name is not None)]
    require_columns(columns, [*features, *as_text], str(path))
    if encoder is not None:
        as_text += [known.name for known in encoder.columns if isinstance(known, CategoricalColumn)]
    frame = read_frame(path, text_columns=as_text)

    inputs: ImageFileInputs | TableInputs
    skipped: tuple[str, ...] = ()
    kept = list(range(len(frame)))
    if image_column is not None:
        inputs, kept, skipped = _images(frame, path, image_column, image_size, skip_unreadable)
        origin = f"{path}, images from column {image_column!r}"
    else:
        if encoder is None:
            encoder = TableEncoder.fit(
                frame[features], categorical=categorical_columns, impute_missing=impute_missing
            )
        inputs = TableInputs(frame, encoder)
        origin = f"{path}, features {list_some(features, 20)}"
    if not with_labels:
        return LabeledData(inputs, None, tuple(class_names or ()), origin, skipped)

    where = f"column {column!r}" if file is None else file
    values = labels_of_column(frame, str(column)) if file is None else read_label_file(file, label_column)
    if len(values) != len(frame):
        raise InputError(
            f"there must be one label per sample: {path} has {len(frame):,} rows, {where} has "
            f"{len(values):,} labels."
        )
    indices, names = encode_labels(values[kept], class_names, name=f"labels ({where})")
    data = LabeledData(inputs, indices, names, f"{origin}, labels from {where}", skipped)
    if annotator_column is None:
        return data
    who = (
        labels_of_column(frame, annotator_column)
        if file is None
        else read_annotator_column(file, annotator_column)
    )
    return data.with_annotators(who[kept], f"column {annotator_column!r} of {path if file is None else file}")


def _where_labels_are(
    columns: Sequence[str], path: Path, labels: str | None, label_column: str | None
) -> tuple[str | None, str | None]:
    """The column of this table that holds the labels, or else the file that does."""
    if labels is not None and labels not in columns and is_label_file(labels):
        return None, labels
    if labels is not None and label_column is not None and labels != label_column:
        raise InputError(
            f"labels ({labels!r}) and {argument('label_column')} ({label_column!r}) name two columns of {path}; "
            "give one."
        )
    return labels or label_column or label_column_of(columns, path), None


def _features(
    columns: Sequence[str],
    about_labels: tuple[str | None, str | None],
    image_column: str | None,
    feature_columns: Sequence[str] | None,
    encoder: TableEncoder | None,
) -> list[str]:
    if image_column is not None:
        if feature_columns is not None or encoder is not None:
            raise InputError(
                f"{argument('image_column')} excludes {argument('feature_columns')} and encoder: a sample is an "
                "image or a row."
            )
        return []
    if encoder is not None:
        return [column.name for column in encoder.columns]
    if feature_columns is None:
        return [column for column in columns if column not in about_labels]
    for column, holds in zip(about_labels, ("the labels", "who gave the labels"), strict=True):
        if column is not None and column in feature_columns:
            raise InputError(f"column {column!r} holds {holds}, so it cannot be a feature too.")
    return list(feature_columns)


def _images(
    frame: pd.DataFrame, path: Path, column: str, image_size: ImageSize | None, skip_unreadable: bool
) -> tuple[ImageFileInputs, list[int], tuple[str, ...]]:
    names = [str(name) for name in labels_of_column(frame, column)]
    gaps = [row for row, name in enumerate(names) if not name]
    if gaps:
        raise InputError(
            f"column {column!r} of {path} names no image in {len(gaps):,} rows "
            f"({list_some(gaps)}, counting from 0)."
        )
    # An absolute path stays what it is when joined.
    return read_images([path.parent / name for name in names], names, image_size, skip_unreadable)

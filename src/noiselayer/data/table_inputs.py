"""Inputs that are rows of a table, and labelled data from tables of any format."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.columns import CategoricalColumn
from noiselayer.data.doubtful_columns import leaking_columns, rows_own_columns
from noiselayer.data.embedded_inputs import TextInputs
from noiselayer.data.encoder import TableEncoder, column_error, fit_columns
from noiselayer.data.frames import match_columns, read_columns, read_frame, require_columns
from noiselayer.data.image_files import ImageFileInputs, read_images
from noiselayer.data.inputs import Inputs
from noiselayer.data.label_files import LabelPlace, find_labels, labels_of_column, row_names
from noiselayer.data.labeled import LabeledData, label_inputs
from noiselayer.data.labels import encode_labels
from noiselayer.data.read_options import ReadOptions
from noiselayer.errors import InputError, argument, list_some

if TYPE_CHECKING:
    import pandas as pd


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


_FOR_TRAINING = ("", "train", "training", "val", "valid", "validation", "dev")


def read_table(path: Path, how: ReadOptions, *, encoder: Any = None, with_labels: bool = True) -> LabeledData:
    r"""Read a table of features or image paths; see :class:`ReadOptions`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,label\n20,no\n40,yes\n")
    >>> read_table(path, ReadOptions(str(path))).summary().split(". ")[-1]
    '2 classes: no 1, yes 1.'
    """
    columns = read_columns(path)
    place = find_labels(path, how.labels, how.label_column) if with_labels else LabelPlace(path, None)
    beside = (how.annotator_column, how.checked_column)
    own = (
        (place.name, *beside)
        if place.own
        else tuple(name if name in columns else None for name in (None, *beside))
    )
    id_column = how.id_column
    if with_labels:
        match_columns(columns, how.show_columns, str(path))  # a review shows them; here they must be there
    elif id_column not in columns:
        id_column = None  # samples to predict on may do without names
    ignored = [
        *match_columns(columns, how.ignore_columns, str(path)),
        *(name for name in (id_column, how.split_column) if name),
    ]
    encoder = encoder if isinstance(encoder, TableEncoder) else None  # texts have another one
    _check_roles(how, encoder)
    apart = how.image_column or how.text_column
    features = [] if apart else _features(columns, own, how.feature_columns, ignored, encoder)
    as_text = [
        *how.categorical_columns,
        *(name for name in (apart, id_column, how.split_column, *own) if name),
    ]
    require_columns(columns, [*features, *ignored, *as_text], str(path))
    if encoder is not None:
        as_text += [known.name for known in encoder.columns if isinstance(known, CategoricalColumn)]
    frame = read_frame(path, text_columns=as_text)

    ids = row_names(frame, id_column, warn=True)
    inputs: Inputs
    skipped: tuple[str, ...] = ()
    kept = list(range(len(frame)))
    if how.image_column is not None:
        inputs, kept, skipped = _images(frame, path, how.image_column, how)
        origin = f"{path}, images from column {how.image_column!r}"
    elif how.text_column is not None:
        inputs = TextInputs(_texts(frame, path, how.text_column), ids=ids)
        origin = f"{path}, texts from column {how.text_column!r}"
    elif (embeddings := embeddings_column(frame, features, str(path), alone=with_labels)) is not None:
        inputs = ArrayInputs(embeddings, ids=ids, name=f"embeddings in {path}")
        origin = f"{path}, vectors from a column"
    else:
        if encoder is None:
            known, problems = fit_columns(
                frame[features], categorical=how.categorical_columns, impute_missing=how.impute_missing
            )
            if how.feature_columns is None:
                own_to_rows = rows_own_columns(frame[features])
                problems = own_to_rows | problems | own_to_rows  # in their order, and in their words
                if place.own:
                    given = labels_of_column(frame, str(place.name))
                    problems |= leaking_columns(frame[features], given, how.class_names)
            if problems:
                if place.own:
                    _check_labels(
                        labels_of_column(frame, str(place.name)), how.class_names, place.words, problems
                    )
                raise column_error(problems)
            encoder = TableEncoder(known, how.impute_missing)
        inputs = TableInputs(frame, encoder, ids=ids)
        origin = f"{path}, features {list_some(features, 20)}"
    if not with_labels:
        return LabeledData(inputs, None, tuple(how.class_names or ()), origin, skipped)
    values = labels_of_column(frame, str(place.name)) if place.own else place.read()
    if len(values) == len(frame):
        values = values[kept]
    more: dict[str, Any] = {}
    for option, column in (("annotators", how.annotator_column), ("checked", how.checked_column)):
        option_name = f"{option.removesuffix('s')}_column"
        found = (
            (labels_of_column(frame, column), f"column {column!r} of {path}")
            if place.own and column is not None
            else place.read_beside(column, option_name)
        )
        if found is not None:
            more[option] = (found[0][kept] if len(found[0]) == len(frame) else found[0], found[1])
    if how.split_column is not None:
        more["of_test"] = _of_test(
            labels_of_column(frame, how.split_column), f"column {how.split_column!r} of {path}"
        )[kept]
    return label_inputs(
        inputs, values, how.class_names, **more, origin=origin, where=place.words, skipped=skipped
    )


def _of_test(values: npt.NDArray[Any], where: str) -> npt.NDArray[np.bool_]:
    """Which rows are for the test; all others are for training, whatever is held out of them.

    >>> _of_test(np.array(["train", "Test", "val", ""]), "column 'split'").tolist()
    [False, True, False, False]
    """
    words = np.array([str(value).strip().lower() for value in values])
    unknown = sorted({*words.tolist()} - {"test", *_FOR_TRAINING})
    if unknown or "test" not in words:
        raise InputError(
            f"{where} must say test or train of each row ({', '.join(_FOR_TRAINING[1:])} or nothing count as train), "
            f"and test at least once; it holds {list_some(map(repr, unknown or sorted({*words.tolist()})))}. Leave out "
            f"{argument('split_column')} and give {argument('ignore_columns')} if it is something else."
        )
    chosen: npt.NDArray[np.bool_] = words == "test"
    return chosen


def _check_roles(how: ReadOptions, encoder: TableEncoder | None) -> None:
    """A sample is one thing: an image, a text or a row."""
    if how.image_column is not None and how.text_column is not None:
        raise InputError(
            f"{argument('image_column')} and {argument('text_column')} both say what a sample is; give one of them."
        )
    for option, column, what in (
        ("image_column", how.image_column, "an image"),
        ("text_column", how.text_column, "a text"),
    ):
        if column is not None and (how.feature_columns is not None or encoder is not None):
            raise InputError(
                f"{argument(option)} excludes {argument('feature_columns')} and encoder: a sample is "
                f"{what} or a row."
            )
    if how.embed is not None and how.text_column is None:
        raise InputError(
            f"{argument('embed')} says what makes features of texts; name their column with {argument('text_column')}."
        )


def _texts(frame: pd.DataFrame, path: Path, column: str) -> list[str]:
    """The texts of a column, "" where there is none."""
    series = frame[column]
    empty = series.isna()
    texts: list[str] = series.where(~empty, "").map(str).tolist()
    gaps = [row for row, text in enumerate(texts) if not text.strip()]
    if gaps:
        warnings.warn(
            f"column {column!r} of {path} has no text in {len(gaps):,} row{'s' if len(gaps) > 1 else ''} "
            f"({list_some(gaps)}, counting from 0); an empty text says nothing to a classifier.",
            stacklevel=3,
        )
    return texts


def embeddings_column(
    frame: pd.DataFrame, features: Sequence[str], table: str, *, alone: bool = True
) -> npt.NDArray[np.float32] | None:
    """The one feature column as an array, if it holds a list of numbers in every row; None if no column does.

    If not ``alone``, other columns may stand beside it, labels that nobody asked for.

    >>> import pandas as pd
    >>> embeddings_column(pd.DataFrame({"e": [[1.0, 2.0], [3.0, 4.0]]}), ["e"], "data.parquet")
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    lists = [
        name
        for name in features
        if frame[name].dtype == object and isinstance(frame[name].iloc[0], list | tuple | np.ndarray)
    ]
    if not lists:
        return None
    name = lists[0]
    if len(features if alone else lists) > 1:
        raise InputError(
            f"column {name!r} of {table} holds a list of numbers in each row, and other columns stand beside it: to "
            f"learn from it alone, say {argument('feature_columns', name)}."
        )
    sizes = frame[name].map(lambda value: len(value) if hasattr(value, "__len__") else -1).to_numpy()
    if (sizes != sizes[0]).any():
        row = int(np.argmax(sizes != sizes[0]))
        raise InputError(
            f"column {name!r} of {table} must hold lists of one length; row 0 has {sizes[0]} numbers, row {row} "
            f"(counting from 0) holds {str(frame[name].iloc[row])[:60]}."
        )
    try:
        return np.stack([np.asarray(value, dtype=np.float32) for value in frame[name]])
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name!r} of {table} must hold lists of numbers: {error}.") from error


def _features(
    columns: Sequence[str],
    about_labels: Sequence[str | None],
    feature_columns: Sequence[str] | None,
    ignored: Sequence[str],
    encoder: TableEncoder | None,
) -> list[str]:
    if encoder is not None:
        return [column.name for column in encoder.columns]
    others = [column for column in columns if column not in (*about_labels, *ignored)]
    if feature_columns is None:
        return others
    roles = ("the labels", "who gave the labels", "checked labels")
    for column, holds in zip(about_labels, roles, strict=True):
        if column is not None and column in feature_columns:
            raise InputError(f"column {column!r} holds {holds}, so it cannot be a feature too.")
    return match_columns(others, feature_columns, "the table")


def _check_labels(
    values: npt.NDArray[Any], class_names: Sequence[str] | None, where: str, problems: Mapping[str, str]
) -> None:
    """Say what is wrong with the labels together with what is wrong with the features."""
    try:
        encode_labels(values, class_names, name=f"labels ({where})", allow_missing=True)
    except InputError as error:
        raise InputError(f"{error.args[0]}\n{column_error(problems).args[0]}") from error


def _images(
    frame: pd.DataFrame, path: Path, column: str, how: ReadOptions
) -> tuple[ImageFileInputs, list[int], tuple[str, ...]]:
    names = [str(name) for name in labels_of_column(frame, column)]
    gaps = [row for row, name in enumerate(names) if not name]
    if gaps:
        raise InputError(
            f"column {column!r} of {path} names no image in {len(gaps):,} rows "
            f"({list_some(gaps)}, counting from 0)."
        )
    # An absolute path stays what it is when joined.
    files = [path.parent / name for name in names]
    return read_images(files, names, how.image_size, how.image_fit, how.skip_unreadable)

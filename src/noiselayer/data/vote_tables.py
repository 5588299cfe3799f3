"""Tables of several annotators' labels, a column per annotator or a row per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.data.frames import TABLE_SUFFIXES, is_table, read_columns, read_frame, require_columns
from noiselayer.data.label_files import labels_of_column, names_of_column
from noiselayer.data.labels import encode_columns
from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.given import existing_file

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False)
class VoteTable:
    """M labels of N samples by S annotators, with names.

    Attributes:
        ids: The N samples' names, in the order of the table.
        annotator_names: S names.
        class_names: K names.
        samples: Shape (M,), positions in ``ids``, ascending.
        annotators: Shape (M,), positions in ``annotator_names``.
        labels: Shape (M,), classes.
        true_labels: Shape (N,), -1 where unknown.
    """

    ids: tuple[str, ...]
    annotator_names: tuple[str, ...]
    class_names: tuple[str, ...]
    samples: Tensor
    annotators: Tensor
    labels: Tensor
    true_labels: Tensor


def read_votes(
    path: str | Path,
    *,
    label_columns: Sequence[str] | None = None,
    annotator_column: str | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    true_column: str | None = None,
    class_names: Sequence[str] | None = None,
) -> VoteTable:
    r"""Read who said what of which sample: an empty cell is a label that an annotator has not given.

    From ``label_columns``, one per annotator, with a row per sample; or ``annotator_column`` and ``label_column``
    with a row per label. ``true_column`` holds the true class of samples that have been checked.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "said.csv"
    >>> _ = path.write_text("image,ann,bob\na.png,cat,dog\nb.png,,cat\n")
    >>> votes = read_votes(path, label_columns=["ann", "bob"], id_column="image")
    >>> votes.samples.tolist(), votes.annotators.tolist(), votes.labels.tolist()
    ([0, 0, 1], [0, 1, 1], [0, 1, 0])
    """
    path = Path(path)
    wide = _is_wide(label_columns, annotator_column, label_column, id_column)
    existing_file(path, "table")
    if not is_table(path):
        raise InputError(f"the table must be a file {', '.join(TABLE_SUFFIXES)}; got {path}.")
    vote_columns = list(label_columns) if label_columns else [str(label_column)]
    used = [name for name in (*vote_columns, annotator_column, id_column, true_column) if name is not None]
    if len(set(used)) < len(used):
        twice = sorted({name for name in used if used.count(name) > 1})
        raise InputError(f"column {list_some(map(repr, twice))} is named for more than one purpose.")
    require_columns(read_columns(path), used, str(path))
    frame = read_frame(path, text_columns=used)
    labelled = [*vote_columns, *([] if true_column is None else [true_column])]
    texts = {name: names_of_column(frame, name) for name in used if name not in labelled}
    numbers, names = encode_columns({name: labels_of_column(frame, name) for name in labelled}, class_names)
    truth = None if true_column is None else numbers[true_column]
    if wide:
        ids = [str(row) for row in range(len(frame))] if id_column is None else texts[id_column].tolist()
        _check_ids(ids, str(id_column))
        table = np.stack([numbers[name] for name in vote_columns], axis=1)
        sample, annotator = np.nonzero(table >= 0)
        return _votes(ids, vote_columns, names, sample, annotator, table[sample, annotator], truth)
    return _long(
        texts[str(id_column)], texts[str(annotator_column)], numbers[str(label_column)], truth, names, used
    )


def _is_wide(
    label_columns: Sequence[str] | None,
    annotator_column: str | None,
    label_column: str | None,
    id_column: str | None,
) -> bool:
    if label_columns is not None:
        if annotator_column is not None or label_column is not None:
            raise InputError(
                f"{argument('label_columns')} (a column per annotator) excludes {argument('annotator_column')} and "
                f"{argument('label_column')} (a row per label)."
            )
        if not label_columns:
            raise InputError(
                f"{argument('label_columns')} must name a column per annotator, as in annotator_a,annotator_b."
            )
        return True
    long = {"annotator_column": annotator_column, "label_column": label_column, "id_column": id_column}
    missing = [argument(name) for name, value in long.items() if value is None]
    if len(missing) == len(long) or annotator_column is None:
        raise InputError(
            f"say where the labels are: {argument('label_columns')} for a column per annotator, or "
            f"{argument('id_column')}, {argument('annotator_column')} and {argument('label_column')} for a row per "
            "label."
        )
    if missing:
        raise InputError(
            f"a table with a row per label needs {' and '.join(missing)} beside {argument('annotator_column')}."
        )
    return False


def _check_ids(ids: Sequence[str], column: str) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        if not name:
            raise InputError(f"column {column!r} names no sample in row {row} (counting from 0).")
        if first.setdefault(name, row) != row:
            raise InputError(
                f"column {column!r} names {name!r} twice (rows {first[name]} and {row}, counting from 0). A row "
                f"is a sample here; for a row per label say {argument('annotator_column')} and "
                f"{argument('label_column')}."
            )


def _long(
    of: npt.NDArray[np.str_],
    by: npt.NDArray[np.str_],
    labels: npt.NDArray[np.int64],
    truth: npt.NDArray[np.int64] | None,
    class_names: tuple[str, ...],
    used: Sequence[str],
) -> VoteTable:
    for texts, column, what in ((of, used[2], "sample"), (by, used[1], "annotator")):
        if (texts == "").any():
            row = int(np.argmax(texts == ""))
            raise InputError(f"column {column!r} names no {what} in row {row} (counting from 0).")
    ids, sample = _in_order(of)
    annotators, annotator = _in_order(by)
    known = None
    if truth is not None:
        known = np.full(len(ids), -1)
        for row in np.flatnonzero(truth >= 0).tolist():
            if known[sample[row]] not in (-1, truth[row]):
                raise InputError(
                    f"column {used[3]!r} gives sample {ids[sample[row]]!r} two true classes, "
                    f"{class_names[known[sample[row]]]} and {class_names[truth[row]]}."
                )
            known[sample[row]] = truth[row]
    given = np.flatnonzero(labels >= 0)
    given = given[np.lexsort((annotator[given], sample[given]))]
    sample, annotator = sample[given], annotator[given]
    again = np.flatnonzero((np.diff(sample) == 0) & (np.diff(annotator) == 0))
    if len(again):
        at = again[0]
        raise InputError(
            f"annotator {annotators[annotator[at]]!r} labels sample {ids[sample[at]]!r} twice (rows {given[at]} and "
            f"{given[at + 1]}, counting from 0). Keep one of them, or name them as two annotators."
        )
    return _votes(ids, annotators, class_names, sample, annotator, labels[given], known)


def _in_order(texts: npt.NDArray[np.str_]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The different texts as they first come, and for every row which of them it has."""
    import pandas as pd

    codes, distinct = pd.factorize(texts)
    return [str(text) for text in distinct], np.asarray(codes, dtype=np.int64)


def _votes(
    ids: Sequence[str],
    annotators: Sequence[str],
    class_names: tuple[str, ...],
    sample: npt.NDArray[np.int64],
    annotator: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    truth: npt.NDArray[np.int64] | None,
) -> VoteTable:
    if not len(labels):
        raise InputError("the table holds no label by any annotator: every cell is empty.")
    known = torch.full((len(ids),), -1) if truth is None else torch.from_numpy(truth)
    samples, by, classes = (
        torch.from_numpy(np.ascontiguousarray(part, dtype=np.int64)) for part in (sample, annotator, labels)
    )
    return VoteTable(tuple(ids), tuple(annotators), class_names, samples, by, classes, known.long())

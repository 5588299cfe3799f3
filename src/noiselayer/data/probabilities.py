"""A model's probabilities in files: a row per sample, a column per class."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.audit.column_order import column_order
from noiselayer.data.frames import TABLE_SUFFIXES, is_table, read_columns, read_frame
from noiselayer.data.label_files import LABEL_NAMES, row_names
from noiselayer.data.labels import is_integer
from noiselayer.data.numpy_files import describe_npz, npz_keys, read_npy, read_npz, split_address
from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.given import existing_file

_OF_CLASS = re.compile(r"p\((.+)\)")
# What tables of probabilities hold beside them.
_BESIDE = {"id", "sample", "row", "index", *map(str.lower, LABEL_NAMES)}


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Predictions as a file has them.

    Attributes:
        values: Shape (N, K).
        class_names: What the columns mean; None if the file does not say.
        origin: The file.
        ids: The samples' names, one a row; None if the file does not say.
    """

    values: Tensor
    class_names: tuple[str, ...] | None
    origin: str
    ids: tuple[str, ...] | None = None

    def in_order_of(self, ids: Sequence[str]) -> Probabilities:
        """The rows as ``ids`` name them, where the file names the same samples in another order; else as they are.

        >>> table = Probabilities(torch.eye(2), None, "p.csv", ("b", "a"))
        >>> table.in_order_of(["a", "b"]).values.tolist(), table.in_order_of(["0", "1"]).values.tolist()
        ([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
        """
        if self.ids is None or len(self.ids) != len(ids) or self.ids == tuple(ids):
            return self
        row = {name: place for place, name in enumerate(self.ids)}
        if len(row) < len(ids) or row.keys() != set(ids):
            return self
        return replace(self, values=self.values[[row[name] for name in ids]], ids=tuple(ids))

    def ordered(self, class_names: Sequence[str], *, chosen: bool = False) -> Tensor:
        """The columns in the order of ``class_names``.

        Nameless columns mean these classes where the user has ``chosen`` their order, or they are whole numbers,
        which are taken by size; nobody knows the order of words in a model.
        """
        if self.class_names is None:
            if self.values.shape[1] != len(class_names):
                raise InputError(
                    f"{self.origin} has {self.values.shape[1]} columns, and there are {len(class_names)} classes, "
                    f"{list_some(class_names)}. Say what the columns mean with {argument('class_names')}."
                )
            if not chosen:
                check_nameless(self.origin, class_names)
            return self.values
        other = sorted(set(self.class_names) ^ set(class_names))
        if other:
            raise InputError(
                f"the columns of {self.origin} are of the classes {list_some(self.class_names)}, not of "
                f"{list_some(class_names)}; {list_some(map(repr, other))} stands on one side only."
            )
        return self.values[:, [self.class_names.index(name) for name in class_names]]


def warn_of_order(table: Probabilities, labels: Tensor, class_names: Sequence[str]) -> None:
    """Warn if columns without names agree with labels of the same samples in another order of the classes.

    Numbers from 10 up may stand in the order of text in a model, as 0, 1, 10, 11, 2.

    Args:
        table: N rows.
        labels: Shape (N,), positions in ``class_names``; -1 where there is none.
        class_names: The K classes in the order that the columns are taken to have.
    """
    if table.class_names is not None:
        return
    K, known = len(class_names), labels >= 0
    pairs = labels[known] * K + table.values[known].argmax(dim=1)
    counts = torch.bincount(pairs, minlength=K * K).reshape(K, K)
    order = column_order(counts)
    if order is not None:
        by_column = sorted(range(K), key=lambda label: order[label])
        text = ",".join(class_names[label] for label in by_column)
        warnings.warn(
            f"the columns of {table.origin} seem to be of the classes in another order: predictions agree with far "
            f"more labels with {argument('class_names')} {text}.",
            stacklevel=2,
        )


def check_nameless(origin: str, class_names: Sequence[str]) -> None:
    """Raise if nobody has said what columns without names mean, and it cannot be known: the classes are words.

    >>> check_nameless("p.npy", ["0", "1", "10"])
    """
    if not all(map(is_integer, class_names)):
        raise InputError(
            f"the columns of {origin} have no names. Say which classes they are of, in their order, with "
            f"{argument('class_names')}; sorted as text they would be {','.join(class_names)}."
        )


def read_probabilities(address: str, id_column: str | None = None) -> Probabilities:
    r"""Read a model's probabilities, a row per sample and a column per class.

    From ``FILE.npy``; ``FILE.npz:KEY``, beside which an array ``class_names`` says what the columns mean; or a
    table: its columns ``p(NAME)``, as ``noiselayer predict --probs`` writes them, or else all of its columns. The
    column ``id_column``, or ``id``, of a table names the samples.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "predictions.csv"
    >>> _ = path.write_text("id,label,p(cat),p(dog)\n7,cat,0.75,0.25\n")
    >>> read_probabilities(str(path)).class_names
    ('cat', 'dog')
    """
    path, key = split_address(address)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz") and not is_table(path):
        raise InputError(
            f"probabilities must be a file .npy, .npz:KEY or a table ({', '.join(TABLE_SUFFIXES)}); got {address!r}."
        )
    existing_file(path, "file of probabilities")
    names: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    if suffix == ".npy":
        array = read_npy(path)
    elif suffix == ".npz":
        array, names = _from_npz(path, key)
    else:
        array, names, ids = _from_table(path, id_column)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise InputError(
            f"{address} must hold probabilities of shape (samples, classes); it has shape {array.shape}, type "
            f"{array.dtype}."
        )
    if names is not None and len(names) != array.shape[1]:
        raise InputError(f"{path} names {len(names)} classes, but {address} has {array.shape[1]} columns.")
    return Probabilities(torch.from_numpy(array.astype(np.float64)), names, address, ids)


def named_classes(address: str, id_column: str | None = None) -> tuple[str, ...] | None:
    """The classes that a file of probabilities names for its columns, without reading these; None if it does not."""
    path, _ = split_address(address)
    if is_table(path) and path.is_file():
        return _named([name for name in read_columns(path) if name != id_column])[1]
    if path.suffix.lower() == ".npz" and path.is_file() and "class_names" in npz_keys(path):
        return tuple(map(str, read_npz(path, "class_names").tolist()))
    return None


def _named(columns: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The columns of probabilities, and the classes that these are of."""
    marked = [(name, match[1]) for name in columns if (match := _OF_CLASS.fullmatch(name))]
    pairs = marked or [(name, name) for name in columns if name.lower() not in _BESIDE]
    return [column for column, _ in pairs], tuple(name for _, name in pairs)


def _from_npz(path: Path, key: str | None) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
    keys = npz_keys(path)
    others = [name for name in keys if name != "class_names"]
    if key is None and len(others) != 1:
        raise InputError(
            f"{path} holds {len(others)} arrays; say which one are the probabilities as {path}:KEY. They are: "
            f"{describe_npz(path)}."
        )
    names = tuple(map(str, read_npz(path, "class_names").tolist())) if "class_names" in keys else None
    return read_npz(path, key or others[0]), names


def _from_table(
    path: Path, id_column: str | None
) -> tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]:
    id_column = next((name for name in (id_column, "id") if name in read_columns(path)), None)
    frame = read_frame(path, text_columns=[id_column] if id_column else [])
    of_classes, names = _named([str(name) for name in frame.columns if name != id_column])
    for name in of_classes:
        if frame[name].dtype.kind not in "fiu" or frame[name].isna().any():
            raise InputError(
                f"column {name!r} of {path} must hold numbers, a probability in every row. Name the columns of "
                "probabilities p(CLASS), as noiselayer predict --probs does, or keep no other columns."
            )
    return frame[of_classes].to_numpy(dtype=np.float64), names, row_names(frame, id_column)

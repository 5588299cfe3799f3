"""Files of predictions and of labels -> tensors that count classes in one order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.data.frames import TABLE_SUFFIXES, read_frame
from noiselayer.data.label_files import read_label_file
from noiselayer.data.labels import check_class_names, encode_labels
from noiselayer.data.numpy_files import describe_npz, npz_keys, read_npy, read_npz, split_address
from noiselayer.errors import InputError, argument, list_some

__all__ = ["Probabilities", "encode_together", "read_labels", "read_probabilities"]

_OF_CLASS = re.compile(r"p\((.+)\)")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Predictions as a file has them.

    Attributes:
        values: Shape (N, K).
        class_names: What the columns mean; None if the file does not say.
        origin: The file.
    """

    values: Tensor
    class_names: tuple[str, ...] | None
    origin: str

    def ordered(self, class_names: Sequence[str]) -> Tensor:
        """The columns in the order of ``class_names``.

        Raises:
            InputError: If there is another number of columns, or they are of other classes.
        """
        if self.class_names is None:
            if self.values.shape[1] != len(class_names):
                raise InputError(
                    f"{self.origin} has {self.values.shape[1]} columns, and there are {len(class_names)} classes, "
                    f"{list_some(class_names)}. Say what the columns mean with {argument('class_names')}."
                )
            return self.values
        other = sorted(set(self.class_names) ^ set(class_names))
        if other:
            raise InputError(
                f"the columns of {self.origin} are of the classes {list_some(self.class_names)}, not of "
                f"{list_some(class_names)}; {list_some(map(repr, other))} stands on one side only."
            )
        return self.values[:, [self.class_names.index(name) for name in class_names]]


def read_probabilities(address: str) -> Probabilities:
    r"""Read a model's probabilities, a row per sample and a column per class.

    Args:
        address: ``FILE.npy``; ``FILE.npz:KEY``, beside which an array ``class_names`` says what the columns
            mean; or a table: its columns ``p(NAME)``, as ``noiselayer predict --probs`` writes them, or else
            all of its columns.

    Raises:
        InputError: If the file is missing or unfit, or it is not clear which array is meant.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "predictions.csv"
    >>> _ = path.write_text("id,label,p(cat),p(dog)\n7,cat,0.75,0.25\n")
    >>> read_probabilities(str(path)).class_names
    ('cat', 'dog')
    """
    path, key = split_address(address)
    if path.suffix.lower() not in (".npy", ".npz", *TABLE_SUFFIXES):
        raise InputError(
            f"probabilities must be a file .npy, .npz:KEY, .csv, .tsv or .parquet; got {address}."
        )
    if not path.is_file():
        raise InputError(f"there is no file of probabilities {path}.")
    names: tuple[str, ...] | None = None
    if path.suffix.lower() == ".npy":
        array = read_npy(path)
    elif path.suffix.lower() == ".npz":
        array, names = _from_npz(path, key)
    else:
        array, names = _from_table(path)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise InputError(
            f"{address} must hold probabilities of shape (samples, classes); it has shape {array.shape}, type "
            f"{array.dtype}."
        )
    if names is not None and len(names) != array.shape[1]:
        raise InputError(f"{path} names {len(names)} classes, but {address} has {array.shape[1]} columns.")
    return Probabilities(torch.from_numpy(array.astype(np.float64)), names, address)


def read_labels(address: str) -> npt.NDArray[Any]:
    r"""Read labels as they are written, from any file of labels or ``TABLE:COLUMN``.

    Raises:
        InputError: If the file, key or column is missing, or it is not clear which is meant.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
    >>> _ = path.write_text("true,given\ncat,dog\n")
    >>> read_labels(f"{path}:given").tolist()
    ['dog']
    """
    endings = "|".join(re.escape(suffix) for suffix in TABLE_SUFFIXES)
    column = re.fullmatch(rf"(.+(?:{endings})):([^/\\]+)", address, flags=re.IGNORECASE)
    if column and not Path(address).is_file():
        return read_label_file(column[1], column[2])
    return read_label_file(address)


def encode_together(
    labels: Mapping[str, npt.NDArray[Any]],
    class_names: Sequence[str] | None = None,
    *,
    num_classes: int | None = None,
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Turn several arrays of labels into indices of the same classes.

    Args:
        labels: Name -> labels as they are written.
        class_names: The K names; if None, the different labels of all arrays, sorted, or 0..K-1 if all are
            integers and ``num_classes`` is known.
        num_classes: K, if it is known from elsewhere.

    Raises:
        InputError: If labels are unfit or not as many classes as there should be.

    >>> encode_together({"true": np.array(["cat", "dog"]), "given": np.array(["dog", "bird"])})[1]
    ('bird', 'cat', 'dog')
    >>> encode_together({"true": np.array([0, 1])}, num_classes=3)[1]
    ('0', '1', '2')
    """
    if class_names is None:
        class_names = _derive(labels, num_classes)
    names = check_class_names(class_names)
    return {name: encode_labels(values, names, name=name)[0] for name, values in labels.items()}, names


def _derive(labels: Mapping[str, npt.NDArray[Any]], num_classes: int | None) -> tuple[str, ...]:
    found: set[str] = set()
    for name, values in labels.items():
        found |= set(encode_labels(values, name=name)[1])
    integers = all(_INTEGER.fullmatch(value) for value in found)
    if num_classes is None:
        return tuple(sorted(found, key=int) if integers else sorted(found))
    if integers:
        return tuple(map(str, range(num_classes)))
    if len(found) != num_classes:
        raise InputError(
            f"the labels are of {len(found)} classes, {list_some(sorted(found))}, but the probabilities have "
            f"{num_classes} columns. Say what the columns mean with {argument('class_names')}."
        )
    return tuple(sorted(found))


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


def _from_table(path: Path) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    frame = read_frame(path)
    columns = [str(name) for name in frame.columns]
    of_classes = [name for name in columns if _OF_CLASS.fullmatch(name)] or columns
    for name in of_classes:
        if frame[name].dtype.kind not in "fiu" or frame[name].isna().any():
            raise InputError(
                f"column {name!r} of {path} must hold numbers, a probability in every row. Name the columns of "
                "probabilities p(CLASS), as noiselayer predict --probs does, or keep no other columns."
            )
    found = [_OF_CLASS.fullmatch(name) for name in of_classes]
    names = tuple(match[1] if match else name for match, name in zip(found, of_classes, strict=True))
    return frame[of_classes].to_numpy(dtype=np.float64), names

"""A model's probabilities in files: a row per sample, a column per class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.data.frames import TABLE_SUFFIXES, is_table, read_frame
from noiselayer.data.labels import is_integer
from noiselayer.data.numpy_files import describe_npz, npz_keys, read_npy, read_npz, split_address
from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.given import existing_file

_OF_CLASS = re.compile(r"p\((.+)\)")


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

    def ordered(self, class_names: Sequence[str], *, chosen: bool = False) -> Tensor:
        """The columns in the order of ``class_names``.

        Args:
            class_names: The K classes.
            chosen: Whether the user has given this order, which says what nameless columns mean.

        Raises:
            InputError: If there is another number of columns, they are of other classes, or they have no names
                and the classes are words, whose order in the model nobody knows. Whole numbers are taken by size.
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


def check_nameless(origin: str, class_names: Sequence[str]) -> None:
    """Raise if nobody has said what columns without names mean, and it cannot be known: the classes are words.

    Raises:
        InputError: It lists the classes, sorted, to be put in order.

    >>> check_nameless("p.npy", ["0", "1", "10"])
    """
    if not all(map(is_integer, class_names)):
        raise InputError(
            f"the columns of {origin} have no names. Say which classes they are of, in their order, with "
            f"{argument('class_names')}; sorted as text they would be {','.join(class_names)}."
        )


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
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz") and not is_table(path):
        raise InputError(
            f"probabilities must be a file .npy, .npz:KEY or a table ({', '.join(TABLE_SUFFIXES)}); got {address}."
        )
    existing_file(path, "file of probabilities")
    names: tuple[str, ...] | None = None
    if suffix == ".npy":
        array = read_npy(path)
    elif suffix == ".npz":
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

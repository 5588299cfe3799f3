"""Labels in .npy and .npz files, and copies with other ones; all other arrays stay as they are, byte for byte."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.numpy_files import npz_keys, read_npy, read_npz
from noiselayer.files.records import whole_file
from noiselayer.storage.review.label_store import LabelStore, beside, label_names, raw_labels

__all__ = ["npy_labels", "npz_labels"]


def npz_labels(path: Path, key: str, class_names: Sequence[str] | None) -> LabelStore:
    """The labels in an array of an .npz file.

    Args:
        path: The file.
        key: Of the array.
        class_names: The K names, if the file does not hold them itself.

    Raises:
        InputError: If there is no such array, or it holds no labels.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(path, x=np.eye(3), y=[0, 1, 1], class_names=["cat", "dog"])
    >>> store = npz_labels(path, "y", None)
    >>> store.write({0: "dog"}, path.with_name("new.npz"))
    >>> store.names, read_npz(path.with_name("new.npz"), "y")
    (['cat', 'dog', 'dog'], array([1, 1, 1]))
    """
    values = read_npz(path, key)
    if "class_names" in npz_keys(path):
        class_names = [str(name) for name in read_npz(path, "class_names").tolist()]
    origin = f"array {key!r} of {path}"
    names, known = label_names(values, class_names, origin)

    def write(changes: Mapping[int, str], out: Path) -> None:
        corrected = _replaced(values, names, known, changes, origin)
        with (
            whole_file(out) as part,
            zipfile.ZipFile(path) as old,
            zipfile.ZipFile(part, "w", allowZip64=True) as new,
        ):
            for member in old.infolist():
                if member.filename == f"{key}.npy":
                    content = io.BytesIO()
                    np.lib.format.write_array(content, corrected, allow_pickle=False)
                    new.writestr(member.filename, content.getvalue(), compress_type=member.compress_type)
                    continue
                with (
                    old.open(member) as one,
                    new.open(
                        zipfile.ZipInfo(member.filename, member.date_time), "w", force_zip64=True
                    ) as other,
                ):
                    shutil.copyfileobj(one, other, 1 << 20)

    return LabelStore(origin, (path,), names, None, beside(path), (".npz",), write)


def npy_labels(path: Path, class_names: Sequence[str] | None) -> LabelStore:
    """The labels in an .npy file.

    Args:
        path: The file.
        class_names: The K names, if numbers stand for them.

    Raises:
        InputError: If it holds no labels.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "y.npy"
    >>> np.save(path, np.array(["cat", "dog"]))
    >>> npy_labels(path, None).write({0: "crocodile"}, path.with_name("new.npy"))
    >>> np.load(path.with_name("new.npy")).tolist()
    ['crocodile', 'dog']
    """
    values = read_npy(path)
    names, known = label_names(values, class_names, str(path))

    def write(changes: Mapping[int, str], out: Path) -> None:
        corrected = _replaced(values, names, known, changes, str(path))
        with whole_file(out) as part, part.open("wb") as file:
            np.save(file, corrected, allow_pickle=False)

    return LabelStore(str(path), (path,), names, None, beside(path), (".npy",), write)


def _replaced(
    values: npt.NDArray[Any],
    names: Sequence[str],
    class_names: Sequence[str],
    changes: Mapping[int, str],
    origin: str,
) -> npt.NDArray[Any]:
    """A copy of the labels with other ones in some rows; text may become longer, numbers keep their type."""
    flat = values.reshape(-1)
    plain = flat.tolist()
    text = [one.decode() for one in plain] if flat.dtype.kind == "S" else plain
    raw = raw_labels(text, names, class_names, list(dict.fromkeys(changes.values())), origin)
    new = list(text)
    for row, name in changes.items():
        new[row] = raw[name]
    if flat.dtype.kind == "S":
        return np.array([one.encode() for one in new]).reshape(values.shape)
    if flat.dtype.kind == "U":
        return np.array(new).reshape(values.shape)
    return np.array(new, dtype=flat.dtype).reshape(values.shape)

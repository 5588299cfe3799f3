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

from noiselayer.data.label_files import LabelPlace
from noiselayer.data.numpy_files import npz_keys, read_npz
from noiselayer.errors import InputError
from noiselayer.files.whole_file import whole_file
from noiselayer.storage.review.label_store import LabelStore, beside, label_names, raw_labels


def array_labels(place: LabelPlace, class_names: Sequence[str] | None) -> LabelStore:
    """The labels in an .npy file, or in an array of an .npz file.

    ``class_names`` are for numbers that stand for them, where the file does not hold them itself.
    """
    path, key = place.file, place.name
    values = place.read()
    if key is not None and "class_names" in npz_keys(path):
        class_names = [str(name) for name in read_npz(path, "class_names").tolist()]
    origin = str(path) if key is None else f"array {key!r} of {path}"
    names, known = label_names(values, class_names, origin)

    def write(changes: Mapping[int, str], out: Path) -> None:
        corrected = _replaced(values, names, known, changes, origin)
        if key is not None:
            _write_npz(path, key, corrected, out)
            return
        with whole_file(out) as part, part.open("wb") as file:
            np.save(file, corrected, allow_pickle=False)

    return LabelStore(origin, (path,), names, None, beside(path), (path.suffix.lower(),), write)


def _write_npz(path: Path, key: str, corrected: npt.NDArray[Any], out: Path) -> None:
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
            info = zipfile.ZipInfo(member.filename, member.date_time)
            with old.open(member) as one, new.open(info, "w", force_zip64=True) as other:
                shutil.copyfileobj(one, other, 1 << 20)


def _replaced(
    values: npt.NDArray[Any],
    names: Sequence[str],
    class_names: Sequence[str],
    changes: Mapping[int, str],
    origin: str,
) -> npt.NDArray[Any]:
    """A copy of the labels with other ones in some rows; text may become longer, numbers keep their type.

    >>> _replaced(np.array(["cat", "dog"]), ["cat", "dog"], ["cat", "dog"], {0: "crocodile"}, "y.npy").tolist()
    ['crocodile', 'dog']
    """
    flat = values.reshape(-1)
    plain = flat.tolist()
    old = [one.decode() for one in plain] if flat.dtype.kind == "S" else plain
    raw = raw_labels(old, names, class_names, list(dict.fromkeys(changes.values())), origin)
    if flat.dtype.kind not in "SU":
        for name, value in raw.items():
            try:
                with np.errstate(over="ignore"):
                    fits = bool(np.array([value]).astype(flat.dtype).tolist()[0] == value)
            except OverflowError:
                fits = False
            if not fits:
                raise InputError(
                    f"class {name!r} does not fit into the type of {origin}, {flat.dtype}; write the labels with a "
                    "wider type first."
                )
    new = list(old)
    for row, name in changes.items():
        new[row] = raw[name]
    if flat.dtype.kind == "S":
        return np.array([one.encode() for one in new]).reshape(values.shape)
    return np.array(new, dtype=None if flat.dtype.kind == "U" else flat.dtype).reshape(values.shape)

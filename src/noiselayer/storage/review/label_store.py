"""Where the labels of data are, and how a copy with other ones is written: of NumPy files and folders of images."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from noiselayer.data.frames import table_suffix
from noiselayer.data.label_files import LabelPlace
from noiselayer.data.labels import encode_labels, is_integer
from noiselayer.data.numpy_files import npz_keys, read_npz
from noiselayer.data.read_folder import images_below
from noiselayer.errors import InputError, argument, list_some, nearest
from noiselayer.files.whole_file import whole_file, write_rows


class Write(Protocol):
    """Writes a copy of labels: row -> new class by name ("" for no label), where to, and rows to leave out.

    Where the labels are a file of their own, beside the inputs, a row that is left out stays without its label: the
    rows of both files go on belonging together.
    """

    def __call__(self, changes: Mapping[int, str], out: Path, left_out: Collection[int] = ()) -> None:
        """Write the copy."""


@dataclass(frozen=True, eq=False)
class LabelStore:
    """The labels of all samples, and a way to write them anew: row -> new class by name, and where to.

    ``names`` has the class of every row, "" where there is none; ``files`` must not be written over; ``ids`` are names
    of samples that have names of their own (images); ``endings`` are those of a copy, "" for a folder.
    """

    origin: str
    files: tuple[Path, ...]
    names: Sequence[str]
    ids: Sequence[str] | None
    out: Path
    endings: tuple[str, ...]
    write: Write


def beside(path: Path, suffix: str | None = None) -> Path:
    """The path of a corrected copy.

    >>> beside(Path("some/data.csv.gz")).as_posix(), beside(Path("images"), ".csv").as_posix()
    ('some/data.corrected.csv.gz', 'images.corrected.csv')
    """
    if suffix is not None:
        return path.with_name(f"{path.name}.corrected{suffix}")
    length = len(table_suffix(path) or path.suffix)
    stem, ending = path.name[: len(path.name) - length], path.name[len(path.name) - length :]
    return path.with_name(f"{stem}.corrected{ending}")


def label_names(
    values: npt.NDArray[Any], class_names: Sequence[str] | None, origin: str
) -> tuple[list[str], tuple[str, ...]]:
    """The class of every row by name ("" without a label), and the names of all classes."""
    indices, names = encode_labels(values, class_names, name=f"labels ({origin})", allow_missing=True)
    return [names[k] if k >= 0 else "" for k in indices.tolist()], names


def raw_labels(
    values: Sequence[Any],
    names: Sequence[str],
    class_names: Sequence[str],
    wanted: Sequence[str],
    origin: str,
) -> dict[str, Any]:
    """Class -> the way it is written in these labels, for those ``wanted``; "", no label, is empty text or None.

    >>> raw_labels([0, 1, 1], ["cat", "dog", "dog"], ["cat", "dog", "bird"], ["dog", "bird"], "labels")
    {'dog': 1, 'bird': 2}
    """
    written = {name: value for name, value in zip(reversed(names), reversed(values), strict=True) if name}
    example = next(iter(written.values()))
    text = isinstance(example, str)
    numbered = not text or all(re.fullmatch(r"-?\d+([.,]0*)?", value) for value in written.values())
    found: dict[str, Any] = {}
    for name in wanted:
        if not name:
            found[name] = "" if text else None
        elif name in written:
            found[name] = written[name]
        elif not numbered:
            found[name] = name  # a class without a sample so far is written like the others: by its name
        elif name in class_names and not any(map(is_integer, class_names)):
            index = list(class_names).index(name)
            found[name] = str(index) if text else type(example)(index)
        elif is_integer(name) and not isinstance(example, bool):
            found[name] = name if text else type(example)(int(name))
        else:
            raise InputError(
                f"{name!r} is not one of the {len(class_names)} classes {list_some(class_names)} of {origin}."
                f"{nearest(name, class_names)} If its labels are numbers, say what they mean with "
                f"{argument('class_names')}."
            )
    return found


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

    def write(changes: Mapping[int, str], out: Path, left_out: Collection[int] = ()) -> None:
        if key is None or not place.own:
            changes, left_out = {**changes, **dict.fromkeys(left_out, "")}, ()
        corrected = _replaced(values, names, known, changes, origin)
        if key is not None:
            _write_npz(path, key, corrected, out, sorted(left_out))
            return
        with whole_file(out) as part, part.open("wb") as file:
            np.save(file, corrected, allow_pickle=False)

    return LabelStore(origin, (path,), names, None, beside(path), (path.suffix.lower(),), write)


def _write_npz(path: Path, key: str, corrected: npt.NDArray[Any], out: Path, left_out: Sequence[int]) -> None:
    with (
        whole_file(out) as part,
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(part, "w", allowZip64=True) as new,
    ):
        for member in old.infolist():
            name = member.filename.removesuffix(".npy")
            array = corrected if name == key else None
            if left_out and name not in (key, "class_names"):  # whatever has a row for every sample
                array = read_npz(path, name)
                array = array if array.ndim and len(array) == len(corrected) else None
            if array is not None:
                content = io.BytesIO()
                kept = np.delete(array, left_out, axis=0) if left_out else array
                np.lib.format.write_array(content, kept, allow_pickle=False)
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

    Whole numbers have none for a label that is missing: they become floats then, with NaN in its place.
    """
    flat = values.reshape(-1)
    plain = flat.tolist()
    old = [one.decode() for one in plain] if flat.dtype.kind == "S" else plain
    raw = raw_labels(old, names, class_names, list(dict.fromkeys(changes.values())), origin)
    if flat.dtype.kind not in "SU":
        for name, value in raw.items():
            if value is None:
                continue
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
    if None in new:
        return np.array(new, dtype=np.float64).reshape(values.shape)
    return np.array(new, dtype=None if flat.dtype.kind == "U" else flat.dtype).reshape(values.shape)


def folder_labels(folder: Path) -> LabelStore:
    """The labels of a folder of images: the sub-folder that each lies in.

    A corrected copy is a table with the columns ``id`` and ``label``, or, where its name has no ending, a folder
    of copied images by corrected class, without those that have none.
    """
    ids = images_below(folder)
    names = [name.split("/")[0] for name in ids if "/" in name]
    if not ids or len(names) != len(ids):
        raise InputError(f"folder {folder} must hold images in sub-folders, whose names are their labels.")

    def write(changes: Mapping[int, str], out: Path, left_out: Collection[int] = ()) -> None:
        new = [(ids[row], changes.get(row, name)) for row, name in enumerate(names) if row not in left_out]
        if out.suffix:
            write_rows(out, ["id", "label"], new)
        else:
            _copy(folder, {image: label for image, label in new if label}, out)

    return LabelStore(f"folder {folder}", (folder,), names, ids, beside(folder, ".csv"), (".csv", ""), write)


def _copy(folder: Path, labels: Mapping[str, str], out: Path) -> None:
    """Copy every image below its class; one of a name that is taken there gets its old class in front."""
    for label in set(labels.values()):
        if label in ("", ".", "..") or "/" in label or "\\" in label or "\0" in label:
            raise InputError(
                f"{label!r} cannot be the name of a folder; write a table instead, with --out FILE.csv."
            )
    part = out.with_name(f".{out.name}.{uuid4().hex[:8]}.part")
    unmoved = {name for name, label in labels.items() if name.split("/")[0] == label}
    try:
        for name, label in labels.items():
            old, _, rest = name.partition("/")
            target = f"{label}/{rest}"
            if old != label and target in unmoved:
                head, _, last = rest.rpartition("/")
                target = "/".join(filter(None, [label, head, f"{old}-{last}"]))
            place = part / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                raise InputError(f"two images would be called {target} in {out}; rename one of them.")
            shutil.copy2(folder / name, place)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)

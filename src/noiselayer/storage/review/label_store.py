"""Where the labels of data are, and how a copy with other ones is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from noiselayer.data.frames import table_suffix
from noiselayer.data.labels import encode_labels, is_integer
from noiselayer.errors import InputError, argument, list_some, nearest


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
    write: Callable[[Mapping[int, str], Path], None]


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
    """Class -> the way it is written in these labels, for the classes ``wanted``.

    >>> raw_labels([0, 1, 1], ["cat", "dog", "dog"], ["cat", "dog", "bird"], ["dog", "bird"], "labels")
    {'dog': 1, 'bird': 2}
    """
    written = {name: value for name, value in zip(reversed(names), reversed(values), strict=True) if name}
    example = next(iter(written.values()))
    text = isinstance(example, str)
    numbered = not text or all(re.fullmatch(r"-?\d+([.,]0*)?", value) for value in written.values())
    found: dict[str, Any] = {}
    for name in wanted:
        if name in written:
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

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
    """The labels of all samples, and a way to write them anew.

    Attributes:
        origin: What holds the labels, in words.
        files: The files and folders that must not be written over.
        names: The class of every row, by name; "" where a row has no label.
        ids: A name per row, where samples have names of their own (images); None where rows are counted.
        out: Where a corrected copy goes if nobody says.
        endings: What the name of a copy may end with; "" stands for a folder.
        write: Writes a copy: row -> new class by name, and where to.
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
    """The class of every row by name ("" without a label), and the names of all classes.

    Args:
        values: Labels as they are written, shape (N,) or (N, 1).
        class_names: The K names, if numbers stand for them.
        origin: Where the labels come from, for messages.

    Raises:
        InputError: If they are no labels, or not among ``class_names``.

    >>> import numpy as np
    >>> label_names(np.array([1, 0, 1]), ["cat", "dog"], "labels")
    (['dog', 'cat', 'dog'], ('cat', 'dog'))
    """
    indices, names = encode_labels(values, class_names, name=f"labels ({origin})", allow_missing=True)
    return [names[k] if k >= 0 else "" for k in indices.tolist()], names


def raw_labels(
    values: Sequence[Any],
    names: Sequence[str],
    class_names: Sequence[str],
    wanted: Sequence[str],
    origin: str,
) -> dict[str, Any]:
    """Class -> the way it is written in these labels.

    Args:
        values: The labels as they are written, plain Python values.
        names: The class of every one of them.
        class_names: All classes.
        wanted: Those to find.
        origin: Where the labels come from, for messages.

    Raises:
        InputError: If a class has no way to be written: the labels are numbers, and it is none of the classes.

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

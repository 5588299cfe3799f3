"""Cells of several columns -> the classes they share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from noiselayer.data.label_files import labels_of_column
from noiselayer.data.labels import check_class_names, encode_labels
from noiselayer.errors import InputError, argument, list_some, nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["class_numbers", "names_of", "texts_of"]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def texts_of(frame: pd.DataFrame, column: str) -> npt.NDArray[np.str_]:
    """A column as text, "" for a gap; whole numbers without a fraction, whatever their type.

    >>> import pandas as pd
    >>> texts_of(pd.DataFrame({"said": [2.0, None]}), "said").tolist()
    ['2', '']
    """
    values = labels_of_column(frame, column)
    if values.dtype.kind != "f":
        return values.astype(str)
    whole = np.isnan(values) | (values == np.floor(values))
    if not whole.all():
        row = int(np.argmin(whole))
        raise InputError(
            f"column {column!r} must hold names or whole numbers; row {row} (counting from 0) is {values[row]}."
        )
    return np.array(["" if np.isnan(value) else str(int(value)) for value in values.tolist()], dtype=str)


def names_of(
    columns: Sequence[npt.NDArray[np.str_]], class_names: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The classes of several columns: those given, or the different labels, sorted (integers by size).

    Raises:
        InputError: If there are fewer than two, two are alike, or -1 is among numbers.

    >>> names_of([np.array(["10", ""]), np.array(["2", "10"])])
    ('2', '10')
    """
    if class_names is not None:
        return check_class_names(class_names)
    distinct = sorted({text for column in columns for text in np.unique(column).tolist()} - {""})
    if not distinct:
        raise InputError("the table holds no label by any annotator: every cell is empty.")
    if len(distinct) > 2 and "-1" in distinct and all(map(_INTEGER.fullmatch, distinct)):
        raise InputError(
            "labels must lie in 0..K-1; -1 is among them, which often means 'no label'. Leave such cells empty, "
            f"or give {argument('class_names')} with '-1' among them if it is a class."
        )
    return encode_labels(distinct)[1]


def class_numbers(
    texts: npt.NDArray[np.str_], class_names: Sequence[str], column: str
) -> npt.NDArray[np.int64]:
    """Labels as positions in ``class_names``, -1 for gaps; numbers are positions where no class is a number.

    Raises:
        InputError: If one is no class.

    >>> class_numbers(np.array(["dog", "", "cat"]), ["cat", "dog"], "said").tolist()
    [1, -1, 0]
    """
    distinct, inverse = np.unique(texts, return_inverse=True)
    values = [str(text) for text in distinct]
    position = {name: number for number, name in enumerate(class_names)}
    numbered = all(map(_INTEGER.fullmatch, filter(None, values)))
    if numbered and not any(map(_INTEGER.fullmatch, class_names)):
        position = {str(number): number for number in range(len(class_names))}
    position[""] = -1
    for code, value in enumerate(values):
        if value not in position:
            row = int(np.argmax(inverse == code))
            raise InputError(
                f"column {column!r}: {value!r} (row {row}, counting from 0) is not one of the {len(class_names)} "
                f"classes {list_some(class_names)}.{nearest(value, class_names)}"
            )
    return np.array([position[value] for value in values], dtype=np.int64)[inverse]

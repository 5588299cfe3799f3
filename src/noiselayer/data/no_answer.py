"""-1 as a label: a class, or no answer?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from noiselayer.errors import argument


def without_answer(values: Any, class_names: Sequence[str] | None, checked: Any) -> Any:
    """Labels, with none where -1 stands, if that says that a language model or a rule had no answer.

    It does among names, and among numbers (two at least) where labels were ``checked`` and none was found to be -1; not
    where ``class_names`` has it.

    Warns:
        UserWarning: If it does.

    >>> import pytest
    >>> with pytest.warns(UserWarning, match="-1 is taken for no label"):
    ...     without_answer(np.array(["cat", "-1", "dog"]), None, None).tolist()
    ['cat', '', 'dog']
    >>> without_answer(np.array([-1, 0, 1]), None, None).tolist()
    [-1, 0, 1]
    """
    array = np.asarray(values)
    silent = np.zeros(array.shape, dtype=bool)
    for none in (-1, "-1"):
        if array.dtype.kind == "O" or (array.dtype.kind in "if") == (none == -1):
            silent |= array == none
    if not silent.any() or silent.all() or "-1" in (class_names or ()):
        return values
    others = {str(value).strip() for value in array[~silent].ravel().tolist()} - {"", "nan", "None"}
    numbers = all(other.lstrip("+-").replace(".", "", 1).isdigit() for other in others)
    if numbers and (
        checked is None or len(others) < 2 or "-1" in {str(c).removesuffix(".0") for c in checked}
    ):
        return values
    warnings.warn(
        f"-1 is taken for no label; name it among {argument('class_names')} if it is a class.", stacklevel=4
    )
    result = array.astype(float) if array.dtype.kind in "if" else array.copy()
    result[silent] = np.nan if array.dtype.kind in "if" else ""
    return result

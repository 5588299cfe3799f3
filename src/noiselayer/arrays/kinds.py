"""What kind of value an argument takes: a number, a whole number, a tensor."""

from __future__ import annotations

import operator
from typing import Any


def check_number(value: Any, name: str) -> None:
    """Raise unless ``value`` is one real number; NumPy's and torch's count.

    >>> check_number("0.95", "confidence")
    Traceback (most recent call last):
    ...
    TypeError: confidence must be a number; got '0.95'.
    """
    try:
        if getattr(value, "ndim", 0) or isinstance(value, str | bytes | bool):
            raise TypeError
        float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a number; got {shown(value)}.") from None


def check_not_negative(value: Any, name: str) -> None:
    """Raise unless ``value`` is a finite number from 0 up.

    >>> check_not_negative(-1, "noisy_weight")
    Traceback (most recent call last):
    ...
    ValueError: noisy_weight must be a number from 0 up; got -1.
    """
    check_number(value, name)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a number from 0 up; got {value}.")


def check_count(value: Any, name: str, least: int | None = None) -> None:
    """Raise unless ``value`` is one whole number, and no smaller than ``least``.

    >>> check_count(2.0, "num_classes")
    Traceback (most recent call last):
    ...
    TypeError: num_classes must be a whole number; got 2.0.
    """
    try:
        if getattr(value, "ndim", 0) or isinstance(value, bool):
            raise TypeError
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; got {shown(value)}.") from None
    if abs(count) > _MOST:
        bound = f"at most {_MOST:,}" if count > 0 else f"at least {-_MOST:,}"
        raise ValueError(f"{name} must be {bound}; got {shown(value)}.")
    if least is not None and count < least:
        raise ValueError(f"{name} must be at least {least}; got {count}.")


def check_confidence(value: Any, name: str = "confidence") -> None:
    """Raise unless ``value`` is a number between 0 and 1.

    >>> check_confidence(95)
    Traceback (most recent call last):
    ...
    ValueError: confidence must lie between 0 and 1, as in 0.95; got 95.
    """
    check_number(value, name)
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, as in 0.95; got {value}.")


_MOST = 2**31 - 1


def check_tensor(value: Any, name: str) -> None:
    """Raise unless ``value`` is a tensor.

    >>> check_tensor([0, 1], "noisy_labels")
    Traceback (most recent call last):
    ...
    TypeError: noisy_labels must be a torch.Tensor; got list. Use torch.as_tensor(noisy_labels).
    """
    import torch  # the options of a training are read without it

    if not isinstance(value, torch.Tensor):
        got = "None" if value is None else f"{type(value).__name__}. Use torch.as_tensor({name})"
        raise TypeError(f"{name} must be a torch.Tensor; got {got}.")


def check_names(value: Any, name: str) -> None:
    """Raise unless ``value`` is a list of names, or None.

    >>> check_names("cat", "class_names")
    Traceback (most recent call last):
    ...
    TypeError: class_names must be a list of names; got 'cat'.
    """
    if value is not None and (isinstance(value, str | bytes) or not hasattr(value, "__len__")):
        raise TypeError(f"{name} must be a list of names; got {shown(value)}.")


def check_dense(value: Any, name: str) -> None:
    """Raise on a sparse matrix of SciPy, whose entries no array holds."""
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} must be a dense array; got {type(value).__name__}. Use {name}.toarray().")
    check_unmasked(value, name)


def check_unmasked(value: Any, name: str) -> None:
    """Raise on a masked array of NumPy with masked entries, whose values would count as any others.

    >>> import numpy as np
    >>> check_unmasked(np.ma.masked_array([0, 1, 2], mask=[0, 1, 0]), "labels")
    Traceback (most recent call last):
    ...
    ValueError: labels must have a value everywhere; 1 of 3 are masked. Leave them out or use labels.filled(...).
    """
    masked = int(value.mask.sum()) if hasattr(value, "mask") and hasattr(value, "filled") else 0
    if masked:
        raise ValueError(
            f"{name} must have a value everywhere; {masked:,} of {value.size:,} are masked. "
            f"Leave them out or use {name}.filled(...)."
        )


def shown(value: Any) -> str:
    """A value as a message shows it: short, and an object that is no number by its type.

    >>> shown("x" * 300), shown(object())
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...", 'object')
    """
    text = repr(value)
    if " at 0x" in text:
        return type(value).__name__
    return text if len(text) <= 40 else f"{text[:39]}..."

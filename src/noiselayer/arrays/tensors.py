"""Array-likes of any kind, by position, as tensors; and results in the kind that came in."""

from __future__ import annotations

import warnings
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_dense

T = TypeVar("T")


def as_tensor(values: Any, name: str = "values") -> Tensor:
    """A tensor of any array, without a copy where the types allow it; nothing is written to it.

    Lists, NumPy (any byte order and strides), pandas (by position, whatever the index), polars, torch.

    >>> as_tensor([0, 1])
    tensor([0, 1])
    >>> as_tensor(np.arange(3, dtype=">i4")[::-1])
    tensor([2, 1, 0], dtype=torch.int32)
    >>> as_tensor(["cat", "dog"], "labels")
    Traceback (most recent call last):
    ...
    TypeError: labels must be an array of numbers; got list with str in it. Turn names into class numbers 0..K-1.
    """
    if isinstance(values, Tensor):
        return _real(values.detach(), name)
    check_dense(values, name)
    if values is None:
        raise TypeError(f"{name} must be an array of numbers; got None.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")
        try:
            if isinstance(values, list | tuple) and not any(hasattr(value, "__array__") for value in values):
                found = torch.as_tensor(values)
            else:
                found = torch.from_numpy(
                    _native(values.to_numpy() if hasattr(values, "to_numpy") else values)
                )
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"{name} must be an array of numbers; got {type(values).__name__} with {_content(values)} in it. "
                "Turn names into class numbers 0..K-1."
            ) from error
    return _real(found, name)


def _real(values: Tensor, name: str) -> Tensor:
    if values.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor; got {values.layout}. Use {name}.to_dense().")
    if values.is_complex():
        raise TypeError(f"{name} must be an array of real numbers; got {values.dtype}.")
    return values


def in_kind(result: T, *given: Any) -> T:
    """``result`` as it is if a tensor was given, else NumPy arrays in the place of its tensors.

    >>> in_kind((torch.ones(2), 0.5), [1, 1])
    (array([1., 1.], dtype=float32), 0.5)
    >>> in_kind(torch.ones(2), torch.zeros(1), [1, 1])
    tensor([1., 1.])
    """
    if any(isinstance(value, Tensor) for value in given):
        return result
    if isinstance(result, Tensor):
        return cast(T, result.cpu().numpy())
    if isinstance(result, tuple):
        return cast(T, tuple(in_kind(part, *given) for part in result))
    if is_dataclass(result) and not isinstance(result, type):
        parts = {field.name: in_kind(getattr(result, field.name), *given) for field in fields(result)}
        return cast(T, replace(result, **parts))
    return result


def _native(values: Any) -> Any:
    """An array of numbers of a kind that torch has."""
    array = np.asarray(values)
    if array.dtype == object:  # columns of mixed types, or numbers with None among them
        array = np.asarray(array.tolist())
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)  # torch counts and sorts signed integers only
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.copy() if any(stride < 0 for stride in array.strides) else array


def _content(values: Any) -> str:
    """The first type that is no number, or what the numbers look like."""
    try:
        array = np.asarray(values, dtype=object)
    except ValueError:
        return "lists of different lengths"
    for value in array.flat:
        if isinstance(value, str | bytes) or value is None or not np.isscalar(value):
            return "None" if value is None else type(value).__name__
    return str(np.asarray(values).dtype)

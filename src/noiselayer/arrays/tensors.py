"""Array-likes of any kind, by position, as tensors."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

__all__ = ["as_tensor"]


def as_tensor(values: Any) -> Tensor:
    """A tensor of any array, without a copy where the types allow it; nothing is written to it.

    >>> as_tensor([0, 1])
    tensor([0, 1])
    """
    if isinstance(values, Tensor):
        return values.detach()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return torch.as_tensor(values)

"""A stored matrix that is loaded is checked as one that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def is_sound(loaded: Any, stored: Any, check: Callable[[Tensor], object], errors: list[str]) -> bool:
    """Whether what a ``state_dict`` holds may take the place of a stored matrix; else ``errors`` says why not.

    Sums are taken as exact as bfloat16 is: a checkpoint may have been through it. What is no tensor of the stored one's
    shape is left to torch, which has words for that.

    >>> import torch
    >>> from noiselayer.noise import check
    >>> errors = []
    >>> is_sound(torch.tensor([[0.9, 0.2], [0.3, 0.7]]), torch.eye(2), check, errors), errors[0][:51]
    (False, 'noise_matrix columns must sum to 1; column 0 sums t')
    """
    if not isinstance(loaded, Tensor) or not isinstance(stored, Tensor) or loaded.shape != stored.shape:
        return True
    if loaded.is_meta:
        return True
    if not loaded.is_floating_point():
        loaded = loaded.to(stored.dtype)  # as loading does: an identity of integers is one
    try:
        check(loaded)
    except ValueError as error:
        try:
            check(loaded.bfloat16())
        except ValueError:
            errors.append(str(error))
            return False
    return True

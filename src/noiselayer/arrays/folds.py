"""Folds that every class is dealt out to evenly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def stratified_folds(labels: Tensor, folds: int, shuffle: Callable[[Tensor], Tensor]) -> Tensor:
    """A fold for every sample, shape (N,): the classes one after the other are dealt out like cards.

    ``shuffle`` gets the rows of one class, ascending, and returns them in random order.

    >>> stratified_folds(torch.tensor([0, 1, 0, 1, 1]), 2, lambda rows: rows.flip(0))
    tensor([1, 0, 0, 1, 0])
    """
    rows = [shuffle((labels == label).nonzero().flatten()) for label in torch.unique(labels)]
    fold_of = torch.empty(len(labels), dtype=torch.long)
    fold_of[torch.cat(rows)] = torch.arange(len(labels)) % folds
    return fold_of

"""Folds that every class is dealt out to evenly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from noiselayer.errors import InputError, argument


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


def check_folds(folds: int, num_samples: int) -> None:
    """Raise an error if there are more folds than samples to leave out.

    >>> check_folds(61, 60)
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: folds must be at most 60, the number of samples; got 61.
    """
    if folds > num_samples:
        raise InputError(
            f"{argument('folds')} must be at most {num_samples:,}, the number of samples; got {folds:,}."
        )


def shuffled_folds(labels: Tensor, folds: int, seed: int) -> Tensor:
    """A fold number for every sample, every class dealt out evenly, shape (N,)."""
    place = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).argsort()
    return stratified_folds(labels, folds, lambda rows: rows[place[rows].argsort()])

"""Labels, checked labels and stated certainties: what they must be like for a classifier to be chosen with them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor

FEWEST = 10
"""Checked labels, for classifiers to be judged by them."""


def check_votes(votes: Tensor, gold: Tensor, N: int, K: int) -> None:
    """Raise an error if labels (N, S) and checked labels (N,) do not fit, or too few were checked to judge by.

    >>> check_votes(torch.tensor([[0], [1]]), torch.tensor([0, -1]), 2, 2)
    Traceback (most recent call last):
    ...
    ValueError: gold must hold at least 10 checked labels, so that classifiers can be judged by them; it holds 1. Check
    more, or leave gold out.
    """
    if votes.ndim != 2 or len(votes) != N or tuple(gold.shape) != (N,):
        raise ValueError(
            f"labels must have shape ({N},) or ({N}, S), and gold ({N},), a row per row of features; got "
            f"{tuple(votes.shape)} and {tuple(gold.shape)}."
        )
    for name, values in (("labels", votes), ("gold", gold)):
        if values.numel() and not (int(values.min()) >= -1 and int(values.max()) < K):
            raise ValueError(
                f"{name} must lie in -1..{K - 1}, -1 for none; got {int(values.min())} to {int(values.max())}."
            )
    n = int((gold >= 0).sum())
    if 0 < n < FEWEST:
        raise ValueError(
            f"gold must hold at least {FEWEST} checked labels, so that classifiers can be judged by them; it holds "
            f"{n}. Check more, or leave gold out."
        )
    if n == 0 and not bool(((votes >= 0).sum(dim=1) > 1).any()):
        raise ValueError(
            "gold must hold checked labels where no sample has labels of several labellers; it holds none."
        )


def certainties(stated: Any, votes: Tensor) -> Tensor:
    """How certain a labeller is of every label, shape (N, S): 1 where it does not say, 0 where there is no label.

    >>> certainties([0.5, 0.9], torch.tensor([[0], [-1]]))
    tensor([[0.5000],
            [0.0000]], dtype=torch.float64)
    """
    if stated is None:
        return torch.ones(votes.shape, dtype=torch.float64)
    c = as_tensor(stated, "stated_confidence").double().cpu()
    c = c[:, None] if c.ndim == 1 else c
    voted = votes >= 0
    if c.shape != votes.shape or not bool(((c >= 0) & (c <= 1))[voted].all()):
        shown = c[voted] if c.shape == votes.shape else c.flatten()
        raise ValueError(
            f"stated_confidence must have the shape of labels, {tuple(votes.shape)}, and lie between 0 and 1 where "
            f"there is a label; got shape {tuple(c.shape)} with {float(shown.nan_to_num().min()):g} to "
            f"{float(shown.nan_to_num().max()):g}, {int(shown.isnan().sum())} missing."
        )
    return torch.where(voted, c, 0.0)

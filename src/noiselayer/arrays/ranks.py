"""Ranks and quantile bins within strata."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks_within(values: Tensor, strata: Tensor) -> Tensor:
    """The rank of every value among those of its stratum, scaled to (0, 1); ties share their mean rank."""
    if not len(values):
        return values.double()
    order = values.argsort(stable=True)
    order = order[strata[order].argsort(stable=True)]
    value, stratum = values[order], strata[order]
    new = torch.ones(len(order), dtype=torch.bool)
    new[1:] = (value[1:] != value[:-1]) | (stratum[1:] != stratum[:-1])
    run = new.long().cumsum(0) - 1
    position = torch.arange(len(order), dtype=torch.float64)
    length = torch.bincount(run)
    middle = torch.zeros(len(length), dtype=torch.float64).index_add_(0, run, position) / length
    sizes = torch.bincount(stratum)
    start = (sizes.cumsum(0) - sizes)[stratum]
    ranks = torch.empty(len(order), dtype=torch.float64)
    ranks[order] = (middle[run] - start + 0.5) / sizes[stratum]
    return ranks


def bins_within(values: Tensor, strata: Tensor, num_bins: int) -> Tensor:
    """Every value's quantile bin, 0..num_bins-1, within its stratum; ties share a bin."""
    return (ranks_within(values, strata) * num_bins).long().clamp_max(num_bins - 1)

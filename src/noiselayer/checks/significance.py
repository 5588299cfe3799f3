"""The statistics beneath the checks: tails, a stratified test, Holm's adjustment."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def chi2_tail(statistic: Tensor, degrees: Tensor) -> Tensor:
    """p(X > statistic) for a chi-square distribution; 1 where it has no degrees of freedom."""
    statistic, degrees = statistic.double().clamp_min(0), degrees.double()
    tail = torch.special.gammaincc(degrees.clamp_min(1) / 2, statistic / 2)
    tail = torch.where(statistic == math.inf, 0.0, tail)
    return torch.where(degrees > 0, tail, 1.0)


def normal_tail(z: float) -> float:
    """p(Z > z) for a standard normal variable."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjustment: rejecting what is at most 5 % errs once in twenty families, whatever depends."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, k in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[k]))
        adjusted[k] = highest
    return adjusted


def stratified_score_test(scores: Tensor, hits: Tensor, strata: Tensor) -> float | None:
    """The z-score of ``hits`` having larger scores than the others of their stratum; None where too few could differ.

    The sum of their scores, less its mean under all reorderings within strata, over its standard deviation: with
    ranks as scores it is van Elteren's test, with 0 and 1 as scores Mantel and Haenszel's. It needs ten samples in
    all on either side that could have been otherwise, not many in every stratum.
    """
    if not len(scores):
        return None
    num_strata = int(strata.max()) + 1

    def total(values: Tensor) -> Tensor:
        return torch.zeros(num_strata, dtype=torch.float64).index_add_(0, strata, values.double())

    n, h = torch.bincount(strata, minlength=num_strata).double(), total(hits)
    centred = scores.double() - (total(scores) / n.clamp_min(1))[strata]
    spread = total(centred.square())
    variance = h * (n - h) / (n * (n - 1)).clamp_min(1) * spread
    informs = variance > 0
    few = min(float(h[informs].sum()), float((n - h)[informs].sum()))
    if few < 10:
        return None
    return float(total(centred * hits)[informs].sum() / variance[informs].sum().sqrt())

"""Whether annotators err together: the one assumption of combining them that the labels can contradict."""

from __future__ import annotations

from typing import NamedTuple

import torch

from noiselayer.annotators.em import Answer
from noiselayer.annotators.votes import Votes

_MOST_ANNOTATORS = 30  # pairs of more are not looked at one by one
_CERTAIN = 5.0  # standard errors
_MATTERS = 0.02  # of the samples that both have labelled


class Pair(NamedTuple):
    """Two annotators that agree more often than their matrices explain."""

    first: int
    second: int
    observed: float
    expected: float


def dependent_pairs(votes: Votes, answer: Answer) -> list[Pair]:
    r"""Pairs of annotators that agree too often to err independently, the worst first.

    Given the class, independent annotators s and t agree with probability :math:`\sum_j Q_{s j i} Q_{t j i}`.
    What stands against it is how often they do. The fit has explained part of a dependence away already: what is
    left understates it, and where two annotators copy each other their consensus may have become the truth, and the
    others be the ones that seem to agree too often. So this says that there is dependence, not whose.
    """
    S = votes.num_annotators
    if not 2 <= S <= _MOST_ANNOTATORS:
        return []
    table = torch.full((votes.num_samples, S), -1, dtype=torch.long)
    table[votes.samples, votes.annotators] = votes.labels
    Q, found = answer.noise_matrices, []
    for s in range(S):
        for t in range(s + 1, S):
            both = ((table[:, s] >= 0) & (table[:, t] >= 0)).nonzero().flatten()
            n = len(both)
            if n < 2:
                continue
            agree = (table[both, s] == table[both, t]).double()
            chance = answer.posterior[both] @ (Q[s] * Q[t]).sum(dim=0)
            excess = float((agree - chance).mean())
            error = float((chance * (1 - chance)).sum().sqrt()) / n
            if excess > _MATTERS and excess > _CERTAIN * error:
                found.append((excess, Pair(s, t, float(agree.mean()), float(chance.mean()))))
    return [pair for _, pair in sorted(found, key=lambda one: one[0], reverse=True)]

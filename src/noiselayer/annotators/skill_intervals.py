"""How sure the matrices of annotators are: what else would have been possible."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.annotators.em import Answer, draw_classes, expected_counts, posterior_of
from noiselayer.annotators.shrink import skills, tilted
from noiselayer.annotators.votes import Votes

_DRAWS = (50, 120)  # fewest where there are many labels, most where there are few
_FIRST = 8  # so many before them are not kept
_WORK = 5e7  # numbers to look at, before there are fewer draws
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Precision:
    """How many samples of known class would tell as much, of each matrix entry and each accuracy."""

    entries: Tensor
    accuracy: Tensor


def precision_of(votes: Votes, answer: Answer, true_labels: Tensor | None = None) -> Precision:
    """Draw classes and matrices in turn from what is known of them (Gibbs sampling), and see how they scatter.

    Held fixed are what is common to the annotators, and a model's sharpness. Every variance is put as a number of
    samples of known class, from which intervals follow that stay within 0 and 1.
    """
    generator = torch.Generator().manual_seed(0)
    S, K = votes.num_annotators, votes.num_classes
    log_prior = answer.class_prior.log() if answer.evidence is None else answer.evidence.log_prior()
    prior = answer.prior
    Q = answer.noise_matrices
    squares = torch.zeros(S, K, K, dtype=torch.float64)
    rights = []
    draws = int(min(max(_WORK / (len(votes) * K), _DRAWS[0]), _DRAWS[1]))
    for turn in range(_FIRST + draws):
        classes = draw_classes(posterior_of(votes, Q, log_prior, true_labels), generator)
        counts = expected_counts(votes, classes)
        of_annotator = skills(counts, prior.common, prior.spread)
        log_odds = of_annotator.log_odds + of_annotator.error * torch.randn(
            S, generator=generator, dtype=torch.float64
        )
        shape = counts + prior.strength * tilted(prior.common, log_odds)
        gammas = torch._standard_gamma(shape, generator=generator).clamp_min(1e-300)
        Q = gammas / gammas.sum(dim=1, keepdim=True)
        if turn >= _FIRST:
            squares += (Q - answer.noise_matrices).square()
            rights.append((Q.diagonal(dim1=1, dim2=2) * answer.class_prior).sum(dim=1))
    # Around the answer, not around the draws' own mean: where the two differ, that is a doubt too.
    variance = squares / draws
    column = variance.sum(dim=1, keepdim=True)
    chance = answer.noise_matrices * (1 - answer.noise_matrices)
    whole = chance.sum(dim=1, keepdim=True) / column.clamp_min(_LEAST_VARIANCE)
    # Of an entry itself, where that is more: a column's sum is that of its large entries.
    entries = torch.minimum(chance.clamp_min(1e-6) / variance.clamp_min(_LEAST_VARIANCE), whole)
    own = (answer.noise_matrices.diagonal(dim1=1, dim2=2) * answer.class_prior).sum(dim=1)
    scatter = (torch.stack(rights) - own).square().mean(dim=0)
    return Precision(entries, (own * (1 - own)).clamp_min(1e-6) / scatter.clamp_min(_LEAST_VARIANCE))

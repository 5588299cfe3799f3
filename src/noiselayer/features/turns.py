"""Classifier and matrix by turns, for features of which a plain classifier can make the noise itself.

Where most of a class's wrong labels are of one other class, a linear classifier of many features says so too: it is as
unsure as the labels are wrong, and no matrix gains anything by its logits. Fitted through a rough matrix, the confusion
of that classifier, it imitates less; its logits give a better matrix, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from noiselayer.features.cross_fitted import Step
from noiselayer.features.matrix_choice import MatrixChoice, choose_matrix

Way: TypeAlias = tuple[Step, MatrixChoice, bool]
"""A path's best step, the matrix by its logits, and whether Eq. 2 was climbed from there."""
_TURNS = 6  # at most
_REPEATED = 0.6
"""Of the labels: a plain classifier that repeats more of those it has not seen imitates no noise of nearly half."""
_LEAST = 1e-3  # nats that a turn must gain, or the next one is not tried


def by_turns(logits: Tensor, labels: Tensor, fold_of: Tensor, through: Callable[[Tensor], Way]) -> Way | None:
    """The turn that explains labels held out best; None where turns cannot pay.

    Where the plain classifier repeats most labels that it has not seen, noise of a part of the classes can be seen by
    its logits: a pair flip of 30 % or one of 45 % in three of ten classes needs no turns.

    Args:
        logits: Of the plain classifiers, shape (N, K), double, out of fold.
        labels: Noisy, shape (N,).
        fold_of: Shape (N,), 0..F-1.
        through: Fits the classifiers of all folds through a matrix.

    >>> z, y = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1), torch.tensor([0, 1, 1, 0]).repeat(25)
    >>> step = Step(1.0, torch.zeros(100), z, torch.zeros(2, 2, 3))
    >>> by_turns(z, y, torch.arange(100) % 2, lambda Q: (step, None, False))[0] is step
    True
    """
    K, guesses = logits.shape[1], logits.argmax(dim=1)
    if float((guesses == labels).double().mean()) > _REPEATED:
        return None
    counts = torch.bincount(labels * K + guesses, minlength=K * K).view(K, K).double() + 1 / K
    Q, best = counts / counts.sum(dim=0), None
    for _ in range(_TURNS):
        step, _, climbed = through(Q)
        judged = choose_matrix(step.logits, labels, fold_of)
        gained = math.inf if best is None else float((best[1].losses - judged.losses).mean())
        if gained > 0:
            best = step, judged, climbed
        if gained <= _LEAST:
            break
        Q = judged.found.noise_matrix
    return best

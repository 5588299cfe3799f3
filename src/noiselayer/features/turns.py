"""Classifier and matrix by turns, for features of which a plain classifier can make the noise itself.

Where most of a class's wrong labels are of one other class, a linear classifier of many features says so too: it is as
unsure as the labels are wrong, and no matrix gains anything by its logits. Fitted through a rough matrix, the confusion
of that classifier, it imitates less; its logits give a better matrix, and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from noiselayer.features.cross_fitted import Step
from noiselayer.features.matrix_choice import MatrixChoice, choose_matrix

Way: TypeAlias = tuple[Step, MatrixChoice, bool]
"""A path's best step, the matrix by its logits, and whether Eq. 2 was climbed from there."""
_TURNS = 6  # at most


def by_turns(logits: Tensor, labels: Tensor, fold_of: Tensor, through: Callable[[Tensor], Way]) -> Way:
    """The last turn that explained labels held out better than the one before.

    Args:
        logits: Of the plain classifiers, shape (N, K), double, out of fold.
        labels: Noisy, shape (N,).
        fold_of: Shape (N,), 0..F-1.
        through: Fits the classifiers of all folds through a matrix.

    >>> z, y = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1), torch.tensor([0, 1]).repeat(50)
    >>> step = Step(1.0, torch.zeros(100), z, torch.zeros(2, 2, 3))
    >>> by_turns(z, y, torch.arange(100) % 2, lambda Q: (step, None, False))[0] is step
    True
    """
    K = logits.shape[1]
    counts = torch.bincount(labels * K + logits.argmax(dim=1), minlength=K * K).view(K, K).double() + 1 / K
    Q, best = counts / counts.sum(dim=0), None
    for _ in range(_TURNS):
        step, _, climbed = through(Q)
        judged = choose_matrix(step.logits, labels, fold_of)
        if best is not None and float(judged.losses.mean()) >= float(best[1].losses.mean()):
            break
        best = step, judged, climbed
        Q = judged.found.noise_matrix
    assert best is not None
    return best

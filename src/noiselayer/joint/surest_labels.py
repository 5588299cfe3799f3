r"""Labels of sure samples that a noise matrix cannot explain, whatever the samples are.

The noisy label of a sample of any class, or of any mixture of classes, is k with a probability of at most
:math:`\max_i Q_{ki}`. So of samples that were put together without their labels no larger share can carry the label k.
Where classes overlap a matrix may explain labels held out better than none does, and yet take the overlap for noise:
a classifier and its confusions are as likely as a surer one and a matrix. But such a matrix says that labels are wrong
everywhere, where the classes are far apart too, and there it is contradicted.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.arrays.ranks import bins_within

FEWEST = 30
"""Samples that a test needs."""
CONTRADICTED = 1.64
"""Standard errors by which labels may agree more often than Q allows; by chance they do in one of twenty cases."""


def beyond_any_mixture(
    noise_matrix: Tensor, predicted: Tensor, noisy_labels: Tensor, error: Tensor | None = None
) -> tuple[float, float, float]:
    """By how many standard errors labels agree with predictions more often than Q allows, the share, and that allowed.

    One test of all classes together sees small gaps that no class shows by itself.

    Args:
        noise_matrix: Q, shape (K, K), double, columns = true classes.
        predicted: Shape (N,), made without the labels.
        noisy_labels: Shape (N,).
        error: Standard errors of Q, shape (K, K); they may all point one way.

    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]], dtype=torch.float64)
    >>> z, seen, allowed = beyond_any_mixture(Q, torch.zeros(100).long(), torch.zeros(100).long())
    >>> round(z, 1), seen, allowed
    (5.0, 1.0, 0.8)
    """
    most, column = noise_matrix.max(dim=1)
    n = torch.bincount(predicted, minlength=len(most)).double()
    variance = float((n * most * (1 - most)).sum())
    if error is not None:
        variance += float((n * error.gather(1, column.unsqueeze(1)).squeeze(1)).sum()) ** 2
    seen, allowed = float((predicted == noisy_labels).double().mean()), float((n * most).sum() / n.sum())
    return len(predicted) * (seen - allowed) / max(variance, 1e-12) ** 0.5, seen, allowed


def contradicted(noise_matrix: Tensor, logits: Tensor, noisy_labels: Tensor) -> float:
    """The same of the surest third of every predicted class, in standard errors; 0 of too few samples.

    Args:
        noise_matrix: Q, shape (K, K), columns = true classes.
        logits: Shape (N, K), of a classifier that has not seen the labels.
        noisy_labels: Shape (N,).

    >>> z = torch.arange(1.0, 301.0)[:, None] * torch.eye(2)[torch.arange(300) % 2]
    >>> contradicted(torch.eye(2), z, torch.arange(300) % 2)  # labels are what is predicted, as they may be
    0.0
    """
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    surest = bins_within(confidence, predicted, 3) == 2
    if int(surest.sum()) < FEWEST:
        return 0.0
    return beyond_any_mixture(noise_matrix.double(), predicted[surest], noisy_labels[surest])[0]

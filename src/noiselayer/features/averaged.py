"""The mean of two classifiers' logits: a matrix that proves little is taken halfway.

Texts by their words are told apart by so many features that through a matrix of a thousand labels a classifier is bent
by what the matrix has wrong, and without one by the noise. Their logits, each divided by how far it spreads, have other
errors in part, and the mean is linear again. It is bound to explain labels held out worse than its matrix would: the
plain half makes noise of its own, and classes are held to the labels' shares. So of labels that a classifier seldom
repeats, as it does where half of them are wrong, no proof is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from noiselayer.features.cross_fitted import Step

_REPEATED = 0.5
"""Of the labels: right ones that a plain classifier has not seen are repeated more often, of 150 texts as well."""


def spread(logits: Tensor) -> float:
    """The root mean square of logits, shape (N, K), beside the means of their row and of their class: without biases.

    >>> spread(torch.tensor([[3.0, 1.0], [0.0, 2.0]])), spread(torch.tensor([[3.0, 1.0], [3.0, 1.0]])) < 1e-9
    (1.0, True)
    """
    z = logits - logits.mean(dim=1, keepdim=True)
    return max(float((z - z.mean(dim=0)).square().mean().sqrt()), 1e-12)


def seldom_repeated(logits: Tensor, labels: Tensor) -> bool:
    """Whether no more than half of the labels, shape (N,), are what logits out of fold, (N, K), say.

    >>> seldom_repeated(torch.eye(2), torch.tensor([0, 0])), seldom_repeated(torch.eye(2), torch.tensor([0, 1]))
    (True, False)
    """
    return float((logits.argmax(dim=1) == labels).double().mean()) <= _REPEATED


def averaged(steps: Sequence[Step]) -> Step:
    """Their logits and weights in the mean, the spread of each brought to 1; ridge and losses are the last one's.

    >>> z, W = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), torch.tensor([[[1.0], [-1.0]]])
    >>> steps = [Step(1.0, torch.zeros(2), a * z, a * W) for a in (0.1, 10.0)]
    >>> averaged(steps).logits[0], averaged(steps).weights.flatten()
    (tensor([ 1., -1.]), tensor([ 1., -1.]))
    """
    if len(steps) == 1:
        return steps[0]
    parts = [1 / (len(steps) * spread(step.logits)) for step in steps]
    logits = torch.stack([a * step.logits for a, step in zip(parts, steps, strict=True)]).sum(dim=0)
    weights = torch.stack([a * step.weights for a, step in zip(parts, steps, strict=True)]).sum(dim=0)
    return Step(steps[-1].ridge, steps[-1].losses, logits, weights)

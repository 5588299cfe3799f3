r"""Classes as clusters of the features: Gaussian distributions with one covariance (Fisher's linear discriminant).

A regression that is fitted to what people say learns their mistakes where they depend on the sample: photographs of one
kind that most call another. A distribution of the features in every class takes its boundary through where few samples
are, whatever the labels say there,

.. math:: p(y = k \mid x) \propto \pi_k\, \mathcal N(x;\, \mu_k, \Sigma),

and is linear in x too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.features.discriminant import linear_rule

_COMPONENTS = 50  # principal ones, at most
_SHRINKAGE = 0.1  # of the covariance, towards the same variance in all directions


def cluster_weights(Z: Tensor, targets: Tensor) -> Tensor:
    """W, shape (K, r + 1) with the biases last, double: the logits of the classes are linear in Z.

    Args:
        Z: Principal components, shape (N, r), the largest first.
        targets: Shape (N, K), probabilities of the classes.

    >>> from noiselayer.joint.linear_fit import linear_logits
    >>> Z = torch.tensor([[-1.1], [-0.9], [0.9], [1.1]])
    >>> targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.4, 0.6]])  # the last is in doubt
    >>> linear_logits(Z.double(), cluster_weights(Z, targets)).argmax(dim=1)
    tensor([0, 0, 1, 1])
    """
    X, T = Z[:, :_COMPONENTS].double(), targets.double()
    middle, n = X.mean(dim=0), T.sum(dim=0)
    X = X - middle
    means = (T.T @ X) / n[:, None].clamp_min(1e-3)
    within = (X.T @ X - (means.T * n) @ means) / len(X)
    variance = within.diagonal().mean().clamp_min(1e-9 * X.square().mean()).clamp_min(1e-12)
    even = variance * torch.eye(len(within), dtype=torch.float64)
    shrunk = (1 - _SHRINKAGE) * within + _SHRINKAGE * even
    slopes, biases = linear_rule(shrunk, means, (n / n.sum()).clamp_min(1e-6))
    W = torch.zeros(T.shape[1], Z.shape[1] + 1, dtype=torch.float64)
    W[:, : X.shape[1]] = slopes
    W[:, -1] = biases - slopes @ middle
    return W

r"""What a ridge takes from a linear classifier: a factor of its logits, and the biases that go with it.

The ridge shrinks the weights and not the biases. Where labels say little it is strong, and the biases, made for the
logits as they are, decide too much: frequent classes are predicted far too often. A factor of all logits mends how sure
the classifier is, and makes that worse. So the biases are fitted anew together with it,

.. math:: \min_{s,\, b}\; -\frac{1}{N} \sum_n \log \sum_i Q_{\tilde y_n i}\; \mathrm{softmax}_i(s\, z_n + b)
          \;+\; \frac{\|b\|^2}{N},

to logits of samples that the classifier has not seen. Through a matrix of few labels b may err far, and with it how
often each class is predicted. So made-up samples may be added, c in number, whose true classes are as frequent as the
labels, of which a share \tilde\pi_i is i: their term is the mean probability of a class,

.. math:: -\frac{c}{N} \sum_i \tilde\pi_i \log \frac{1}{N} \sum_n \mathrm{softmax}_i(s\, z_n + b) .
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from noiselayer.features.minima import minimise_each
from noiselayer.joint.linear_fit import evenly_spaced
from noiselayer.losses.log_space import noisy_nll

_MOST = 20_000  # samples; so few numbers need no more


def fit_scale_and_shifts(
    logits: Tensor,
    labels: Tensor,
    noise_rows: Tensor,
    *,
    scale: float = 1.0,
    made_up: float = 0.0,
    iterations: int = 50,
) -> tuple[float, Tensor]:
    """S and b, shape (K,), double, of the equation above.

    Args:
        logits: z, shape (N, K), double.
        labels: Noisy, shape (N,), integers 0..K-1.
        noise_rows: Shape (K, K), the noise matrix.
        scale: s to begin with.
        made_up: c, samples whose true classes are as frequent as the labels.
        iterations: Of L-BFGS.

    >>> z = torch.tensor([[1.0, 0.5], [0.0, 0.5]], dtype=torch.float64).repeat(50, 1)  # always a little for class 0
    >>> s, b = fit_scale_and_shifts(z, torch.tensor([0, 1]).repeat(50), torch.eye(2, dtype=torch.float64))
    >>> s > 3, (s * z + b)[:2].argmax(dim=1).tolist()
    (True, [0, 1])
    """
    rows = evenly_spaced(len(labels), _MOST)
    z, of_label = logits[rows].double(), noise_rows.double()[labels[rows]]
    N, K = z.shape
    shares = torch.bincount(labels[rows], minlength=len(noise_rows))[:K].double() / N

    def value(x: Tensor) -> tuple[Tensor, Tensor]:
        s, b = x[:, 0].exp(), x[:, 1:]
        p = (s * z + b).softmax(dim=1)
        joint = of_label * p
        evidence = joint.sum(dim=1, keepdim=True).clamp_min(1e-300)
        by_z = p - joint / evidence
        mean = p.mean(dim=0).clamp_min(1e-300)
        pull = p * (shares / mean)
        by_z -= (pull - p * pull.sum(dim=1, keepdim=True)) * (made_up / N)
        loss = (b.square().sum() - evidence.log().sum() - made_up * (shares * mean.log()).sum()) / N
        by_s, by_b = (by_z * z).sum() * s, by_z.sum(dim=0) + 2 * b
        return loss[None], torch.cat([by_s[None], by_b], dim=1) / N

    start = torch.cat([torch.tensor([math.log(scale)]).double(), torch.zeros(K).double()])
    found = minimise_each(value, start[None], iterations)[0]
    return float(found[0].exp()), found[1:]


def calibrated_losses(
    logits: Tensor,
    labels: Tensor,
    fold_of: Tensor,
    matrices: Sequence[Tensor],
    *,
    scale: float = 1.0,
    made_up: float = 0.0,
) -> Tensor:
    """Of every label, shape (N,), double: the matrix of its fold, s and b fitted to the other folds.

    Args:
        logits: z, shape (N, K), double, of classifiers that have not seen the label.
        labels: Noisy, shape (N,), integers 0..K-1.
        fold_of: Shape (N,), 0..F-1.
        matrices: Shape (K, K) each, one per fold.
        scale: s to begin with.
        made_up: As in :func:`fit_scale_and_shifts`.

    >>> z = torch.eye(2, dtype=torch.float64).repeat(50, 1)
    >>> I = torch.eye(2, dtype=torch.float64)
    >>> bool((calibrated_losses(z, torch.tensor([0, 1]).repeat(50), torch.arange(100) // 50, [I, I]) < 0.1).all())
    True
    """
    losses = torch.empty(len(logits), dtype=torch.float64)
    for fold, Q in enumerate(matrices):
        held = fold_of == fold
        s, b = fit_scale_and_shifts(logits[~held], labels[~held], Q, scale=scale, made_up=made_up)
        losses[held] = noisy_nll(logits[held] * s + b, labels[held], Q)
    return losses

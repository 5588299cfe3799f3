"""The noise matrix that makes labels likeliest under a classifier's logits, and the scale the logits lack (§3.3)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from noiselayer.joint.linear_fit import minimise, noisy_likelihood
from noiselayer.losses.log_space import noisy_nll


class MatrixFit(NamedTuple):
    """What :func:`fit_matrix` has found.

    Attributes:
        log_matrix: Shape (K, K), double; its softmax over rows is Q.
        scale: s, the factor of the logits.
        loss: Mean loss of the labels through both, in nats, without what was added to it.
    """

    log_matrix: Tensor
    scale: float
    loss: float

    @property
    def noise_matrix(self) -> Tensor:
        """Q, shape (K, K), double, columns = true classes."""
        return self.log_matrix.softmax(dim=0)


def log_columns(noise_matrix: Tensor) -> Tensor:
    """Logits of Q's columns, double; none is so low that it could not grow again.

    >>> log_columns(torch.eye(2)).exp()
    tensor([[1.0000, 0.0010],
            [0.0010, 1.0000]], dtype=torch.float64)
    """
    return noise_matrix.detach().cpu().double().clamp_min(1e-3).log()


def even_errors(right: float, num_classes: int) -> Tensor:
    """The matrix, shape (K, K), double, of labels that are right with this probability and else wrong evenly.

    >>> even_errors(0.8, 3)[0]
    tensor([0.8000, 0.1000, 0.1000], dtype=torch.float64)
    """
    K = num_classes
    return torch.full((K, K), (1 - right) / (K - 1), dtype=torch.float64).fill_diagonal_(right)


def fit_matrix(
    logits: Tensor,
    labels: Tensor,
    start: Tensor,
    *,
    scale: float = 1.0,
    counts: float = 0.0,
    trace_weight: float = 0.0,
    iterations: int = 60,
) -> MatrixFit:
    r"""Q and s that minimise the mean loss of labels which the classifier has not seen.

    .. math:: -\frac{1}{N} \sum_n \log \sum_i Q_{\tilde y_n i}\; \mathrm{softmax}_i(s\, z_n)
              \;-\; \frac{c}{N} \sum_{ji} E_{ji} \log Q_{ji} \;+\; \frac{\mu}{K}\, \mathrm{tr}\, Q

    Args:
        logits: z, shape (N, K), double.
        labels: Shape (N,), integers 0..K-1.
        start: Logits of Q's columns to begin with, shape (K, K), double (:func:`log_columns`).
        scale: s to begin with.
        counts: c, made-up samples of every class, as often right as the mean class is at the start and else wrong
            evenly (E).
        trace_weight: mu, of Theorem 1's trace.
        iterations: Of L-BFGS.

    >>> logits = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1)
    >>> labels = torch.tensor([0, 1]).repeat(50)
    >>> fit = fit_matrix(logits, labels, log_columns(even_errors(0.8, 2)))
    >>> bool((fit.noise_matrix.diagonal() > 0.99).all()), fit.scale > 1
    (True, True)
    """
    N, K = logits.shape
    given = one_hot(labels, K).to(logits)
    even = even_errors(float(start.softmax(dim=0).diagonal().mean()), K)

    def likelihood(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The labels' mean loss, by (log s, A), and its gradients with respect to log s and Q."""
        scaled = logits * x[0].exp()
        loss, grad_z, grad_Q = noisy_likelihood(scaled, given, x[1:].view(K, K).softmax(dim=0))
        return loss, (grad_z * scaled).sum(), grad_Q

    def value(x: Tensor) -> tuple[Tensor, Tensor]:
        loss, grad_s, grad_Q = likelihood(x)
        log_Q = x[1:].view(K, K).log_softmax(dim=0)
        Q = log_Q.exp()
        loss = loss - counts / N * (even * log_Q).sum() + trace_weight * Q.diagonal().mean()
        grad_Q.diagonal().add_(trace_weight / K)
        grad_A = Q * (grad_Q - (Q * grad_Q).sum(dim=0)) + counts / N * (Q - even)
        return loss, torch.cat([grad_s[None], grad_A.flatten()])

    x = torch.cat([start.new_tensor([math.log(scale)]), start.flatten()])
    x = minimise(value, x, iterations, tolerance_change=1e-9)
    return MatrixFit(x[1:].view(K, K), float(x[0].exp()), float(likelihood(x)[0]))


def fit_scale(logits: Tensor, labels: Tensor, noise_rows: Tensor, *, iterations: int = 20) -> float:
    r"""S alone, where the matrix is fixed: the minimum of :math:`-\sum_n \log \sum_i g_{ni} \mathrm{softmax}_i(s z_n)`.

    Args:
        logits: z, shape (N, K).
        labels: Shape (N,), integers 0..K-1.
        noise_rows: Shape (K, K), the noise matrix.
        iterations: Of golden section on log s, each of which narrows it to 0.62 of what it was.

    >>> z = torch.eye(2, dtype=torch.float64).repeat(2, 1)
    >>> s = fit_scale(z, torch.tensor([0, 1, 0, 0]), torch.eye(2, dtype=torch.float64))
    >>> round(float(torch.sigmoid(torch.tensor(s))), 2)  # as sure as three of four allow
    0.75
    """
    low, high, golden = -3.0, 5.0, (math.sqrt(5) - 1) / 2

    def loss(log_scale: float) -> float:
        return float(noisy_nll(logits * math.exp(log_scale), labels, noise_rows).mean())

    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = loss(a), loss(b)
    for _ in range(iterations):
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = loss(b)
    return math.exp((low + high) / 2)

r"""Many noise matrices at once, each with its own samples and smoothing, and the scales their logits lack.

Each is that of :func:`noiselayer.joint.matrix_fit.fit_matrix`, of samples in groups g that have a Q of their own,

.. math:: -\frac{1}{N} \sum_n \log \sum_i Q^{g_n}_{\tilde y_n i}\; \mathrm{softmax}_i(s\, z_n)
          \;-\; \frac{c}{G N} \sum_{gji} E_{ji} \log Q^g_{ji} \;+\; \frac{\mu}{G K} \sum_g \mathrm{tr}\, Q^g
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.features.minima import minimise_each
from noiselayer.joint.matrix_fit import even_errors

_ENTRIES = 2**18  # of probabilities at a time
_TOLERANCE = 4e-5  # nats, over the root of N: far below the standard error of a mean loss


def fit_matrices(
    logits: Tensor,
    labels: Tensor,
    seen: Tensor,
    start: Tensor,
    scales: Tensor,
    *,
    groups: Tensor,
    counts: Tensor,
    trace_weights: Tensor,
    iterations: int = 60,
) -> tuple[Tensor, Tensor]:
    """Logits of the columns of B times G matrices, shape (B, G, K, K), and B scales, double.

    Args:
        logits: z, shape (N, K), or (N, B, K) where they differ among problems.
        labels: Shape (N,), integers 0..K-1.
        seen: Shape (N, B), 1 where a problem has the sample, else 0.
        start: To begin with, shape (B, G, K, K); E is as often right as its mean class.
        scales: s to begin with, shape (B,).
        groups: Shape (N, B), integers 0..G-1.
        counts: c, shape (B,).
        trace_weights: mu, shape (B,).
        iterations: Of L-BFGS.

    >>> z = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1)
    >>> y = torch.tensor([0, 1]).repeat(50)
    >>> start = even_errors(0.8, 2).log()[None, None]
    >>> zeros = torch.zeros(1, dtype=torch.float64)
    >>> A, s = fit_matrices(
    ...     z, y, torch.ones(100, 1), start, zeros + 1, groups=torch.zeros(100, 1, dtype=torch.long),
    ...     counts=zeros, trace_weights=zeros,
    ... )
    >>> bool((A.softmax(dim=-2).diagonal(dim1=-2, dim2=-1) > 0.99).all()), bool(s > 1)
    (True, True)
    """
    B, G, K, _ = start.shape
    each = seen.sum(dim=0, dtype=torch.float64)
    seen = seen.float()
    right = start.softmax(dim=-2).diagonal(dim1=-2, dim2=-1).mean(dim=(1, 2))
    made_up = torch.stack([even_errors(float(a), K) for a in right])
    made_up = (made_up * (counts / (G * each))[:, None, None])[:, None].expand(B, G, K, K)
    index = (torch.arange(B) * G + groups) * K + labels[:, None]  # of rows, all matrices one below another
    z = (logits if logits.ndim == 3 else logits[:, None]).float()
    z = z - z.amax(dim=2, keepdim=True)  # so that the largest exponential is 1, whatever s is
    chunk = max(1, _ENTRIES // (B * K))
    parts = [torch.split(t, chunk) for t in (z, index, seen)]

    def value(x: Tensor) -> tuple[Tensor, Tensor]:
        s, A = x[:, 0].exp(), x[:, 1:].view(B, G, K, K)
        log_Q = A.log_softmax(dim=-2)
        Q = log_Q.exp()
        rows = Q.view(-1, K).float()
        loss, grad_s = torch.zeros(B, dtype=torch.float64), torch.zeros(B, dtype=torch.float64)
        grad_Q = torch.zeros(B * G * K, K, dtype=torch.float64)
        for z_, index_, seen_ in zip(*parts, strict=True):
            scaled = z_ * s[:, None].float()
            p = scaled.exp()
            p /= p.sum(dim=2, keepdim=True)  # torch's own softmax takes short rows one at a time
            joint = rows[index_].mul_(p)
            evidence = joint.sum(dim=2, keepdim=True).clamp_min_(1e-30)
            loss -= (evidence.squeeze(2).log() * seen_).sum(dim=0, dtype=torch.float64)
            ratio = p * (seen_[:, :, None] / evidence)
            part = torch.zeros_like(rows).index_add_(0, index_.flatten(), ratio.view(-1, K))
            grad_Q -= part  # of single precision within some thousand rows, and of double among them
            by_z = (p * seen_[:, :, None]).sub_(joint.mul_(seen_[:, :, None] / evidence))
            grad_s += by_z.mul_(scaled).sum(dim=(0, 2), dtype=torch.float64)
        grad = grad_Q.view_as(Q) / each[:, None, None, None]
        grad.diagonal(dim1=-2, dim2=-1).add_((trace_weights / (G * K))[:, None, None])
        grad_A = Q * (grad - (Q * grad).sum(dim=-2, keepdim=True))
        grad_A += Q * made_up.sum(dim=-2, keepdim=True) - made_up
        loss = loss / each - (made_up * log_Q).sum(dim=(1, 2, 3))
        loss = loss + trace_weights * Q.diagonal(dim1=-2, dim2=-1).mean(dim=(1, 2))
        return loss, torch.cat([(grad_s / each)[:, None], grad_A.view(B, -1)], dim=1)

    x = torch.cat([scales.log()[:, None], start.reshape(B, -1)], dim=1)
    x = minimise_each(value, x, iterations, tolerance_change=_TOLERANCE / len(labels) ** 0.5)
    return x[:, 1:].view(B, G, K, K), x[:, 0].exp()

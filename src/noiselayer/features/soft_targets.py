r"""Multinomial logistic regression on probabilities of classes, by preconditioned L-BFGS over the full batch.

One target matrix T serves every method, a row a sample: the label itself for plain regression and for trusted samples,
the posterior of the true class for noisy ones, softened labels top-down (Eq. 6), the uniform distribution for samples
from no class; the sum of a row is the sample's weight (Eq. 7). With the posterior the gradient,

.. math:: \frac{\partial \ell}{\partial z_{ni}} = p_{ni} - \pi_{ni}, \qquad
          \pi_{ni} = \frac{Q_{\tilde y_n i}\, p_{ni}}{\sum_k Q_{\tilde y_n k}\, p_{nk}},

is that of Eq. 2, for posteriors that stay as they are meanwhile; or, where a part gives rows of Q, that move along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from noiselayer.features.minima import minimise_each

_ENTRIES = 2**20  # of logits at a time
_BIAS_RIDGE = 1e-6  # a class without samples would drive its bias to minus infinity

Part: TypeAlias = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]
"""Components, shape (M, r), and targets, (M, K), or (B, K, M) of B problems.

With a third, weights of shape (B, M), the second are rows of noise matrices, Q[label, i], and the loss is Eq. 2's.
Samples come last because a softmax of ten classes takes a sixth of the time then.
"""


def fit_soft_targets(
    parts: Sequence[Part],
    variances: Tensor,
    ridge: float,
    *,
    counts: Tensor | None = None,
    start: Tensor | None = None,
    iterations: int = 60,
    tolerance: float = 1e-7,
) -> Tensor:
    """W, shape (K, r + 1) with the biases last: the least mean cross-entropy to the targets, with a ridge.

    Args:
        parts: Components and targets; several are one data set, uncopied. Targets of shape (B, K, M) are of B problems,
            solved at once: a problem does not see the samples whose targets are zeros.
        variances: Of the components, shape (r,). Every weight is counted in the unit in which the loss bends by about
            one, so that L-BFGS needs a dozen steps where it needed a hundred.
        ridge: Weight of ||W||^2 / 2 beside the *mean* loss; the biases are left alone.
        counts: Shape (B,), samples that every problem sees, where these are not all.
        start: W to begin with; zero if None.
        iterations: At most.
        tolerance: A problem is done when its loss falls by less.

    Returns:
        W; shape (B, K, r + 1) for several problems.

    >>> Z = torch.tensor([[-1.0], [1.0]]).repeat(50, 1)
    >>> W = fit_soft_targets([(Z, torch.eye(2).repeat(50, 1))], torch.ones(1), 0.01)
    >>> (Z[:2] @ W[:, :-1].T + W[:, -1]).argmax(dim=1)
    tensor([0, 1])
    """
    first = parts[0][1]
    B, K = first.shape[:2] if first.ndim == 3 else (1, first.shape[1])
    dtype = first.dtype
    r = len(variances)
    if counts is None:
        counts = torch.full((B,), sum(len(part[0]) for part in parts))
    ridges = torch.cat(
        [torch.full_like(variances, ridge), torch.tensor([_BIAS_RIDGE], dtype=variances.dtype)]
    )
    # A softmax of K classes bends by (1 - 1/K) / K at most where it knows nothing, and by less where it does.
    bend = torch.cat([variances, torch.ones(1, dtype=variances.dtype)]) / K
    unit = (bend + ridges).rsqrt().to(dtype)
    ridges = ridges.to(dtype)
    share = (1 / counts).to(dtype)[:, None, None]
    rows = max(1, _ENTRIES // (B * K))
    pieces: list[tuple[Tensor, Tensor, Tensor | None, Tensor]] = []
    for Z, T, *weights in parts:
        T = (T if T.ndim == 3 else T.T.contiguous()[None]).expand(B, K, -1)
        w = weights[0] if weights else None
        by = (T.amax(dim=1) if w is None else w).amax(dim=1) > 0  # the problems that see any of these samples
        if not by.all():
            T, w = T[by], None if w is None else w[by]
        for some in torch.split(torch.arange(len(Z)), rows):
            at = slice(int(some[0]), int(some[-1]) + 1)
            pieces.append((Z[at], T[:, :, at], None if w is None else w[:, at], by))

    def value(x: Tensor) -> tuple[Tensor, Tensor]:
        W = x.view(B, K, r + 1) * unit
        loss = torch.zeros(B, dtype=torch.float64)
        gradient = torch.zeros_like(W)
        for Z, T, w, by in pieces:
            Z, W_ = Z.to(dtype), W[by].view(-1, r + 1)
            # Samples first in the product: three quarters of the time on two threads.
            z = torch.addmm(W_[:, -1], Z, W_[:, :-1].T).T.contiguous()
            log_p = z.view(-1, K, len(Z)).log_softmax(dim=1)
            if w is None:
                loss[by] -= (T * log_p).sum(dim=1).sum(dim=1, dtype=torch.float64)
                grad_z = log_p.exp_().mul_(T.sum(dim=1, keepdim=True)).sub_(T)
            else:
                p = log_p.exp_()
                joint = T * p
                evidence = joint.sum(dim=1).clamp_min_(1e-30)
                loss[by] -= (w * evidence.log()).sum(dim=1, dtype=torch.float64)
                grad_z = p.mul_(w[:, None]).sub_(joint.mul_((w / evidence)[:, None]))
            grad_W = torch.cat([grad_z.view(-1, len(Z)) @ Z, grad_z.sum(dim=2).view(-1, 1)], dim=1)
            gradient[by] += grad_W.view(-1, K, r + 1)
        loss = loss / counts + (ridges * W.square()).view(B, -1).sum(dim=1, dtype=torch.float64) / 2
        gradient = (gradient * share).add_(ridges * W)
        return loss, (gradient * unit).view(B, -1)

    u = torch.zeros(B, K, r + 1, dtype=dtype) if start is None else start.reshape(B, K, r + 1) / unit
    u = minimise_each(value, u.view(B, -1), iterations, tolerance_change=tolerance)
    W = u.view(B, K, r + 1) * unit
    return W if first.ndim == 3 else W[0]

r"""Multinomial logistic regression on probabilities of classes, by preconditioned L-BFGS over the full batch.

One target matrix T serves every method, a row a sample: the label itself for plain regression and for trusted samples,
the posterior of the true class for noisy ones, softened labels top-down (Eq. 6), the uniform distribution for samples
from no class; the sum of a row is the sample's weight (Eq. 7). With the posterior the gradient,

.. math:: \frac{\partial \ell}{\partial z_{ni}} = p_{ni} - \pi_{ni}, \qquad
          \pi_{ni} = \frac{Q_{\tilde y_n i}\, p_{ni}}{\sum_k Q_{\tilde y_n k}\, p_{nk}},

is that of Eq. 2, for posteriors that stay as they are meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from noiselayer.joint.linear_fit import linear_logits, minimise

_ROWS = 2**16
_BIAS_RIDGE = 1e-6  # a class without samples would drive its bias to minus infinity

Part = tuple[Tensor, Tensor]
"""Components, shape (M, r), and targets, (M, K)."""


def fit_soft_targets(
    parts: Sequence[Part],
    variances: Tensor,
    ridge: float,
    *,
    start: Tensor | None = None,
    iterations: int = 60,
) -> Tensor:
    """W, shape (K, r + 1) with the biases last: the least mean cross-entropy to the targets, with a ridge.

    Args:
        parts: Components and targets; several are one data set, uncopied.
        variances: Of the components, shape (r,). Every weight is counted in the unit in which the loss bends by about
            one, so that L-BFGS needs a dozen steps where it needed a hundred.
        ridge: Weight of ||W||^2 / 2 beside the *mean* loss; the biases are left alone.
        start: W to begin with; zero if None.
        iterations: At most.

    >>> Z = torch.tensor([[-1.0], [1.0]]).repeat(50, 1)
    >>> W = fit_soft_targets([(Z, torch.eye(2).repeat(50, 1))], torch.ones(1), 0.01)
    >>> linear_logits(Z[:2], W).argmax(dim=1)
    tensor([0, 1])
    """
    Z, T = parts[0]
    shape = T.shape[1], Z.shape[1] + 1
    dtype = T.dtype
    count = sum(len(T) for _, T in parts)
    ridges = torch.cat(
        [torch.full_like(variances, ridge), torch.tensor([_BIAS_RIDGE], dtype=variances.dtype)]
    )
    # A softmax of K classes bends by (1 - 1/K) / K at most where it knows nothing, and by less where it does.
    bend = torch.cat([variances, torch.ones(1, dtype=variances.dtype)]) / shape[0]
    unit = (bend + ridges).rsqrt().to(dtype)
    ridges = ridges.to(dtype)

    def value(x: Tensor) -> tuple[Tensor, Tensor]:
        W = x.view(shape) * unit
        loss = torch.zeros((), dtype=torch.float64)
        gradient = torch.zeros_like(W)
        for Z, T in parts:
            for Z_, T_ in zip(torch.split(Z, _ROWS), torch.split(T, _ROWS), strict=True):
                Z_ = Z_.to(dtype)
                log_p = torch.log_softmax(linear_logits(Z_, W), dim=1)
                loss -= (T_ * log_p).sum().double()
                grad_z = log_p.exp_().mul_(T_.sum(dim=1, keepdim=True)).sub_(T_)
                gradient[:, :-1] += grad_z.T @ Z_
                gradient[:, -1] += grad_z.sum(dim=0)
        loss = loss / count + (ridges * W.square()).sum().double() / 2
        gradient = gradient.div_(count).add_(ridges * W)
        return loss, (gradient * unit).flatten()

    u = torch.zeros(shape, dtype=dtype) if start is None else start / unit
    found = minimise(value, u.flatten(), iterations, tolerance_change=1e-7, tolerance_gradient=1e-5)
    return found.view(shape) * unit

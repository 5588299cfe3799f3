"""Many small problems of one shape minimised at once: their arithmetic is one large product instead of many thin ones.

Nothing of ``torch.optim`` here: its first optimizer of a process imports torch's compiler, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_HISTORY = 10
_HALVINGS = 12  # of a step that does not descend; each leaves 0.3 of it
_LEAST_DESCENT = 1e-4  # Armijo's share of what the slope promises


def minimise_each(
    value: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    iterations: int,
    *,
    tolerance_change: float = 1e-7,
    tolerance_gradient: float = 1e-5,
) -> Tensor:
    """L-BFGS with a step of its own for every problem; a row of x is one.

    Args:
        value: x, shape (B, P), to losses, (B,), double, and gradients, (B, P).
        start: x to begin with.
        iterations: At most.
        tolerance_change: A problem is done when its loss falls by less.
        tolerance_gradient: Or when no entry of its gradient is larger.

    >>> goal = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> value = lambda x: ((x - goal).square().sum(dim=1).double(), 2 * (x - goal))
    >>> minimise_each(value, torch.zeros(2, 2), 20).round(decimals=3)
    tensor([[1., 2.],
            [3., 4.]])
    """
    x = start
    loss, gradient = value(x)
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    scale = torch.ones_like(x[:, :1])
    running = gradient.abs().amax(dim=1) > tolerance_gradient
    for count in range(iterations):
        if not running.any():
            break
        direction = -_inverse_hessian_times(gradient, history, scale)
        slope = (direction * gradient).sum(dim=1)
        uphill = slope >= 0
        direction[uphill], slope[uphill] = -gradient[uphill], -gradient[uphill].square().sum(dim=1)
        length = torch.ones_like(slope)
        if count == 0:
            length = (1 / gradient.abs().sum(dim=1).clamp_min(1e-30)).clamp_max(1)
        for _ in range(_HALVINGS):
            tried = x + length[:, None] * direction
            new_loss, new_gradient = value(tried)
            descended = new_loss <= loss + _LEAST_DESCENT * (length * slope).double() + 1e-9
            if (descended | ~running).all():
                break
            length = torch.where(descended, length, 0.3 * length)
        moved = (descended & running)[:, None]
        step, bend = torch.where(moved, tried - x, 0), torch.where(moved, new_gradient - gradient, 0)
        product = (step * bend).sum(dim=1, keepdim=True)
        convex = product > 1e-10 * step.square().sum(dim=1, keepdim=True)
        weight = torch.where(convex, 1 / torch.where(convex, product, 1), 0)
        history = [*history[1 - _HISTORY :], (step, bend, weight)]
        scale = torch.where(convex, product / bend.square().sum(dim=1, keepdim=True).clamp_min(1e-30), scale)
        running = running & descended & (loss - new_loss > tolerance_change)
        x, gradient = torch.where(moved, tried, x), torch.where(moved, new_gradient, gradient)
        loss = torch.where(moved[:, 0], new_loss, loss)
        running = running & (gradient.abs().amax(dim=1) > tolerance_gradient)
    return x


def _inverse_hessian_times(
    gradient: Tensor, history: list[tuple[Tensor, Tensor, Tensor]], scale: Tensor
) -> Tensor:
    """The two loops of L-BFGS; a weight of 0 skips a pair of a problem that did not bend upwards."""
    q, kept = gradient.clone(), []
    for step, bend, weight in reversed(history):
        a = weight * (step * q).sum(dim=1, keepdim=True)
        q.addcmul_(a, bend, value=-1)
        kept.append(a)
    q *= scale
    for (step, bend, weight), a in zip(history, reversed(kept), strict=True):
        q.addcmul_(step, a - weight * (bend * q).sum(dim=1, keepdim=True))
    return q

r"""A linear classifier and a noise matrix fitted together by L-BFGS, with gradients in closed form.

On a few hundred samples the time goes into calls and not into arithmetic, so there is no autograd here, and the
minimiser is SciPy's, which is compiled: one exponential an entry gives the likelihood and both its gradients,

.. math:: \frac{\partial \ell}{\partial z_i} = p_i - \frac{Q_{\tilde y i}\, p_i}{\sum_k Q_{\tilde y k}\, p_k}, \qquad
          \frac{\partial \ell}{\partial Q_{\tilde y i}} = - \frac{p_i}{\sum_k Q_{\tilde y k}\, p_k}.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class LinearFit:
    """Fits the logits ``W f + b`` of the true class, and Q, to noisy labels; features (N, D) are float64."""

    def __init__(self, features: Tensor, noisy_labels: Tensor, num_classes: int, *, iterations: int) -> None:
        self.f = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
        self.given = torch.nn.functional.one_hot(noisy_labels, num_classes).to(features)
        self.iterations = iterations

    def classifier(self, A: Tensor, *, ridge: float, start: Tensor | None = None) -> Tensor:
        """W (K, D + 1), b last, for fixed Q = ``A.softmax(0)``; ``ridge`` weighs ||W||^2 / 2 without b."""
        shape = len(A), self.f.shape[1]
        Q = A.softmax(dim=0)

        def value(x: Tensor) -> tuple[Tensor, Tensor]:
            loss, grad_W, _ = self.likelihood(W := x.view(shape), Q)
            return self._with_ridge(loss, grad_W, W, ridge), grad_W.flatten()

        start = self.f.new_zeros(shape) if start is None else start
        return minimise(value, start.flatten(), self.iterations).view(shape)

    def both(self, W: Tensor, A: Tensor, *, ridge: float, trace_weight: float) -> tuple[Tensor, Tensor]:
        """W and A from a start of both; ``trace_weight`` times tr(Q) / K is added to the loss."""
        K, size = len(A), W.numel()

        def value(x: Tensor) -> tuple[Tensor, Tensor]:
            W_, Q = x[:size].view_as(W), x[size:].view_as(A).softmax(dim=0)
            loss, grad_W, grad_Q = self.likelihood(W_, Q)
            loss = self._with_ridge(loss, grad_W, W_, ridge) + trace_weight * Q.diagonal().mean()
            grad_Q.diagonal().add_(trace_weight / K)
            grad_A = Q * (grad_Q - (Q * grad_Q).sum(dim=0))
            return loss, torch.cat([grad_W.flatten(), grad_A.flatten()])

        x = minimise(value, torch.cat([W.flatten(), A.flatten()]), self.iterations)
        return x[:size].view_as(W), x[size:].view_as(A)

    def likelihood(self, W: Tensor, Q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean loss, and its gradients with respect to W and Q."""
        loss, grad_z, grad_Q = noisy_likelihood(self.f @ W.T, self.given, Q)
        return loss, grad_z.T @ self.f, grad_Q

    @staticmethod
    def _with_ridge(loss: Tensor, grad_W: Tensor, W: Tensor, ridge: float) -> Tensor:
        """Add the ridge to the loss, and to its gradient in place."""
        weights = W[:, :-1]
        grad_W[:, :-1].add_(weights, alpha=ridge)
        return loss + ridge / 2 * weights.square().sum()


def noisy_likelihood(z: Tensor, given: Tensor, Q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean loss of noisy labels, and its gradients with respect to logits and Q.

    Args:
        z: Logits of the true class, shape (N, K), float64.
        given: Noisy labels, one-hot, shape (N, K).
        Q: Shape (K, K), columns = true classes.

    >>> z, Q = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.9, 0.3], [0.1, 0.7]], dtype=torch.float64)
    >>> loss, by_logits, by_matrix = noisy_likelihood(z, torch.tensor([[1.0, 0.0]], dtype=torch.float64), Q)
    >>> loss.exp()  # 1 / (0.9 / 2 + 0.3 / 2)
    tensor(1.6667, dtype=torch.float64)
    >>> by_logits, by_matrix[0]
    (tensor([[-0.2500,  0.2500]], dtype=torch.float64), tensor([-0.8333, -0.8333], dtype=torch.float64))
    """
    p = (z - z.amax(dim=1, keepdim=True)).exp_()  # up to a factor, which cancels in the gradients
    joint = given @ Q
    joint *= p
    total = p.sum(dim=1, keepdim=True)
    # Q is a softmax and the largest p is 1: this is above 0, unless a column's logits are 700 apart.
    evidence = joint.sum(dim=1, keepdim=True).clamp_min_(1e-300)
    loss = (total / evidence).log_().mean()
    grad_Q = (given.T @ (p / evidence)).div_(-len(p))
    grad_z = p.div_(total).sub_(joint.div_(evidence)).div_(len(p))
    return loss, grad_z, grad_Q


def linear_logits(features: Tensor, W: Tensor) -> Tensor:
    """Logits, shape (N, K), of a classifier of shape (K, D + 1), its last column the biases.

    >>> linear_logits(torch.ones(1, 2), torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[6.]])
    """
    return torch.addmm(W[:, -1], features, W[:, :-1].T)


def evenly_spaced(count: int, most: int) -> Tensor:
    """At most so many row numbers of a count, evenly spaced.

    >>> evenly_spaced(5, 3)
    tensor([0, 2, 4])
    """
    return torch.linspace(0, count - 1, min(count, most)).long()


def num_components(num_classes: int) -> int:
    """How many principal components of features are used if nobody says: 64, or twice K up to 512.

    >>> num_components(10), num_components(100)
    (64, 200)
    """
    return max(64, min(2 * num_classes, 512))


def principal_features(f: Tensor, held: Tensor, max_features: int) -> tuple[Tensor, Tensor]:
    """Standardised principal components of ``f``, on one scale so that one ridge serves them all; ``held`` goes along.

    >>> f = torch.tensor([[0.0, 5.0], [2.0, 5.0]], dtype=torch.float64)
    >>> principal_features(f, f[:1], 2)[0].abs()
    tensor([[0.7071],
            [0.7071]], dtype=torch.float64)
    """
    mean, std = f.mean(dim=0), f.std(dim=0, correction=0)
    used = std > 1e-9 * mean.abs()  # a constant, but for rounding; whatever the other features' units are
    f, held = (f - mean)[:, used] / std[used], (held - mean)[:, used] / std[used]
    if not used.any():  # constant inputs, or one sample: what is left is how often every label stands
        return f, held
    _, directions = torch.linalg.eigh(f.T @ f)
    directions = directions[:, -max_features:]
    f, held = f @ directions, held @ directions
    scale = f.std()
    return f / scale, held / scale


def minimise(
    value: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    iterations: int,
    *,
    tolerance_change: float = 1e-8,
    tolerance_gradient: float = 1e-7,
) -> Tensor:
    """L-BFGS on one flat vector of float64, from a function that gives the loss and its gradient.

    >>> start = torch.zeros(2, dtype=torch.float64)
    >>> minimise(lambda x: ((x - 1).square().sum(), 2 * (x - 1)), start, 10)
    tensor([1., 1.], dtype=torch.float64)
    """
    from scipy.optimize import minimize

    def at(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        loss, gradient = value(torch.from_numpy(x))
        return float(loss), gradient.numpy()

    options = {"maxiter": iterations, "maxcor": 20, "ftol": tolerance_change, "gtol": tolerance_gradient}
    return torch.from_numpy(minimize(at, start.numpy(), jac=True, method="L-BFGS-B", options=options).x)

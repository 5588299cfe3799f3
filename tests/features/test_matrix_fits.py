"""Matrices and scales fitted to logits, one by one and many at once, beside torch's own gradients and minimiser."""

import pytest
import torch

from noiselayer import corrupt_labels
from noiselayer.features.matrix_fits import fit_matrices
from noiselayer.features.minima import minimise_each
from noiselayer.joint.matrix_fit import even_errors, fit_matrix, log_columns

Q = torch.tensor([[0.55, 0.05, 0.1], [0.4, 0.9, 0.0], [0.05, 0.05, 0.9]])


def fitted_by_autograd(
    z: torch.Tensor,
    labels: torch.Tensor,
    groups: torch.Tensor,
    start: torch.Tensor,
    *,
    counts: float,
    trace_weight: float,
) -> tuple[torch.Tensor, float]:
    """The same by the formula as it stands, torch's gradients and its own L-BFGS: Q of every group, and s."""
    log_scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
    A = start.clone().requires_grad_()
    even = even_errors(float(start.softmax(dim=-2).diagonal(dim1=-2, dim2=-1).mean()), A.shape[-1])
    optimizer = torch.optim.LBFGS([log_scale, A], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        Q = A.softmax(dim=-2)
        p = (z * log_scale.exp()).softmax(dim=1)
        loss = -(Q[groups, labels] * p).sum(dim=1).log().mean()
        loss = loss - counts / (len(A) * len(labels)) * (even * Q.log()).sum()
        loss = loss + trace_weight * Q.diagonal(dim1=-2, dim2=-1).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return A.detach().softmax(dim=-2), float(log_scale.detach().exp())


def test_matrices_fitted_at_once_are_those_fitted_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(3, (900,), generator=generator)
    z = 2 * torch.eye(3, dtype=torch.float64)[truth] + torch.randn(900, 3, generator=generator)
    labels = corrupt_labels(truth, Q, generator=generator)
    groups = torch.randint(2, (900,), generator=generator)
    start = log_columns(even_errors(0.7, 3)).repeat(2, 1, 1)
    seen = torch.ones(900, 2, dtype=torch.bool)
    seen[:300, 1] = False
    counts, traces = torch.tensor([20.0, 5.0]).double(), torch.tensor([0.0, 0.1]).double()
    A, scales = fit_matrices(
        z,
        labels,
        seen,
        start.repeat(2, 1, 1, 1),
        torch.ones(2).double(),
        groups=groups[:, None].expand(-1, 2),
        counts=counts,
        trace_weights=traces,
        iterations=200,
    )
    for b in range(2):
        s = seen[:, b]
        matrices, scale = fitted_by_autograd(
            z[s], labels[s], groups[s], start, counts=float(counts[b]), trace_weight=float(traces[b])
        )
        torch.testing.assert_close(A[b].softmax(dim=-2), matrices, atol=0.01, rtol=0)
        assert float(scales[b]) == pytest.approx(scale, rel=0.02)


def test_one_matrix_is_that_of_autograd() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = torch.randint(3, (600,), generator=generator)
    z = 2 * torch.eye(3, dtype=torch.float64)[truth] + torch.randn(600, 3, generator=generator)
    labels = corrupt_labels(truth, Q, generator=generator)
    start, smoothing = log_columns(even_errors(0.7, 3)), {"counts": 20.0, "trace_weight": 0.1}
    found = fit_matrix(z, labels, start, **smoothing, iterations=200)
    matrices, scale = fitted_by_autograd(z, labels, torch.zeros_like(truth), start[None], **smoothing)
    torch.testing.assert_close(found.noise_matrix, matrices[0], atol=1e-3, rtol=0)
    assert found.scale == pytest.approx(scale, rel=1e-3)


def test_problems_minimised_at_once_do_not_touch_each_other() -> None:
    centre = torch.tensor([[1.0, -2.0], [30.0, 5.0], [0.0, 0.0]], dtype=torch.float64)

    def value(x: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Rosenbrock's valley: curved, and not convex where it starts.
        a, b = (x - c).unbind(1)
        loss = (1 - a).square() + 10 * (b - a.square()).square()
        slope = torch.stack([-2 * (1 - a) - 40 * a * (b - a.square()), 20 * (b - a.square())], dim=1)
        return loss, slope

    together = minimise_each(lambda x: value(x, centre), torch.zeros(3, 2).double(), 500)
    torch.testing.assert_close(together, centre + 1, atol=0.01, rtol=0)
    for k in range(3):
        alone = minimise_each(lambda x, k=k: value(x, centre[k : k + 1]), torch.zeros(1, 2).double(), 500)
        torch.testing.assert_close(alone[0], together[k], atol=0.01, rtol=0)

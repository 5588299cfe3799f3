"""The penalties on a learned matrix: their values, and where they move a column on the simplex."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from noiselayer.joint.regularization import log_volume, trace_penalty, weight_decay_penalty
from noiselayer.noise import identity, project, random, symmetric

PENALTIES = [trace_penalty, weight_decay_penalty, log_volume]
EVERY_PENALTY = pytest.mark.parametrize("penalty", PENALTIES)
Penalty = Callable[[Tensor], Tensor]


def step(penalty: Penalty, Q: Tensor, lr: float) -> Tensor:
    """Where one projected gradient step that lowers the penalty leads from Q."""
    Q = Q.clone().requires_grad_()
    (grad,) = torch.autograd.grad(penalty(Q), Q)
    return project(Q - lr * grad)


def determinant(Q: Tensor) -> float:
    """Leibniz's formula: a sum over all permutations."""
    total = 0.0
    for order in itertools.permutations(range(len(Q))):
        inversions = sum(a > b for a, b in itertools.combinations(order, 2))
        total += (-1) ** inversions * math.prod(float(Q[j, i]) for i, j in enumerate(order))
    return total


def test_values_equal_naive_sums(skewed: Tensor) -> None:
    entries = skewed.flatten().tolist()
    assert trace_penalty(skewed).item() == pytest.approx(0.7 + 0.8 + 0.6)
    assert weight_decay_penalty(skewed).item() == pytest.approx(sum(q * q for q in entries) / 2)
    assert log_volume(skewed).item() == pytest.approx(math.log(abs(determinant(skewed))))


def test_log_volume_is_zero_for_permutations_and_minus_infinity_for_twins() -> None:
    assert log_volume(identity(4)).item() == 0
    swapped = identity(4)[[1, 0, 2, 3]]  # a negative determinant
    assert log_volume(swapped).item() == 0
    assert log_volume(torch.tensor([[0.5, 0.5], [0.5, 0.5]])).item() == -math.inf
    # Symmetric noise: K - 1 eigenvalues of 1 - rate K / (K - 1).
    assert log_volume(symmetric(4, 0.3)).item() == pytest.approx(3 * math.log(1 - 0.3 * 4 / 3), rel=1e-5)


@EVERY_PENALTY
def test_relabelling_changes_nothing_and_gradients_are_exact(
    penalty: Penalty, generator: torch.Generator
) -> None:
    Q = random(4, 0.4, generator=generator, dtype=torch.float64)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(penalty(Q[order][:, order]), penalty(Q))
    assert torch.autograd.gradcheck(penalty, Q.requires_grad_())


@EVERY_PENALTY
def test_every_penalty_is_largest_at_the_identity_and_moves_away_from_it(penalty: Penalty) -> None:
    # All three undo the start Q = I, the solution that explains nothing; they differ in where they end.
    for Q in (symmetric(3, 0.1), symmetric(3, 0.5), random(3, 0.3)):
        assert penalty(Q) < penalty(identity(3))
        assert penalty(step(penalty, Q, 0.01)) < penalty(Q)


def test_trace_moves_a_column_along_its_vertex_at_constant_speed() -> None:
    for rate in (0.2, 0.5, 0.8):
        Q = symmetric(4, rate, dtype=torch.float64)
        moved = step(trace_penalty, Q, 0.01) - Q
        torch.testing.assert_close(moved, -0.01 * (torch.eye(4, dtype=torch.float64) - 1 / 4))


def test_weight_decay_moves_every_entry_towards_uniform(generator: torch.Generator) -> None:
    Q = random(4, 0.6, generator=generator, dtype=torch.float64)
    Q = 0.9 * Q + 0.1 / 4  # inside the simplex, where the projection only shifts
    torch.testing.assert_close(step(weight_decay_penalty, Q, 0.05), Q - 0.05 * (Q - 1 / 4))
    uniform = torch.full((4, 4), 0.25, dtype=torch.float64)
    torch.testing.assert_close(step(weight_decay_penalty, uniform, 0.5), uniform)


def test_the_trace_raises_all_wrong_labels_alike_and_weight_decay_levels_them() -> None:
    column = torch.tensor([0.4, 0.6, 0.0, 0.0], dtype=torch.float64)
    Q = torch.stack([column.roll(i) for i in range(4)], dim=1)
    by_trace, by_decay = (
        (step(penalty, Q, 0.1) - Q)[:, 0] for penalty in (trace_penalty, weight_decay_penalty)
    )
    assert by_trace[1:].tolist() == pytest.approx([0.025] * 3)
    assert by_decay[1:].tolist() == pytest.approx([-0.035, 0.025, 0.025])


def test_weight_decay_penalty_is_torchs_weight_decay() -> None:
    Q = torch.nn.Parameter(symmetric(3, 0.4))
    before = Q.detach().clone()
    Q.grad = torch.zeros_like(Q)
    torch.optim.SGD([Q], lr=0.1, weight_decay=0.3).step()
    torch.testing.assert_close(project(Q), step(lambda M: 0.3 * weight_decay_penalty(M), before, 0.1))


def test_volume_pulls_hardest_on_columns_that_are_close() -> None:
    near = torch.tensor([[0.55, 0.45], [0.45, 0.55]], requires_grad=True)
    far = torch.tensor([[0.95, 0.05], [0.05, 0.95]], requires_grad=True)
    (near_grad,), (far_grad,) = (torch.autograd.grad(log_volume(Q), Q) for Q in (near, far))
    assert near_grad.norm() > 5 * far_grad.norm()
    torch.testing.assert_close(near_grad, torch.linalg.inv(near.detach()).T)


@EVERY_PENALTY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(penalty: Penalty, dtype: torch.dtype) -> None:
    Q = symmetric(3, 0.3, dtype=dtype)
    assert penalty(Q).item() == pytest.approx(penalty(Q.double()).item(), rel=2e-2)


@EVERY_PENALTY
def test_devices(penalty: Penalty, device: torch.device) -> None:
    Q = symmetric(3, 0.3)
    on_device = penalty(Q.to(device))
    assert on_device.device.type == device.type
    torch.testing.assert_close(on_device.cpu(), penalty(Q))

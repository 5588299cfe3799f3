"""torch.func on the losses: gradients per sample, forward mode, Hessians, at any size of logits and at Q's zeros."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradgradcheck
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap

from noiselayer import NoiseLayer, NoisyLabelLoss, SparseNoiseMatrix, noisy_label_loss

# torch's own, when it first differentiates forwards.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")

F64 = torch.float64
LABELS = torch.tensor([0, 1, 2, -100, 1, 0])
Loss = Callable[[Tensor, Tensor], Tensor]


def indices(z: Tensor, Q: Tensor) -> Tensor:
    return noisy_label_loss(z, LABELS, Q)


def smoothed(z: Tensor, Q: Tensor) -> Tensor:
    return noisy_label_loss(z, LABELS, Q, weight=torch.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1)


def soft(z: Tensor, Q: Tensor) -> Tensor:
    return noisy_label_loss(z, torch.full((6, 3), 1 / 3, dtype=F64), Q)


LOSSES = pytest.mark.parametrize("loss", [indices, smoothed, soft])


@LOSSES
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_gradients_are_those_of_backward(loss: Loss, scale: float, skewed: Tensor) -> None:
    logits = scale * torch.randn(6, 3, dtype=F64)
    for Q in (skewed, 0.5 * skewed + 0.5 / 3):
        z, M = logits.clone().requires_grad_(), Q.clone().requires_grad_()
        value = loss(z, M)
        expected = torch.autograd.grad(value, [z, M])
        got = grad(loss, argnums=(0, 1))(logits, Q)
        torch.testing.assert_close(got[0], expected[0], rtol=1e-9, atol=1e-12)
        if (
            scale == 1.0
        ):  # of labels that are all but impossible Q's gradient is bounded, in the same direction
            torch.testing.assert_close(got[1], expected[1], rtol=1e-9, atol=1e-12)
        assert all(g.isfinite().all() for g in got)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_per_sample(smoothing: float, skewed: Tensor) -> None:
    model = torch.nn.Linear(4, 3).double()
    x, y = torch.randn(5, 4, dtype=F64), torch.tensor([0, 1, 2, 0, 1])
    criterion = NoisyLabelLoss(skewed, label_smoothing=smoothing)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def of_one(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return criterion(functional_call(model, parameters, (x,)), y)

    got = vmap(grad(of_one), in_dims=(None, 0, 0))(parameters, x, y)
    for n in range(len(x)):
        expected = torch.autograd.grad(criterion(model(x[n]), y[n]), list(model.parameters()))
        torch.testing.assert_close(got["weight"][n], expected[0])
        torch.testing.assert_close(got["bias"][n], expected[1])


@LOSSES
def test_second_derivatives_against_finite_differences(loss: Loss, skewed: Tensor) -> None:
    z, Q = torch.randn(6, 3, dtype=F64), 0.9 * skewed + 0.1 / 3
    H = hessian(loss)(z, Q)
    step = 1e-5 * torch.eye(18, dtype=F64).view(18, 6, 3)
    differences = torch.stack([(grad(loss)(z + h, Q) - grad(loss)(z - h, Q)) / 2e-5 for h in step])
    torch.testing.assert_close(H.view(18, 6, 3), differences, rtol=1e-6, atol=1e-8)


def test_forward_mode_and_a_map_over_matrices(skewed: Tensor) -> None:
    z = torch.randn(6, 3, dtype=F64)
    _, slope = jvp(lambda z: indices(z, skewed), (z,), (torch.ones_like(z),))
    assert abs(float(slope)) < 1e-12  # a constant added to all logits changes nothing
    many = torch.stack([skewed, torch.eye(3, dtype=F64), torch.full((3, 3), 1 / 3, dtype=F64)])
    got = vmap(lambda Q: indices(z, Q))(many)
    torch.testing.assert_close(got, torch.stack([indices(z, Q) for Q in many]))


@LOSSES
def test_forward_mode_without_torch_func(loss: Loss, skewed: Tensor) -> None:
    z, direction = torch.randn(6, 3, dtype=F64), torch.randn(6, 3, dtype=F64)
    with torch.autograd.forward_ad.dual_level():
        dual = loss(torch.autograd.forward_ad.make_dual(z, direction), skewed)
        slope = torch.autograd.forward_ad.unpack_dual(dual).tangent
    torch.testing.assert_close(slope, (grad(loss)(z, skewed) * direction).sum())


@pytest.mark.parametrize("label", ["smoothed", "soft"])
def test_a_map_over_samples_of_annotators(label: str, skewed: Tensor) -> None:
    matrices, annotators = torch.stack([skewed, torch.eye(3, dtype=F64)]), torch.tensor([0, 1, 0, 1])
    z, soft = torch.randn(4, 3, dtype=F64), torch.full((4, 3), 1 / 3, dtype=F64)
    labels, smoothing = (soft, 0.0) if label == "soft" else (torch.tensor([0, 1, 2, 2]), 0.2)
    got = vmap(lambda z, y, a: noisy_label_loss(z, y, matrices, annotators=a, label_smoothing=smoothing))(
        z, labels, annotators
    )
    for n in range(4):
        one = noisy_label_loss(z[n], labels[n], matrices[annotators[n]], label_smoothing=smoothing)
        torch.testing.assert_close(got[n], one)


def test_impossible_labels_cost_infinity_and_move_nothing() -> None:
    Q = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.7], [0.5, 1.0, 0.3]])
    z, labels = torch.randn(2, 3), torch.tensor([0, 1])
    losses = vmap(lambda z, y: noisy_label_loss(z, y, Q))(z, labels)
    assert losses[0] == torch.inf
    of_logits = jacrev(lambda z: noisy_label_loss(z, labels, Q, reduction="none"))(z)
    assert (of_logits[0] == 0).all()
    assert of_logits.isfinite().all()


def test_the_layer_with_parameters_of_its_callers() -> None:
    layer, z = NoiseLayer(3), torch.randn(4, 3)
    Q = torch.full((3, 3), 0.1) + 0.7 * torch.eye(3)

    def loss(Q: Tensor) -> Tensor:
        return functional_call(layer, {"noise_matrix": Q}, (z,), {"noisy_labels": torch.tensor([0, 1, 2, 0])})

    M = Q.clone().requires_grad_()
    (expected,) = torch.autograd.grad(noisy_label_loss(z, torch.tensor([0, 1, 2, 0]), M), M)
    for _ in range(300):  # never warns that no optimizer steps
        got = grad(loss)(Q)
    torch.testing.assert_close(got, expected)


def sparse(rest: int) -> SparseNoiseMatrix:
    """Two confusions a class; with ``rest`` what remains is spread evenly."""
    values = torch.rand(5, 5, dtype=F64, generator=torch.Generator().manual_seed(1)) + 2 * torch.eye(
        5, dtype=F64
    )
    if not rest:
        values[(torch.arange(5) + 2) % 5, torch.arange(5)] = 0
        values[(torch.arange(5) + 3) % 5, torch.arange(5)] = 0
    return SparseNoiseMatrix.from_dense(values / values.sum(dim=0), 2)


@pytest.mark.parametrize("rest", [0, 1])
def test_a_sparse_matrix_as_its_dense_one(rest: int) -> None:
    matrix, z, y = sparse(rest), torch.randn(6, 5, dtype=F64), torch.tensor([0, 1, 2, 3, 4, 0])
    of_sparse = lambda z, y: noisy_label_loss(z, y, matrix)  # noqa: E731
    of_dense = lambda z, y: noisy_label_loss(z, y, matrix.to_dense())  # noqa: E731
    torch.testing.assert_close(hessian(of_sparse)(z, y), hessian(of_dense)(z, y))
    torch.testing.assert_close(vmap(grad(of_sparse))(z, y), vmap(grad(of_dense))(z, y))
    assert gradgradcheck(lambda z: of_sparse(z, y), (z.requires_grad_(),))


@LOSSES
def test_gradients_of_gradients(loss: Loss, skewed: Tensor) -> None:
    z, Q = torch.randn(6, 3, dtype=F64, requires_grad=True), (0.9 * skewed + 0.1 / 3).requires_grad_()
    assert gradgradcheck(loss, (z, Q))
    # Through create_graph=True the gradient itself is no other than without.
    (again,) = torch.autograd.grad(loss(z, Q), z, create_graph=True)
    torch.testing.assert_close(again, torch.autograd.grad(loss(z, Q), z)[0])
    assert again.requires_grad


def test_a_gradient_penalty_trains_in_half_precision(skewed: Tensor) -> None:
    z = torch.randn(6, 3, dtype=torch.bfloat16, requires_grad=True)
    (slope,) = torch.autograd.grad(indices(z, skewed.float()), z, create_graph=True)
    assert slope.dtype == torch.bfloat16
    slope.square().sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert bool((z.grad != 0).any())

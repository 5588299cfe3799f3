"""The functions beneath the losses, against 60-digit decimals, plain autograd and finite differences."""

from collections.abc import Callable
from decimal import Context, Decimal, localcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from noiselayer.losses import log_space
from noiselayer.losses.log_space import log_noisy_probs, noisy_nll
from noiselayer.noise import project

F64 = torch.float64


def nll_of(logits: Tensor, labels: Tensor, Q: Tensor) -> Tensor:
    """The loss of single labels, the long way round: through the log-probabilities of all of them."""
    return -log_noisy_probs(logits, Q).gather(1, labels.unsqueeze(1)).squeeze(1)


BOTH = pytest.mark.parametrize("nll", [noisy_nll, nll_of], ids=["noisy_nll", "log_noisy_probs"])
Nll = Callable[[Tensor, Tensor, Tensor], Tensor]


def in_decimals(
    logits: list[float], Q: list[list[float]], label: int
) -> tuple[float, list[float], list[float]]:
    """Loss, its gradient by the logits and by Q[label, :], with 60 digits and exponents of any size."""
    with localcontext(Context(prec=60, Emin=-(10**12), Emax=10**12)):
        z = [Decimal(x) for x in logits]
        exps = [(x - max(z)).exp() for x in z]
        p = [e / sum(exps) for e in exps]
        joint = [Decimal(q) * x for q, x in zip(Q[label], p, strict=True)]
        evidence = sum(joint)
        grad_z = [x - b / evidence for x, b in zip(p, joint, strict=True)]
        return float(-evidence.ln()), [float(g) for g in grad_z], [float(-x / evidence) for x in p]


@BOTH
@pytest.mark.parametrize("scale", [0.1, 10.0, 1e3, 1e5])
def test_equals_high_precision_arithmetic_at_any_size_of_logits(
    nll: Nll, scale: float, skewed: Tensor
) -> None:
    logits = scale * torch.randn(6, 3, dtype=F64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    for Q in (skewed, torch.eye(3, dtype=F64), torch.full((3, 3), 1 / 3, dtype=F64)):
        for n in range(len(labels)):
            z = logits[n : n + 1].clone().requires_grad_()
            M = Q.clone().requires_grad_()
            loss = nll(z, labels[n : n + 1], M)
            grad_z, grad_Q = torch.autograd.grad(loss.sum(), [z, M])
            j = int(labels[n])
            expected, expected_z, expected_Q = in_decimals(logits[n].tolist(), Q.tolist(), j)
            assert loss.item() == pytest.approx(expected, rel=1e-12, abs=1e-15)
            assert grad_z[0].tolist() == pytest.approx(expected_z, rel=1e-9, abs=1e-14)
            if max(map(abs, expected_Q)) < 1e150:  # larger ones are bounded on purpose, see below
                assert grad_Q[j].tolist() == pytest.approx(expected_Q, rel=1e-9, abs=1e-14)
            assert grad_Q.isfinite().all()
            assert grad_Q[torch.arange(3) != j].count_nonzero() == 0


@BOTH
@given(seed=st.integers(0, 10**6), K=st.integers(2, 7), B=st.integers(1, 9))
def test_equals_the_naive_formula_under_autograd(nll: Nll, seed: int, K: int, B: int) -> None:
    torch.manual_seed(seed)
    z = (3 * torch.randn(B, K, dtype=F64)).requires_grad_()
    Q = project(0.7 * torch.randn(K, K, dtype=F64) + torch.eye(K)).requires_grad_()  # many exact zeros
    y = torch.randint(K, (B,))
    upstream = torch.randn(B, dtype=F64)
    probs = (z.softmax(dim=1) @ Q.T)[torch.arange(B), y]
    possible = probs.detach() > 0
    naive = -probs[possible].log()
    loss = nll(z, y, Q)
    torch.testing.assert_close(loss[possible], naive, rtol=1e-10, atol=1e-13)
    assert (loss[~possible] == torch.inf).all()
    # The naive gradients are right at Q's zeros as well, for Q enters it linearly; only its range is small.
    if possible.any():
        expected = torch.autograd.grad((naive * upstream[possible]).sum(), [z, Q])
        got = torch.autograd.grad((loss[possible] * upstream[possible]).sum(), [z, Q])
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


@BOTH
@pytest.mark.parametrize("batch", [2, 9])  # fewer and more rows than classes take different paths
def test_gradcheck_inside_the_simplex(nll: Nll, batch: int) -> None:
    logits = torch.randn(batch, 4, dtype=F64, requires_grad=True)
    Q = torch.rand(4, 4, dtype=F64).add(0.1).requires_grad_()
    labels = torch.arange(batch) % 4
    assert torch.autograd.gradcheck(lambda z, Q: nll(z, labels, Q), (logits, Q))


@pytest.mark.parametrize("K", [3, 70])  # short and long rows have a softmax each
def test_a_batch_in_portions_is_the_same(K: int, monkeypatch: pytest.MonkeyPatch) -> None:
    z = torch.randn(7, K, dtype=F64)
    z[2, 0] = 1e4  # its evidence underflows, so that one portion takes logarithms
    Q = project(torch.eye(K, dtype=F64) + 0.1 * torch.rand(K, K, dtype=F64))
    labels = torch.tensor([1, 0, 2, 2, 1, 0, 2])
    Q[2, 0] = 0
    z.requires_grad_()
    Q.requires_grad_()
    loss = noisy_nll(z, labels, Q)
    grads = torch.autograd.grad(loss.sum(), [z, Q])
    monkeypatch.setattr(log_space, "_CACHED", 3 * K)
    in_portions = noisy_nll(z, labels, Q)
    torch.testing.assert_close(in_portions, loss)
    torch.testing.assert_close(torch.autograd.grad(in_portions.sum(), [z, Q]), grads)
    with torch.no_grad():
        torch.testing.assert_close(noisy_nll(z, labels, Q), loss.detach())


@BOTH
def test_a_graph_that_is_kept_gives_the_same_gradients_again(nll: Nll, skewed: Tensor) -> None:
    # What is kept for the backward pass is overwritten by the last one, and by no other.
    z, Q = torch.randn(4, 3, dtype=F64, requires_grad=True), skewed.requires_grad_()
    loss = nll(z, torch.tensor([0, 1, 2, 0]), Q)
    first = torch.autograd.grad(2 * loss.sum(), [z, Q], retain_graph=True)
    second = torch.autograd.grad(2 * loss.sum(), [z, Q], retain_graph=True)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(torch.autograd.grad(2 * loss.sum(), [z, Q]), first, rtol=0, atol=0)


def test_logarithms_give_the_same_where_no_value_may_be_read_back(skewed: Tensor) -> None:
    # The path of other devices and of compiled graphs, here on the CPU.
    z, labels = 3 * torch.randn(5, 3, dtype=F64), torch.tensor([0, 1, 2, 1, 0])
    for wants in ((True, True), (False, False)):
        got = log_space._nll_in_probs(z, labels, skewed, *wants)
        torch.testing.assert_close(got, log_space._nll_in_logs(z, labels, skewed, *wants))


def test_gradcheck_of_all_log_probabilities(skewed: Tensor) -> None:
    Q = (0.9 * skewed + 0.1 / 3).requires_grad_()
    assert torch.autograd.gradcheck(log_noisy_probs, (torch.randn(4, 3, dtype=F64, requires_grad=True), Q))


@BOTH
def test_gradient_at_exact_zeros_is_the_one_sided_derivative(nll: Nll, skewed: Tensor) -> None:
    logits, labels = torch.randn(6, 3, dtype=F64), torch.tensor([0, 1, 2, 0, 1, 2])
    for start in (skewed, torch.eye(3, dtype=F64)):
        Q = start.clone().requires_grad_()
        (grad,) = torch.autograd.grad(nll(logits, labels, Q).sum(), Q)
        for j, i in (start == 0).nonzero().tolist():
            h, at = 1e-5, []
            for step in (0, h, 2 * h):  # into the simplex only: the other side is no probability
                moved = start.clone()
                moved[j, i] += step
                at.append(nll(logits, labels, moved).sum().item())
            assert grad[j, i].item() == pytest.approx((4 * at[1] - 3 * at[0] - at[2]) / (2 * h), rel=1e-5)
            assert grad[j, i] < -1e-3  # so the zero can grow again


@BOTH
def test_identity_with_huge_logits_has_finite_gradients_of_the_right_direction(nll: Nll) -> None:
    logits = torch.tensor([[1e4, 0.0, -1e4], [0.0, 1e4, 1e4 - 1]], requires_grad=True)
    Q = torch.eye(3, requires_grad=True)
    labels = torch.tensor([2, 0])  # both called impossible by the model: e^-20000, e^-10000
    loss = nll(logits, labels, Q)
    assert loss.tolist() == pytest.approx([2e4, 10000.3133], rel=1e-6)
    loss.sum().backward()
    expected = torch.tensor([[1.0, 0.0, -1.0], [-1.0, 0.7311, 0.2689]])
    torch.testing.assert_close(logits.grad, expected, atol=1e-4, rtol=0)
    assert Q.grad.isfinite().all()
    # Steepest where the model puts its probability, and in its proportions, although the size is bounded.
    directions = torch.nn.functional.normalize(-Q.grad, p=1.0, dim=1, eps=1.0)
    expected = torch.tensor([[0.0, 0.7311, 0.2689], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(directions, expected, atol=1e-4, rtol=0)


@BOTH
@pytest.mark.parametrize("masked", [False, True])
def test_a_label_that_the_matrix_calls_impossible(nll: Nll, masked: bool) -> None:
    Q = torch.tensor([[0.5, 1.0, 0.3], [0.5, 0.0, 0.7], [0.0, 0.0, 0.0]], requires_grad=True)
    z = torch.randn(2, 3)
    if masked:
        z[:, 0] = -torch.inf  # a class that the model excludes
    z.requires_grad_()
    loss = nll(z, torch.tensor([2, 0]), Q)
    assert loss[0] == torch.inf
    assert loss[1].isfinite()
    loss.sum().backward()
    assert (z.grad[0] == 0).all()
    assert z.grad[1].count_nonzero() > 0
    assert Q.grad.isfinite().all()
    # The row can grow again, in the proportions of the model's probabilities.
    torch.testing.assert_close(
        torch.nn.functional.normalize(-Q.grad[2], p=1.0, dim=0), z[0].detach().softmax(0)
    )


@given(seed=st.integers(0, 10**6), K=st.integers(2, 6), scale=st.sampled_from([1.0, 30.0, 1e4]))
def test_log_probabilities_add_up_and_the_score_has_mean_zero(seed: int, K: int, scale: float) -> None:
    torch.manual_seed(seed)
    z = (scale * torch.randn(1, K, dtype=F64)).requires_grad_()
    Q = project(torch.randn(K, K, dtype=F64))
    log_noisy = log_noisy_probs(z, Q)
    torch.testing.assert_close(log_noisy.logsumexp(dim=1), torch.zeros(1, dtype=F64), atol=1e-12, rtol=0)
    # E over noisy labels of the gradient of their log-likelihood is 0 under the model itself.
    scores = [torch.autograd.grad(log_noisy[0, j], z, retain_graph=True)[0][0] for j in range(K)]
    mean = log_noisy.detach()[0].exp() @ torch.stack(scores)
    torch.testing.assert_close(mean, torch.zeros(K, dtype=F64), atol=1e-12, rtol=0)


@BOTH
def test_relabelling_the_classes_changes_nothing(nll: Nll, skewed: Tensor) -> None:
    z, y, order = torch.randn(5, 3, dtype=F64), torch.tensor([0, 1, 2, 0, 1]), torch.tensor([2, 0, 1])
    relabelled = nll(z[:, order], order.argsort()[y], skewed[order][:, order])
    torch.testing.assert_close(relabelled, nll(z, y, skewed))


@BOTH
def test_a_transposed_matrix_is_not_the_same(nll: Nll, skewed: Tensor) -> None:
    z, y = torch.tensor([[5.0, 0.0, 0.0]], dtype=F64), torch.tensor([1])
    right, transposed = nll(z, y, skewed), nll(z, y, skewed.T.contiguous())
    assert right.exp().item() == pytest.approx(1 / 0.3, rel=0.05)  # true 0 is called 1 three times in ten
    assert transposed.item() > right.item() + 1


@BOTH
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_is_computed_in_float32(nll: Nll, dtype: torch.dtype, skewed: Tensor) -> None:
    z, Q = (20 * torch.randn(4, 3)).to(dtype), skewed.to(dtype)
    loss = nll(z, torch.tensor([0, 1, 2, 0]), Q)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, nll(z.double(), torch.tensor([0, 1, 2, 0]), Q.double()).float())


@BOTH
def test_autocast_does_not_touch_probabilities(nll: Nll, skewed: Tensor) -> None:
    z = (30 * torch.randn(8, 3)).requires_grad_()
    Q = skewed.float().requires_grad_()
    y = torch.arange(8) % 3
    expected = nll(z, y, Q)
    expected_grads = torch.autograd.grad(expected.sum(), [z, Q])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nll(z, y, Q)
        grads = torch.autograd.grad(loss.sum(), [z, Q])
    assert torch.equal(loss, expected)
    torch.testing.assert_close(grads, expected_grads, rtol=0, atol=0)


def test_underflown_entries_in_portions_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    z, Q = (1e4 * torch.randn(7, 5)).requires_grad_(), torch.eye(5, requires_grad=True)
    upstream = torch.randn(7, 5)
    at_once = log_noisy_probs(z, Q)
    grads = torch.autograd.grad(at_once, [z, Q], upstream)
    monkeypatch.setattr(log_space, "_PORTION", 15)
    assert torch.equal(log_noisy_probs(z, Q), at_once)
    torch.testing.assert_close(torch.autograd.grad(log_noisy_probs(z, Q), [z, Q], upstream), grads)


@BOTH
def test_devices(nll: Nll, device: torch.device, skewed: Tensor) -> None:
    z, y = (50 * torch.randn(6, 3)).requires_grad_(), torch.tensor([0, 1, 2, 2, 1, 0])
    expected = nll(z, y, skewed.float())
    (expected_grad,) = torch.autograd.grad(expected.sum(), z)
    loss = nll(z.to(device), y.to(device), skewed.float().to(device))
    assert loss.device.type == device.type
    torch.testing.assert_close(loss.cpu(), expected)
    torch.testing.assert_close(torch.autograd.grad(loss.sum(), z)[0], expected_grad, atol=1e-5, rtol=1e-5)

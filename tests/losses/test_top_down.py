"""The top-down loss: label smoothing, plain cross-entropy, an unbiased estimator, and what it refuses."""

import copy
import math
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from noiselayer.losses.top_down import (
    TopDownLoss,
    UnboundedLossWarning,
    inverse_conversion,
    top_down_loss,
    uniform_conversion,
)
from noiselayer.noise import pair_flip, random, symmetric

SHAPES = [(5,), (7, 5), (3, 5, 4), (2, 5, 3, 2)]  # of the logits; K = 5
REDUCTIONS = ["mean", "sum", "none"]


def labels_for(shape: tuple[int, ...]) -> Tensor:
    return torch.randint(5, shape[:0] if len(shape) == 1 else shape[:1] + shape[2:])


def with_gradient(loss: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    return loss.detach(), grad


def inverse(Q: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnboundedLossWarning)
        return inverse_conversion(Q)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("extra", ["plain", "weight", "ignore_index", "both"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_uniform_conversion_is_label_smoothing(
    shape: tuple[int, ...], reduction: str, extra: str, alpha: float
) -> None:
    logits, labels = (4 * torch.randn(shape)).requires_grad_(), labels_for(shape)
    options: dict[str, Any] = {"reduction": reduction}
    if extra in ("weight", "both"):
        options["weight"] = torch.rand(5) + 0.1
    if extra in ("ignore_index", "both") and labels.numel() > 1:
        options["ignore_index"] = int(labels.flatten()[0])
    got = with_gradient(top_down_loss(logits, labels, uniform_conversion(5, alpha), **options), logits)
    expected = with_gradient(cross_entropy(logits, labels, label_smoothing=1 - alpha, **options), logits)
    assert got[0].shape == expected[0].shape
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e30])
def test_alpha_1_is_plain_cross_entropy_for_logits_of_any_size(scale: float) -> None:
    logits, labels = (scale * torch.randn(7, 5)).requires_grad_(), labels_for((7, 5))
    got = with_gradient(top_down_loss(logits, labels, uniform_conversion(5, 1.0)), logits)
    torch.testing.assert_close(
        got, with_gradient(cross_entropy(logits, labels), logits), rtol=1e-6, atol=1e-6
    )


def test_a_class_ruled_out_costs_nothing_where_the_label_has_no_share_of_it() -> None:
    logits = torch.tensor([[0.3, -torch.inf, 1.0]], requires_grad=True)
    got = with_gradient(top_down_loss(logits, torch.tensor([0]), torch.eye(3)), logits)
    torch.testing.assert_close(got, with_gradient(cross_entropy(logits, torch.tensor([0])), logits))


def test_equals_a_naive_loop() -> None:
    S = torch.tensor([[0.7, 0.2, -0.5], [0.1, 0.8, 0.3], [0.2, 0.0, 1.2]], dtype=torch.float64)
    logits = 3 * torch.randn(2, 3, 4, dtype=torch.float64)
    labels = torch.randint(3, (2, 4))
    labels[0, 1] = 7
    weight = [0.5, 2.0, 1.5]
    losses, total = [], 0.0
    for n in range(2):
        for a in range(4):
            label = int(labels[n, a])
            if label == 7:
                losses.append(0.0)
                continue
            exps = [math.exp(z) for z in logits[n, :, a].tolist()]
            losses.append(
                -sum(weight[i] * float(S[i, label]) * math.log(e / sum(exps)) for i, e in enumerate(exps))
            )
            total += weight[label]
    options: dict[str, Any] = {"weight": torch.tensor(weight), "ignore_index": 7}
    each = top_down_loss(logits, labels, S, reduction="none", **options)
    assert each.shape == labels.shape
    assert each.flatten().tolist() == pytest.approx(losses, rel=1e-12)
    summed = top_down_loss(logits, labels, S, reduction="sum", **options)
    assert summed.item() == pytest.approx(sum(losses), rel=1e-12)
    assert top_down_loss(logits, labels, S, **options).item() == pytest.approx(sum(losses) / total, rel=1e-12)
    transposed = top_down_loss(logits, labels, S.T, reduction="none", **options)
    assert transposed.flatten().tolist() != pytest.approx(losses, rel=0.1)


@given(seed=st.integers(0, 10**6), K=st.integers(2, 7), rate=st.floats(0.0, 0.45))
def test_the_inverse_is_unbiased_whatever_the_logits(seed: int, K: int, rate: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    Q = random(K, rate, generator=generator, dtype=torch.float64)
    logits = 5 * torch.randn(1, K, generator=generator, dtype=torch.float64)
    S = inverse(Q)
    every_label = top_down_loss(logits.expand(K, K), torch.arange(K), S, reduction="none")
    clean = cross_entropy(logits.expand(K, K), torch.arange(K), reduction="none")
    for i in range(K):  # the expectation over noisy labels j of class i, exactly
        expected = sum(float(Q[j, i]) * float(every_label[j]) for j in range(K))
        assert expected == pytest.approx(float(clean[i]), rel=1e-8, abs=1e-8)


def test_the_inverse_is_backward_correction(skewed: Tensor) -> None:
    # The literature's form: the losses of all classes as a row, times the inverse of T = Q transposed.
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.arange(6) % 3
    rows = -torch.log_softmax(logits, dim=1)
    T = skewed.T
    naive = [torch.linalg.solve(T, rows[n])[labels[n]].item() for n in range(6)]
    got = top_down_loss(logits, labels, inverse(skewed), reduction="none")
    assert got.tolist() == pytest.approx(naive, rel=1e-10)


def test_the_inverse_warns_and_rightly_so() -> None:
    Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    with pytest.warns(
        UnboundedLossWarning,
        match=r"down to -1 \(noisy label 1, class 0\).*minus infinity.*labelled 1 is not of class 0.*"
        "use noisy_label_loss",
    ) as caught:
        S = inverse_conversion(Q)
    assert caught[0].filename == __file__
    assert "ill-conditioned" not in str(caught[0].message)
    confident = torch.tensor([[-1e6, 0.0]])
    assert top_down_loss(confident, torch.tensor([1]), S).item() < -1e5


def test_ill_conditioned_and_singular_matrices() -> None:
    close = torch.tensor([[0.501, 0.499], [0.499, 0.501]])
    with pytest.warns(UnboundedLossWarning, match=r"also ill-conditioned \(condition number 500\)"):
        inverse_conversion(close)
    with pytest.raises(ValueError, match="noise_matrix is singular.*noisy_label_loss"):
        inverse_conversion(torch.full((3, 3), 1 / 3))
    with pytest.raises(ValueError, match="columns must sum to 1"):
        inverse_conversion(torch.tensor([[0.8, 0.2], [0.4, 0.6]]))


def test_a_permutation_has_a_bounded_inverse_and_no_warning() -> None:
    torch.testing.assert_close(inverse_conversion(pair_flip(3, 1.0)), pair_flip(3, 1.0).T)


def test_uniform_conversion_is_a_noise_matrix_of_redrawn_labels() -> None:
    # Redrawing a share e = 1 - alpha of labels among all K classes is symmetric noise of rate e (K - 1) / K.
    torch.testing.assert_close(uniform_conversion(10, 0.4), symmetric(10, 0.6 * 9 / 10))
    assert uniform_conversion(4, 0.5, dtype=torch.float64).dtype == torch.float64


@pytest.mark.parametrize("alpha", [-0.1, 1.01, math.nan, math.inf])
def test_alpha_out_of_range(alpha: float) -> None:
    with pytest.raises(ValueError, match=f"alpha is how far .* from 0 .* to 1 .*; got {alpha}"):
        uniform_conversion(3, alpha)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_type(dtype: torch.dtype) -> None:
    logits, labels = (5 * torch.randn(6, 5)).to(dtype), labels_for((6, 5))
    loss = top_down_loss(logits, labels, uniform_conversion(5, 0.6))
    assert loss.dtype == dtype
    wide = logits.to(torch.promote_types(dtype, torch.float32))
    torch.testing.assert_close(loss, cross_entropy(wide, labels, label_smoothing=0.4).to(dtype))


def test_autocast_answers_in_float32() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = top_down_loss(torch.randn(4, 5).bfloat16(), torch.arange(4), uniform_conversion(5, 0.6))
    assert loss.dtype == torch.float32


def test_what_is_ignored_cannot_spoil_the_rest() -> None:
    logits = torch.randn(3, 5)
    logits[1] = torch.nan
    S = uniform_conversion(5, 0.6)
    loss = top_down_loss(logits, torch.tensor([-100, -100, 1]), S)
    assert loss.item() == pytest.approx(top_down_loss(logits[2], torch.tensor(1), S).item())


def test_devices(device: torch.device) -> None:
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, -100, 4, 0])
    criterion = TopDownLoss(uniform_conversion(5, 0.6), weight=torch.rand(5))
    expected = criterion(logits, labels)
    on_device = criterion.to(device)(logits.to(device), labels.to(device))
    torch.testing.assert_close(on_device.cpu(), expected)


def test_module_keeps_a_copy_of_its_matrix_with_its_state(skewed: Tensor) -> None:
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.arange(6) % 3
    S = inverse(skewed)
    criterion = TopDownLoss(S, weight=torch.tensor([1.0, 2.0, 3.0]), ignore_index=0, reduction="sum")
    expected = top_down_loss(
        logits, labels, S.clone(), weight=torch.tensor([1.0, 2.0, 3.0]), ignore_index=0, reduction="sum"
    )
    S.zero_()
    assert torch.equal(criterion(logits, labels), expected)
    assert torch.equal(copy.deepcopy(criterion)(logits, labels), expected)
    other = TopDownLoss(torch.eye(3).double(), weight=torch.ones(3), ignore_index=0, reduction="sum")
    other.load_state_dict(criterion.state_dict())
    assert torch.equal(other(logits, labels), expected)
    assert "num_classes=3, reduction='sum'" in repr(criterion)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (torch.eye(3).long(), TypeError, "floating-point tensor; got torch.int64"),
        ([[1.0]], ValueError, r"shape \(K, K\) with K >= 2; got \(1, 1\)"),
        ([["a"]], TypeError, "conversion_matrix must be an array of numbers; got list"),
        (torch.eye(3)[:2], ValueError, r"shape \(K, K\) with K >= 2; got \(2, 3\)"),
        (torch.tensor([[1.0, torch.nan], [0.0, 1.0]]), ValueError, r"finite; entry \[0, 1\] is nan"),
        (torch.tensor([[0.9, 0.1], [0.3, 0.7]]), ValueError, "column 0 sums to 1.2. Its rows do: transpose"),
        (torch.eye(2) * 2, ValueError, "column 0 sums to 2. Divide every column by its sum"),
    ],
)
def test_the_module_refuses_what_is_no_conversion(matrix: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TopDownLoss(matrix)


def test_errors_say_what_came() -> None:
    logits, labels, S = torch.zeros(2, 3), torch.tensor([0, 1]), torch.eye(3)
    with pytest.raises(ValueError, match=r"conversion_matrix must have shape \(3, 3\).*got \(2, 2\)"):
        top_down_loss(logits, labels, torch.eye(2))
    with pytest.raises(ValueError, match="must not require a gradient.*detach.*NoiseLayer"):
        top_down_loss(logits, labels, S.clone().requires_grad_())
    with pytest.raises(IndexError, match=r"lie in 0\.\.2 .*got 3"):
        top_down_loss(logits, torch.tensor([0, 3]), S)
    with pytest.raises(ValueError, match=r"weight must have shape \(3,\).*\(2,\)"):
        top_down_loss(logits, labels, S, weight=torch.ones(2))
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'; got 'avg'"):
        top_down_loss(logits, labels, S, reduction="avg")

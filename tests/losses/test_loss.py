"""The bottom-up loss: cross_entropy at Q = I, a naive loop at any other Q, and what it refuses."""

import copy
import itertools
import math
import shutil
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from noiselayer import NoisyLabelLoss, noisy_label_loss
from noiselayer.noise import pair_flip, symmetric

SHAPES = [(5,), (7, 5), (2, 5), (3, 5, 4), (2, 5, 3, 2), (2, 5, 1, 2, 3)]  # of the logits; K = 5
REDUCTIONS = ["mean", "sum", "none"]


def labels_for(shape: tuple[int, ...]) -> Tensor:
    return torch.randint(5, shape[:0] if len(shape) == 1 else shape[:1] + shape[2:])


def with_gradient(loss: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    return loss.detach(), grad


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e30])
@pytest.mark.parametrize("extra", ["plain", "weight", "ignore_index"])
def test_identity_is_cross_entropy(shape: tuple[int, ...], reduction: str, scale: float, extra: str) -> None:
    logits = (scale * torch.randn(shape)).requires_grad_()
    labels = labels_for(shape)
    options: dict[str, Any] = {"reduction": reduction}
    if extra == "weight":
        options["weight"] = torch.rand(5)
    if extra == "ignore_index" and labels.numel() > 1:
        options["ignore_index"] = int(labels.flatten()[0])
    got = with_gradient(noisy_label_loss(logits, labels, torch.eye(5), **options), logits)
    expected = with_gradient(cross_entropy(logits, labels, **options), logits)
    assert got[0].shape == expected[0].shape
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7)


@given(
    seed=st.integers(0, 10**6),
    N=st.integers(0, 6),
    K=st.integers(2, 6),
    scale=st.sampled_from([1e-3, 1.0, 100.0, 1e4, 1e8]),
    reduction=st.sampled_from(REDUCTIONS),
)
def test_identity_is_cross_entropy_for_any_batch(
    seed: int, N: int, K: int, scale: float, reduction: str
) -> None:
    torch.manual_seed(seed)
    logits, labels = scale * torch.randn(N, K), torch.randint(K, (N,))
    got = noisy_label_loss(logits, labels, torch.eye(K), reduction=reduction)
    expected = cross_entropy(logits, labels, reduction=reduction)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_identity_is_cross_entropy_in_every_floating_type(dtype: torch.dtype, reduction: str) -> None:
    logits = (30 * torch.randn(6, 5)).to(dtype).requires_grad_()
    labels = labels_for((6, 5))
    loss = noisy_label_loss(logits, labels, torch.eye(5), reduction=reduction)
    assert loss.dtype == dtype
    got = with_gradient(loss, logits)
    # In float32 and rounded once, where cross_entropy rounds its way through half precision.
    wide = logits.detach().to(torch.promote_types(dtype, torch.float32)).requires_grad_()
    expected = with_gradient(cross_entropy(wide, labels, reduction=reduction), wide)
    torch.testing.assert_close(got, (expected[0].to(dtype), expected[1].to(dtype)))
    cross_entropy(logits, labels)  # takes the same types


@pytest.mark.parametrize("label_dtype", [torch.uint8, torch.int8, torch.int32, torch.int64])
def test_every_integer_type_of_labels(label_dtype: torch.dtype) -> None:
    logits, labels = torch.randn(4, 5), labels_for((4, 5))
    expected = noisy_label_loss(logits, labels, pair_flip(5, 0.2))
    assert torch.equal(noisy_label_loss(logits, labels.to(label_dtype), pair_flip(5, 0.2)), expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nothing_to_count(reduction: str) -> None:
    for logits, labels in [
        (torch.randn(3, 5), torch.full((3,), -100)),
        (torch.randn(0, 5), torch.empty(0).long()),
    ]:
        got = noisy_label_loss(logits, labels, torch.eye(5), reduction=reduction)
        expected = cross_entropy(logits, labels, reduction=reduction)
        torch.testing.assert_close(got, expected, equal_nan=True)
    empty = noisy_label_loss(
        torch.randn(0, 5, 2, 3), torch.empty(0, 2, 3).long(), torch.eye(5), reduction="none"
    )
    assert empty.shape == (0, 2, 3)


def naive(
    logits: Tensor, labels: Tensor, Q: Tensor, weight: Tensor, ignore_index: int
) -> tuple[list[float], float]:
    """Every pixel's weighted loss and the sum of weights, in plain Python, as the formula is written."""
    losses, total = [], 0.0
    for n, a, b in itertools.product(*map(range, labels.shape)):
        label = int(labels[n, a, b])
        if label == ignore_index:
            losses.append(0.0)
            continue
        exps = [math.exp(z) for z in logits[n, :, a, b].tolist()]
        probability = sum(float(Q[label, i]) * e / sum(exps) for i, e in enumerate(exps))
        losses.append(-math.log(probability) * float(weight[label]))
        total += float(weight[label])
    return losses, total


def test_equals_a_naive_loop(skewed: Tensor) -> None:
    logits = 3 * torch.randn(2, 3, 4, 2, dtype=torch.float64)
    labels = torch.randint(3, (2, 4, 2))
    labels[0, :2] = 7
    weight = torch.tensor([0.5, 2.0, 1.5], dtype=torch.float64)
    losses, total = naive(logits, labels, skewed, weight, 7)
    options: dict[str, Any] = {"weight": weight, "ignore_index": 7}
    each = noisy_label_loss(logits, labels, skewed, reduction="none", **options)
    assert each.shape == labels.shape
    assert each.flatten().tolist() == pytest.approx(losses, rel=1e-12)
    summed = noisy_label_loss(logits, labels, skewed, reduction="sum", **options).item()
    assert summed == pytest.approx(sum(losses), rel=1e-12)
    assert noisy_label_loss(logits, labels, skewed, **options).item() == pytest.approx(
        sum(losses) / total, rel=1e-12
    )


def test_symmetric_noise_with_uniform_predictions_costs_log_k() -> None:
    loss = noisy_label_loss(torch.zeros(4, 10), torch.arange(4), symmetric(10, 0.3))
    assert loss.item() == pytest.approx(math.log(10))


def test_the_noise_floor_is_reached_by_perfect_predictions(skewed: Tensor) -> None:
    # -sum_j q_ji log q_ji for true class i: no honest classifier has a smaller expected loss on noisy labels.
    for i in range(3):
        logits = torch.full((3, 3), -1e4, dtype=torch.float64)
        logits[:, i] = 1e4
        losses = noisy_label_loss(logits, torch.arange(3), skewed, reduction="none")
        q = skewed[:, i]
        floor = -sum(x * math.log(x) for x in q.tolist() if x > 0)
        assert float((q * losses)[q > 0].sum()) == pytest.approx(floor, rel=1e-12)


def test_a_transposed_asymmetric_matrix_gives_another_answer(skewed: Tensor) -> None:
    logits, labels = torch.randn(8, 3, dtype=torch.float64), torch.arange(8) % 3
    losses, _ = naive(logits[:, :, None, None], labels[:, None, None], skewed, torch.ones(3), -100)
    right = noisy_label_loss(logits, labels, skewed, reduction="none")
    transposed = noisy_label_loss(logits, labels, skewed.T, reduction="none")
    assert right.tolist() == pytest.approx(losses)
    assert transposed.tolist() != pytest.approx(losses, rel=0.1)
    with pytest.raises(
        ValueError, match="columns must sum to 1.*use noiselayer.noise.from_transition_matrix"
    ):
        NoisyLabelLoss(skewed.T)


def test_impossible_labels_cost_infinity_and_move_nothing() -> None:
    Q = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.7], [0.5, 1.0, 0.3]])
    logits = torch.randn(2, 3, requires_grad=True)
    loss = noisy_label_loss(logits, torch.tensor([0, 0]), Q)
    loss.backward()
    assert loss == torch.inf
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_what_is_ignored_cannot_spoil_the_rest(reduction: str) -> None:
    Q = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.7], [0.5, 1.0, 0.3]])  # label 0 costs infinity
    logits = torch.randn(3, 3)
    logits[1] = torch.nan
    loss = noisy_label_loss(logits, torch.tensor([-100, -100, 1]), Q, reduction=reduction)
    assert loss.item() == noisy_label_loss(logits[2], torch.tensor(1), Q).item()
    weight = torch.tensor([0.0, 1.0, 1.0])  # what weighs nothing may be impossible
    loss = noisy_label_loss(logits[[0, 2]], torch.tensor([0, 1]), Q, weight=weight, reduction=reduction)
    assert loss.item() == noisy_label_loss(logits[2], torch.tensor(1), Q).item()


def test_no_gradient_wanted_and_gradient_to_the_matrix_alone(skewed: Tensor) -> None:
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    with torch.no_grad():
        assert not noisy_label_loss(logits.requires_grad_(), labels, skewed).requires_grad
    with torch.inference_mode():
        noisy_label_loss(logits, labels, skewed)
    Q = skewed.clone().requires_grad_()
    noisy_label_loss(logits.detach(), labels, Q).backward()
    assert Q.grad is not None
    assert Q.grad.dtype == torch.float64


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_autocast_answers_in_float32_as_cross_entropy_does(device_type: str) -> None:
    if device_type == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    features = torch.randn(4, 6, device=device_type)
    head, labels = torch.nn.Linear(6, 5, device=device_type), torch.arange(4, device=device_type)
    criterion = NoisyLabelLoss(torch.eye(5)).to(device_type)
    with torch.autocast(device_type, dtype=torch.float16):
        logits = head(features)
        assert logits.dtype == torch.float16
        loss, expected = criterion(logits, labels), cross_entropy(logits, labels)
    assert loss.dtype == expected.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    # Times a GradScaler's first scale, which a float16 loss would not survive.
    (grad,) = torch.autograd.grad(65536 * loss, logits, retain_graph=True)
    assert grad.isfinite().all()
    torch.testing.assert_close(grad, torch.autograd.grad(65536 * expected, logits)[0])


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles_to_one_graph(backend: str, skewed: Tensor) -> None:
    if backend == "inductor" and not (shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")):
        pytest.skip("needs a C compiler")
    Q = skewed.float().requires_grad_()
    logits = (100 * torch.randn(6, 3)).requires_grad_()
    labels = torch.tensor([0, 1, 2, -100, 1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about torch
        torch._dynamo.reset()
        compiled = torch.compile(noisy_label_loss, fullgraph=True, backend=backend)
        got = compiled(logits, labels, Q)
        grads = torch.autograd.grad(got, [logits, Q])
    expected = noisy_label_loss(logits, labels, Q)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(grads, torch.autograd.grad(expected, [logits, Q]))


def test_devices(device: torch.device, skewed: Tensor) -> None:
    logits, labels = 20 * torch.randn(6, 3), torch.tensor([0, 1, 2, -100, 1, 0])
    criterion = NoisyLabelLoss(skewed.float(), weight=torch.tensor([1.0, 2.0, 3.0]))
    expected = criterion(logits, labels)
    on_device = criterion.to(device)(logits.to(device), labels.to(device))
    assert on_device.device.type == device.type
    torch.testing.assert_close(on_device.cpu(), expected)


def test_module_keeps_a_copy_of_its_matrix_with_its_state(skewed: Tensor) -> None:
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.arange(6) % 3
    given_matrix = skewed.clone()
    criterion = NoisyLabelLoss(
        given_matrix, weight=torch.tensor([1.0, 2.0, 3.0]), reduction="sum", ignore_index=0
    )
    expected = noisy_label_loss(
        logits, labels, skewed, weight=torch.tensor([1.0, 2.0, 3.0]), reduction="sum", ignore_index=0
    )
    given_matrix.zero_()
    assert torch.equal(criterion(logits, labels), expected)
    assert torch.equal(copy.deepcopy(criterion)(logits, labels), expected)
    assert list(criterion.parameters()) == []
    other = NoisyLabelLoss(torch.eye(3).double(), weight=torch.ones(3), reduction="sum", ignore_index=0)
    other.load_state_dict(criterion.state_dict())
    assert torch.equal(other(logits, labels), expected)
    assert "num_classes=3, reduction='sum'" in repr(criterion)


BATCH = torch.zeros(2, 3)
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (
            (BATCH, torch.tensor([0, 3]), torch.eye(3)),
            {},
            IndexError,
            r"lie in 0\.\.2 or be .*\(-100\); got 3",
        ),
        ((BATCH, torch.tensor([-1, 3]), torch.eye(3)), {"ignore_index": 9}, IndexError, r"\(9\); got -1"),
        (
            (BATCH, torch.tensor([0.0, 1.0]), torch.eye(3)),
            {},
            TypeError,
            "indices .integers. or, .* got torch.float32",
        ),
        (
            (BATCH.long(), LABELS, torch.eye(3)),
            {},
            TypeError,
            "logits must be floating-point.*got torch.int64",
        ),
        (
            (BATCH, torch.tensor([0]), torch.eye(3)),
            {},
            ValueError,
            r"shape \(2,\) for logits of .*\(2, 3\); got",
        ),
        (
            (BATCH[0], LABELS, torch.eye(3)),
            {},
            ValueError,
            r"noisy_labels must have shape \(\) for .*got \(2,\)",
        ),
        (
            (torch.tensor(0.0), LABELS, torch.eye(3)),
            {},
            ValueError,
            r"\(N, K, d1, \.\.\.\); got a single number",
        ),
        (
            (BATCH, LABELS, torch.eye(2)),
            {},
            ValueError,
            r"shape \(3, 3\) for logits of 3 classes; got \(2, 2\)",
        ),
        (
            (BATCH, LABELS, torch.eye(3)),
            {"weight": torch.ones(2)},
            ValueError,
            r"shape \(3,\), one factor .*\(2,\)",
        ),
        (
            (BATCH, LABELS, torch.eye(3)),
            {"reduction": "avg"},
            ValueError,
            "'mean', 'sum' or 'none'; got 'avg'",
        ),
        (
            (BATCH, LABELS, torch.eye(3)),
            {"label_smoothing": "0.1"},
            TypeError,
            "label_smoothing must be a number; got '0.1'",
        ),
        (
            (BATCH, LABELS, torch.eye(3).repeat(2, 1, 1)),
            {"annotators": [0, 1]},
            TypeError,
            "annotators must be a torch.Tensor; got list. Use torch.as_tensor",
        ),
    ],
)
def test_errors_say_what_came(
    arguments: tuple[Tensor, Tensor, Tensor], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        noisy_label_loss(*arguments, **options)

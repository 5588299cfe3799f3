"""Soft labels and label smoothing: cross_entropy at Q = I, a naive loop at any other Q, and what is refused."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from noiselayer import NoiseLayer, NoisyLabelLoss, SparseNoiseMatrix, noisy_label_loss, top_down_loss

SHAPES = [(5,), (7, 5), (3, 5, 4), (2, 5, 3, 2)]  # of the logits; K = 5
REDUCTIONS = ["mean", "sum", "none"]
F64 = torch.float64


def value_and_gradient(loss: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    return loss.detach(), torch.autograd.grad(loss.sum(), logits)[0]


def both_at_the_identity(logits: Tensor, labels: Tensor, **options: Any) -> None:
    logits = logits.requires_grad_()
    got = value_and_gradient(noisy_label_loss(logits, labels, torch.eye(5), **options), logits)
    expected = value_and_gradient(cross_entropy(logits, labels, **options), logits)
    assert got[0].shape == expected[0].shape
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3, 1.0])
def test_soft_labels_at_the_identity_are_cross_entropys(
    shape: tuple[int, ...], reduction: str, weighted: bool, label_smoothing: float
) -> None:
    soft = torch.randn(shape).softmax(dim=0 if len(shape) == 1 else 1)
    weight = torch.rand(5) if weighted else None
    options: dict[str, Any] = {"weight": weight, "reduction": reduction, "label_smoothing": label_smoothing}
    for scale in (1.0, 1e3):
        both_at_the_identity(scale * torch.randn(shape), soft, **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignoring", [False, True])
def test_label_smoothing_at_the_identity_is_cross_entropys(
    shape: tuple[int, ...], reduction: str, weighted: bool, ignoring: bool
) -> None:
    labels = torch.randint(5, shape[:0] if len(shape) == 1 else shape[:1] + shape[2:])
    if ignoring and labels.numel() > 1:
        labels.view(-1)[::3] = -100
    weight = torch.rand(5) if weighted else None
    options: dict[str, Any] = {"weight": weight, "reduction": reduction, "label_smoothing": 0.2}
    both_at_the_identity(30 * torch.randn(shape), labels, **options)


def test_soft_labels_are_the_mean_over_the_labels_they_stand_for(skewed: Tensor) -> None:
    # Each label once, weighted by its probability: the loss of soft labels is linear in them.
    logits, soft = torch.randn(6, 3, dtype=F64), torch.rand(6, 3, dtype=F64).softmax(dim=1)
    each = [noisy_label_loss(logits, torch.full((6,), j), skewed, reduction="none") for j in range(3)]
    expected = sum(soft[:, j] * each[j] for j in range(3))
    torch.testing.assert_close(noisy_label_loss(logits, soft, skewed, reduction="none"), expected)
    assert not torch.allclose(noisy_label_loss(logits, soft, skewed.T, reduction="none"), expected, rtol=0.05)
    certain = one_hot(torch.arange(6) % 3, 3).double()
    torch.testing.assert_close(
        noisy_label_loss(logits, certain, skewed), noisy_label_loss(logits, torch.arange(6) % 3, skewed)
    )


def test_gradients_of_soft_labels_reach_the_matrix_and_its_zeros(skewed: Tensor) -> None:
    soft = torch.rand(4, 3, dtype=F64).softmax(dim=1)
    logits = torch.randn(4, 3, dtype=F64, requires_grad=True)
    Q = (0.9 * skewed + 0.1 / 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda z, Q: noisy_label_loss(z, soft, Q), (logits, Q))
    eye = torch.eye(3, dtype=F64, requires_grad=True)
    (grad,) = torch.autograd.grad(noisy_label_loss(logits.detach(), soft, eye), eye)
    assert (grad < 0).all()


def test_a_label_without_a_share_may_be_impossible() -> None:
    Q = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.7], [0.5, 1.0, 0.3]])
    logits = torch.randn(1, 3, requires_grad=True)
    loss = noisy_label_loss(logits, torch.tensor([[0.0, 0.4, 0.6]]), Q)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert noisy_label_loss(logits, torch.tensor([[0.1, 0.4, 0.5]]), Q) == torch.inf


def test_every_form_of_the_matrix(skewed: Tensor) -> None:
    logits, soft = torch.randn(6, 3), torch.rand(6, 3).softmax(dim=1)
    Q = skewed.float()
    expected = noisy_label_loss(logits, soft, Q, reduction="none")
    sparse = SparseNoiseMatrix.from_dense(Q, 2)
    torch.testing.assert_close(noisy_label_loss(logits, soft, sparse, reduction="none"), expected)
    torch.testing.assert_close(NoiseLayer(3, Q).loss(logits, soft, reduction="none"), expected)
    two, who = torch.stack([torch.eye(3), Q]), torch.tensor([1, 0, 1, 1, 0, 1])
    got = noisy_label_loss(logits, soft, two, annotators=who, reduction="none")
    torch.testing.assert_close(got[who == 1], expected[who == 1])
    torch.testing.assert_close(got, NoisyLabelLoss(two, reduction="none")(logits, soft, who))
    # Whoever gave a label that is ignored may be unknown.
    labels = torch.tensor([0, -100, 2, 1, 0, 1])
    smooth = noisy_label_loss(
        logits,
        labels,
        two,
        annotators=torch.tensor([1, -1, 1, 1, 0, 1]),
        label_smoothing=0.1,
        reduction="none",
    )
    assert smooth[1] == 0
    assert (smooth[labels >= 0] > 0).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, about torch
def test_smoothed_labels_of_annotators_compile_to_one_graph(skewed: Tensor) -> None:
    logits = (5 * torch.randn(6, 3)).requires_grad_()
    matrices = torch.stack([torch.eye(3), skewed.float()]).requires_grad_()
    labels, annotators = torch.tensor([0, 1, 2, -100, 1, 0]), torch.tensor([0, 1, 1, 0, 1, 1])

    def loss(logits: Tensor, matrices: Tensor) -> Tensor:
        return noisy_label_loss(logits, labels, matrices, annotators=annotators, label_smoothing=0.1)

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, dynamic=True, backend="aot_eager")(logits, matrices)
    expected = loss(logits, matrices)
    torch.testing.assert_close(compiled, expected)
    got = torch.autograd.grad(compiled, [logits, matrices])
    torch.testing.assert_close(got, torch.autograd.grad(expected, [logits, matrices]), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_a_layer_is_exported(skewed: Tensor) -> None:
    layer, logits = NoiseLayer(3, skewed.float()).eval(), torch.randn(4, 3)
    exported = torch.export.export(layer, (logits,)).module()
    torch.testing.assert_close(exported(logits), layer(logits))


def test_the_module_smooths_and_says_so() -> None:
    criterion = NoisyLabelLoss(torch.eye(3), label_smoothing=0.1)
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    expected = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels)
    torch.testing.assert_close(criterion(logits, labels), expected)
    torch.testing.assert_close(copy.deepcopy(criterion)(logits, labels), expected)
    assert "label_smoothing=0.1" in repr(criterion)
    assert "label_smoothing" not in repr(NoisyLabelLoss(torch.eye(3)))


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        (
            torch.ones(2),
            {},
            TypeError,
            r"class indices .integers. or, in the shape of logits, \(2, 3\), probabilities of classes; got "
            r"torch.float32 of shape \(2,\)",
        ),
        (
            torch.full((2, 3), 1 / 3),
            {"ignore_index": 1},
            ValueError,
            "ignore_index is for class indices; got 1 with labels that are probabilities. Leave the samples out",
        ),
        (
            torch.tensor([0, 1]),
            {"label_smoothing": 1.5},
            ValueError,
            "label_smoothing must lie between 0 and 1; got 1.5",
        ),
    ],
)
def test_errors_say_what_came(
    labels: Tensor, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        noisy_label_loss(torch.zeros(2, 3), labels, torch.eye(3), **options)


def test_top_down_converts_indices_alone() -> None:
    with pytest.raises(TypeError, match=r"class indices .integers., which are converted; got torch.float32"):
        top_down_loss(torch.zeros(2, 3), torch.full((2, 3), 1 / 3), torch.eye(3))

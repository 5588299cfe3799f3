"""The posterior against Bayes' rule by hand, the loss's own gradient, and what it must not be."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from noiselayer import noisy_label_loss
from noiselayer.noise import pair_flip, random
from noiselayer.noise.posterior import label_error_probability, posterior


def by_hand(probs: list[Fraction], label: int, Q: list[list[Fraction]]) -> list[Fraction]:
    joint = [Q[label][i] * probs[i] for i in range(len(probs))]
    return [share / sum(joint) for share in joint]


def sample(seed: int, N: int = 7, K: int = 4, scale: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(N, K, generator=generator, dtype=torch.float64)
    labels = torch.randint(K, (N,), generator=generator)
    return logits, labels, random(K, 0.4, concentration=0.5, generator=generator, dtype=torch.float64)


def test_it_is_bayes_rule_in_exact_fractions(skewed: Tensor) -> None:
    Q = [[Fraction(str(round(q, 3))) for q in row] for row in skewed.tolist()]
    probs = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    logits = torch.tensor([[math.log(p) for p in probs]] * 3, dtype=torch.float64)
    got = posterior(logits, torch.tensor([0, 1, 2]), skewed)
    expected = torch.tensor([[float(p) for p in by_hand(probs, j, Q)] for j in range(3)], dtype=torch.float64)
    torch.testing.assert_close(got, expected)


def test_a_transposed_matrix_gives_another_answer(skewed: Tensor) -> None:
    logits, labels = torch.zeros(3, 3, dtype=torch.float64), torch.arange(3)
    with pytest.raises(ValueError, match=r"Its rows do: if rows are true\s+classes"):
        posterior(logits, labels, skewed.T.contiguous())
    doubly = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.6, 0.4], [0.4, 0.0, 0.6]], dtype=torch.float64)
    assert posterior(logits, labels, doubly)[0].tolist() == pytest.approx([0.6, 0.4, 0.0])
    assert posterior(logits, labels, doubly.T.contiguous())[0].tolist() == pytest.approx([0.6, 0.0, 0.4])


@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_the_gradient_of_the_loss_is_softmax_minus_posterior(seed: int, scale: float) -> None:
    logits, labels, Q = sample(seed, scale=scale)
    leaf = logits.clone().requires_grad_()
    noisy_label_loss(leaf, labels, Q, reduction="sum").backward()
    assert leaf.grad is not None
    torch.testing.assert_close(logits.softmax(dim=1) - leaf.grad, posterior(logits, labels, Q))


@given(st.integers(0, 10_000))
def test_averaged_over_the_labels_it_is_the_models_own_opinion(seed: int) -> None:
    # sum_j p(noisy = j | x) p(true = i | x, noisy = j) = p(true = i | x)
    logits, _, Q = sample(seed)
    K = len(Q)
    noisy = logits.softmax(dim=1) @ Q.T
    each = torch.stack([posterior(logits, torch.full((len(logits),), j), Q) for j in range(K)])
    torch.testing.assert_close(torch.einsum("nj,jni->ni", noisy, each), logits.softmax(dim=1))


@given(st.integers(0, 10_000), st.permutations(range(4)))
def test_relabelling_the_classes_permutes_the_answer(seed: int, order: list[int]) -> None:
    logits, labels, Q = sample(seed)
    index = torch.tensor(order)
    renamed = posterior(logits[:, index], index.argsort()[labels], Q[index][:, index])
    torch.testing.assert_close(renamed, posterior(logits, labels, Q)[:, index])


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_it_is_exact_where_a_softmax_has_underflown(size: float) -> None:
    # p = (1, 0, 0) in float32, but label 2 can only come from classes 1 and 2, of which 2 is likelier by e.
    Q = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]])
    got = posterior(torch.tensor([[size, 0.0, 1.0]]), torch.tensor([2]), Q)
    torch.testing.assert_close(got, torch.tensor([[0.0, 1 / (1 + math.e), math.e / (1 + math.e)]]))


def test_without_noise_the_label_is_the_truth() -> None:
    logits, labels, _ = sample(0)
    torch.testing.assert_close(
        posterior(logits, labels, torch.eye(4, dtype=torch.float64)),
        torch.nn.functional.one_hot(labels, 4).double(),
    )
    assert label_error_probability(logits, labels, torch.eye(4)).tolist() == [0.0] * len(labels)


def test_uninformative_labels_leave_the_models_opinion() -> None:
    logits, labels, _ = sample(1)
    uniform = torch.full((4, 4), 0.25, dtype=torch.float64)
    torch.testing.assert_close(posterior(logits, labels, uniform), logits.softmax(dim=1))


@given(st.integers(0, 10_000))
def test_the_error_probability_is_what_the_label_itself_leaves(seed: int) -> None:
    logits, labels, Q = sample(seed)
    right = posterior(logits, labels, Q)[torch.arange(len(labels)), labels]
    torch.testing.assert_close(label_error_probability(logits, labels, Q), 1 - right)


def test_a_tiny_error_probability_keeps_its_digits() -> None:
    # 0.45 e^-60 / 0.55, far below what 1 - 0.99... could hold
    got = label_error_probability(
        torch.tensor([[60.0, 0.0, -900.0]], dtype=torch.float64),
        torch.tensor([0]),
        torch.tensor([[0.55, 0.45, 0.0], [0.45, 0.55, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64),
    )
    assert got.item() == pytest.approx(0.45 / 0.55 * math.exp(-60), rel=1e-9)


def test_a_pair_flip_points_to_the_class_before() -> None:
    # The network is sure of a 3; the label says 4: for pair_flip that is a 3 mistaken for the next.
    logits = torch.nn.functional.one_hot(torch.tensor([3]), 10).float() * 20
    assert posterior(logits, torch.tensor([4]), pair_flip(10, 0.45)).argmax().item() == 3


def test_half_precision_is_answered_in_single(device: torch.device) -> None:
    logits, labels, Q = sample(2)
    half = logits.float().to(device).half()
    got = posterior(half, labels, Q.float())
    assert (got.dtype, got.device.type) == (torch.float32, device.type)
    torch.testing.assert_close(got.cpu(), posterior(half.float().cpu(), labels, Q.float()))


def test_no_gradient_and_no_samples() -> None:
    logits, labels, Q = sample(3)
    assert not posterior(logits.requires_grad_(), labels, Q.requires_grad_()).requires_grad
    assert posterior(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), Q).shape == (0, 4)


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (
            torch.zeros(2, 3).long(),
            torch.tensor([0, 1]),
            TypeError,
            "logits must be floating-point class scores",
        ),
        (torch.zeros(2, 3), torch.tensor([0.0, 1.0]), TypeError, "noisy_labels must be class indices"),
        (torch.zeros(3), torch.tensor(0), ValueError, r"logits must have shape \(N, K\); got \(3,\)"),
        (torch.zeros(2, 3), torch.tensor([0]), ValueError, r"must have shape \(2,\), one per row of logits"),
        (torch.zeros(2, 2), torch.tensor([0, 1]), ValueError, "is 3 x 3, but there are 2 classes"),
        (
            torch.zeros(2, 3),
            torch.tensor([0, 3]),
            IndexError,
            r"must lie in 0\.\.2; got 3 at 1\. Leave samples",
        ),
        (torch.zeros(2, 3), torch.tensor([-100, 0]), IndexError, "got -100 at 0"),
        (
            torch.tensor([[0, torch.nan, 0]]),
            torch.tensor([0]),
            ValueError,
            r"row 0 holds \[0\.0, nan, 0\.0\]",
        ),
        (torch.tensor([[0, torch.inf, 0]]), torch.tensor([0]), ValueError, "must be numbers below infinity"),
        (torch.full((1, 3), -torch.inf), torch.tensor([0]), ValueError, "sample 0 carries label 0, but"),
        (
            torch.tensor([[0.0, 0.0, 0.0], [-torch.inf, 0.0, -torch.inf]]),
            torch.tensor([0, 0]),
            ValueError,
            "sample 1 carries label 0, but noise_matrix gives it no probability under any class that",
        ),
    ],
)
def test_what_it_refuses(
    logits: Tensor, labels: Tensor, error: type[Exception], message: str, skewed: Tensor
) -> None:
    with pytest.raises(error, match=message):
        posterior(logits, labels, skewed.float())

"""The noise matrix from features: simulated problems with a known answer, and inputs with nothing in them."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.joint.from_features import (
    Candidate,
    FeatureEstimate,
    estimate_from_features,
    lost_classes,
    smallest_trace_within_one_error,
)
from noiselayer.joint.linear_fit import LinearFit
from noiselayer.losses.log_space import noisy_nll
from noiselayer.noise import matrices as nm

SKEWED = torch.tensor([[0.7, 0.0, 0.35], [0.3, 0.8, 0.0], [0.0, 0.2, 0.65]])


def linear_softmax(size: int, noise_matrix: Tensor, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features, true classes drawn from a softmax that is linear in them, and noisy labels."""
    generator = torch.Generator().manual_seed(seed)
    K = len(noise_matrix)
    angles = 2 * torch.pi * torch.arange(K) / K
    features = 1.5 * torch.randn(size, 2, generator=generator)
    logits = 2.5 * features @ torch.stack([angles.cos(), angles.sin()])
    truth = torch.multinomial(logits.softmax(dim=1), 1, generator=generator).flatten()
    return features, truth, corrupt_labels(truth, noise_matrix, generator=generator)


def blurred(noise_matrix: Tensor) -> Tensor:
    """What the confusion of a poor model would be."""
    K = len(noise_matrix)
    return 0.6 * noise_matrix + 0.4 / K


def estimate(features: Tensor, labels: Tensor, start: Tensor, **options: Any) -> FeatureEstimate:
    held_out = len(features) // 5
    return estimate_from_features(
        features[held_out:],
        labels[held_out:],
        len(start),
        validation_features=features[:held_out],
        validation_labels=labels[:held_out],
        start=start,
        **options,
    )


def distance(a: Tensor, b: Tensor) -> float:
    """Mean over the columns of their L1 distance."""
    return float((a - b).abs().sum(dim=0).mean())


def counted(truth: Tensor, noisy: Tensor, num_classes: int) -> Tensor:
    """What somebody who knows the true classes would count."""
    counts = torch.zeros(num_classes, num_classes)
    for j, i in zip(noisy.tolist(), truth.tolist(), strict=True):
        counts[j, i] += 1
    return counts / counts.sum(dim=0)


@pytest.mark.parametrize("rule", ["best", "one-standard-error"])
def test_finds_the_matrix_of_simulated_data(rule: str) -> None:
    features, truth, noisy = linear_softmax(3000, SKEWED)
    found = estimate(features, noisy, blurred(SKEWED), rule=rule)
    assert found.warning == ""
    torch.testing.assert_close(found.noise_matrix.sum(dim=0), torch.ones(3))
    # Nobody told it the true classes; it may be a few times as far off as counting them would be.
    by_counting = distance(counted(truth, noisy, 3), SKEWED)
    assert by_counting < 0.05
    assert distance(found.noise_matrix, SKEWED) < max(4 * by_counting, 0.12)
    assert distance(found.noise_matrix, SKEWED) < 0.3 * distance(blurred(SKEWED), SKEWED)
    assert distance(found.noise_matrix, SKEWED.T) > 0.4  # the other orientation


def test_clean_labels_give_the_identity() -> None:
    features, truth, _ = linear_softmax(1500, torch.eye(3))
    found = estimate(features, truth, blurred(torch.eye(3)), rule="best")
    assert distance(found.noise_matrix, torch.eye(3)) < 0.06


def test_relabelling_the_classes_permutes_the_answer() -> None:
    features, _, noisy = linear_softmax(600, SKEWED)
    to = torch.tensor([2, 0, 1])
    start = blurred(SKEWED)
    moved_start = torch.empty_like(start)
    moved_start[to[:, None], to[None, :]] = start
    few = {"ridges": (10.0,), "trace_penalties": (0.05,)}
    one = estimate(features, noisy, start, **few).noise_matrix
    other = estimate(features, to[noisy], moved_start, **few).noise_matrix
    torch.testing.assert_close(other[to][:, to], one, rtol=0, atol=2e-3)


def test_the_path_reports_what_it_says() -> None:
    features, _, noisy = linear_softmax(600, SKEWED)
    options: dict[str, Any] = {"ridges": (10.0, 3.0), "trace_penalties": (0.0, 0.1)}
    found = estimate(features, noisy, blurred(SKEWED), rule="best", **options)
    assert [(c.ridge, c.trace_penalty) for c in found.path] == [(10, 0), (10, 0.1), (3, 0), (3, 0.1)]
    best = min(found.path, key=lambda c: c.held_out_loss)
    assert torch.equal(found.noise_matrix, best.noise_matrix)
    for c in found.path:
        assert c.trace == pytest.approx(float(c.noise_matrix.diagonal().mean()), abs=1e-6)
        assert c.excess == pytest.approx(c.held_out_loss - best.held_out_loss, abs=1e-9)
        assert 0 <= c.excess_error < 0.05
    one_error = estimate(features, noisy, blurred(SKEWED), rule="one-standard-error", **options)
    assert one_error.chosen.trace <= found.chosen.trace
    assert one_error.chosen.excess <= one_error.chosen.excess_error


CANDIDATES = st.lists(
    st.builds(
        lambda trace, loss: Candidate(1.0, 0.0, torch.eye(2), trace, loss, excess_error=0.1),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=8,
)


@given(candidates=CANDIDATES)
def test_one_standard_error_never_has_a_larger_trace_than_the_best(candidates: list[Candidate]) -> None:
    best = min(candidates, key=lambda c: c.held_out_loss)
    path = [
        Candidate(
            c.ridge,
            c.trace_penalty,
            c.noise_matrix,
            c.trace,
            c.held_out_loss,
            c.held_out_loss - best.held_out_loss,
            0.0 if c is best else c.excess_error,
        )
        for c in candidates
    ]
    chosen = smallest_trace_within_one_error(path)
    assert chosen.trace <= best.trace
    assert chosen.held_out_loss <= best.held_out_loss + 0.1 + 1e-12
    assert all(c.trace >= chosen.trace for c in path if c.excess < 0.1 - 1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), num_classes=st.integers(2, 5))
def test_gradients_in_closed_form_equal_autograds(seed: int, num_classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    K = num_classes
    features = 3 * torch.randn(20, 2, generator=generator, dtype=torch.float64)
    labels = torch.randint(K, (20,), generator=generator)
    W = 3 * torch.randn(K, 3, generator=generator, dtype=torch.float64)
    Q = (3 * torch.randn(K, K, generator=generator, dtype=torch.float64)).softmax(dim=0)
    W.requires_grad_()
    Q.requires_grad_()
    expected = noisy_nll(features @ W[:, :2].T + W[:, 2], labels, Q).mean()
    of_W, of_Q = torch.autograd.grad(expected, [W, Q])
    fit = LinearFit(features, labels, K, iterations=1)
    loss, grad_W, grad_Q = fit.likelihood(W.detach(), Q.detach())
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(grad_W, of_W)
    torch.testing.assert_close(grad_Q, of_Q)


def test_fits_end_where_the_gradient_ends() -> None:
    features, _, noisy = linear_softmax(300, SKEWED)
    ridge, trace_weight = 0.02, 0.05
    fit = LinearFit(features.double(), noisy, 3, iterations=300)
    A0 = blurred(SKEWED).double().log()
    W = fit.classifier(A0, ridge=ridge)
    assert torch.equal(fit.classifier(A0, ridge=ridge), W)
    W, A = (x.requires_grad_() for x in fit.both(W, A0, ridge=ridge, trace_weight=trace_weight))
    Q = A.softmax(dim=0)
    loss = noisy_nll(features.double() @ W[:, :2].T + W[:, 2], noisy, Q).mean()
    loss = loss + ridge / 2 * W[:, :2].square().sum() + trace_weight * Q.diagonal().mean()
    for gradient in torch.autograd.grad(loss, [W, A]):
        assert float(gradient.abs().max()) < 1e-4


FEW: dict[str, Any] = {"ridges": (10.0,), "trace_penalties": (0.0, 0.1)}


def test_more_features_than_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    features = torch.randn(40, 200, generator=generator) + 2 * labels[:, None]
    found = estimate(features, labels, blurred(torch.eye(2)), rule="best", **FEW)
    assert distance(found.noise_matrix, torch.eye(2)) < 0.3
    again = estimate(features, labels, blurred(torch.eye(2)), rule="best", max_features=3, **FEW)
    assert distance(again.noise_matrix, torch.eye(2)) < 0.3


def test_constant_features_say_nothing_and_do_no_harm() -> None:
    labels = torch.arange(50) % 2
    found = estimate(torch.full((50, 3), 7.0), labels, blurred(torch.eye(2)), **FEW)
    assert bool(found.noise_matrix.isfinite().all())
    torch.testing.assert_close(found.noise_matrix.sum(dim=0), torch.ones(2))
    # A feature that is constant beside others changes nothing.
    features, _, noisy = linear_softmax(300, SKEWED)
    beside = torch.cat([features, torch.full((300, 1), -3.0)], dim=1)
    one = estimate(features, noisy, blurred(SKEWED), **FEW).noise_matrix
    torch.testing.assert_close(
        estimate(beside, noisy, blurred(SKEWED), **FEW).noise_matrix, one, rtol=0, atol=1e-4
    )


def test_units_of_the_features_do_not_matter() -> None:
    features, _, noisy = linear_softmax(300, SKEWED)
    scaled = features * torch.tensor([1e-4, 1e5]) + torch.tensor([0.0, 1e5])
    one = estimate(features.double(), noisy, blurred(SKEWED), **FEW).noise_matrix
    other = estimate(scaled.double(), noisy, blurred(SKEWED), **FEW).noise_matrix
    torch.testing.assert_close(other, one, rtol=0, atol=2e-3)


@pytest.mark.parametrize("rule", ["best", "one-standard-error"])
def test_a_single_validation_sample(rule: str) -> None:
    features, _, noisy = linear_softmax(200, SKEWED)
    found = estimate_from_features(
        features[1:],
        noisy[1:],
        3,
        validation_features=features[:1],
        validation_labels=noisy[:1],
        start=blurred(SKEWED),
        rule=rule,  # type: ignore[arg-type]
        **FEW,
    )
    # One sample has no standard error: both rules take the best.
    assert found.chosen.held_out_loss == min(
        c.held_out_loss for c in found.path if not lost_classes(c.noise_matrix)
    )


def test_at_most_so_many_samples_are_looked_at() -> None:
    features, _, noisy = linear_softmax(400, SKEWED)
    held: dict[str, Any] = {
        "validation_features": features[:50],
        "validation_labels": noisy[:50],
        "start": blurred(SKEWED),
        **FEW,
    }
    kept = torch.linspace(0, 399, 100).long()
    few = estimate_from_features(features, noisy, 3, max_samples=100, **held)
    same = estimate_from_features(features[kept], noisy[kept], 3, **held)
    assert torch.equal(few.noise_matrix, same.noise_matrix)


def test_a_class_without_labels_stays_finite() -> None:
    features, _, noisy = linear_softmax(300, SKEWED)
    found = estimate(features, noisy.clamp_max(1), blurred(nm.symmetric(3, 0.3)), **FEW)
    assert bool(found.noise_matrix.isfinite().all())
    torch.testing.assert_close(found.noise_matrix.sum(dim=0), torch.ones(3))


def test_classes_that_changed_places_are_not_used() -> None:
    # The start says that labels of classes 0 and 1 are mostly swapped, and the data cannot contradict it.
    swapped = torch.tensor([[0.2, 0.8, 0.0], [0.8, 0.2, 0.0], [0.0, 0.0, 1.0]])
    features, truth, _ = linear_softmax(400, torch.eye(3))
    found = estimate(features, truth, swapped, **FEW)
    assert torch.equal(found.noise_matrix, torch.eye(3))
    assert found.warning.startswith(
        "the noise cannot be told from the network's own mistakes: classes 0, 1 would be"
    )
    assert all(lost_classes(c.noise_matrix) == [0, 1] for c in found.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"features": torch.zeros(4)},
            r"features must have shape \(N, D\) with one label per row; got \(4,\)",
        ),
        (
            {"noisy_labels": torch.zeros(5).long()},
            r"features must have .* got \(4, 2\) and labels of shape \(5,\)",
        ),
        (
            {"validation_features": torch.zeros(3, 1)},
            r"validation_features must have shape \(N, D\).* got \(3, 1\)",
        ),
        (
            {"validation_labels": torch.zeros(3, 1)},
            r"validation_features .* got \(3, 2\) and labels of shape \(3, 1\)",
        ),
        ({"start": torch.eye(3)}, r"start must have shape \(2, 2\); got \(3, 3\)"),
    ],
)
def test_shapes_that_do_not_fit(change: dict[str, Tensor], message: str) -> None:
    arguments = {
        "features": torch.zeros(4, 2),
        "noisy_labels": torch.zeros(4).long(),
        "validation_features": torch.zeros(3, 2),
        "validation_labels": torch.zeros(3).long(),
        "start": torch.eye(2),
        **change,
    }
    features, labels = arguments.pop("features"), arguments.pop("noisy_labels")
    with pytest.raises(ValueError, match=message):
        estimate_from_features(features, labels, 2, **arguments)  # type: ignore[arg-type]

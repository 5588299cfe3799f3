"""From predictions: what soft answers are worth, what fitted ones cost, and what is refused."""

import sys
from collections.abc import Callable

import pytest
import torch
from simulated import predictions

from noiselayer import corrupt_labels
from noiselayer.estimation import (
    confusion_matrix,
    estimate_from_predictions,
    estimate_noise_matrix,
    inverse_noise_matrix,
    noise_matrix_from_inverse,
    relative_l1_error,
    sparse_inverse_noise_matrix,
)
from noiselayer.noise import matrices as nm

Q = nm.random(4, 0.4, generator=torch.Generator().manual_seed(3))
Sets = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def sets(seed: int, *, signal: float = 1.5, num_clean: int = 400) -> Sets:
    generator = torch.Generator().manual_seed(seed)
    clean_labels, clean_probs = predictions(num_clean, 4, signal=signal, generator=generator)
    true, noisy_probs = predictions(8000, 4, signal=signal, generator=generator)
    return clean_probs, clean_labels, noisy_probs, corrupt_labels(true, Q, generator=generator)


@pytest.mark.parametrize(
    ("method", "equations"),
    [
        ("inverse", {inverse_noise_matrix, noise_matrix_from_inverse}),
        ("auto", {inverse_noise_matrix, noise_matrix_from_inverse, sparse_inverse_noise_matrix}),
    ],
)
def test_it_calls_the_functions_of_the_equations(method: str, equations: set[Callable[..., object]]) -> None:
    called = set()
    sys.setprofile(lambda frame, event, _: called.add(frame.f_code) if event == "call" else None)
    try:
        estimate_from_predictions(*sets(0), method=method, num_bootstrap=0)
    finally:
        sys.setprofile(None)
    assert {function.__code__ for function in equations} <= called


@pytest.mark.parametrize("soft", [True, False])
def test_same_as_measuring_first(soft: bool) -> None:
    clean_probs, clean_labels, noisy_probs, noisy_labels = sets(0)
    estimate = estimate_from_predictions(*sets(0), soft=soft, method="inverse", num_bootstrap=0)
    kwargs = [
        {"probs": probs} if soft else {"predicted_labels": probs.argmax(1), "num_classes": 4}
        for probs in (clean_probs, noisy_probs)
    ]
    n, m = torch.bincount(clean_labels), torch.bincount(noisy_labels)
    by_hand = estimate_noise_matrix(
        confusion_matrix(clean_labels, **kwargs[0]),
        confusion_matrix(noisy_labels, **kwargs[1]),
        m / m.sum(),
        method="inverse",
        clean_counts=n,
        noisy_counts=m,
    )
    torch.testing.assert_close(estimate.noise_matrix, by_hand.noise_matrix, atol=1e-5, rtol=0)
    assert estimate.standard_error is not None
    assert by_hand.standard_error is not None
    if soft:  # averages scatter less than the decisions that counts are taken for
        assert (estimate.standard_error < by_hand.standard_error).all()
    else:
        torch.testing.assert_close(estimate.standard_error, by_hand.standard_error)


def test_soft_answers_are_worth_more_samples() -> None:
    soft = hard = stated_soft = stated_hard = 0.0
    for seed in range(30):
        a = estimate_from_predictions(*sets(seed), method="inverse", num_bootstrap=0)
        b = estimate_from_predictions(*sets(seed), method="inverse", num_bootstrap=0, soft=False)
        assert a.standard_error is not None
        assert b.standard_error is not None
        soft, hard = soft + relative_l1_error(a.noise_matrix, Q), hard + relative_l1_error(b.noise_matrix, Q)
        stated_soft += float(a.standard_error.mean())
        stated_hard += float(b.standard_error.mean())
    assert soft < 0.92 * hard
    assert stated_soft < 0.92 * stated_hard


def test_bootstrap_errors_are_right_and_intervals_cover() -> None:
    estimates, stated, covered = [], [], []
    for seed in range(60):
        estimate = estimate_from_predictions(*sets(seed), num_bootstrap=40, method="inverse")
        assert estimate.interval is not None
        low, high = estimate.interval
        estimates.append(estimate.noise_matrix)
        stated.append(estimate.standard_error)
        covered.append(((low <= Q) & (high >= Q)).double().mean())
    scatter = torch.stack(estimates).std(0)
    assert float((torch.stack(stated).mean(0) / scatter).mean()) == pytest.approx(1.0, abs=0.15)
    assert 0.90 <= float(torch.stack(covered).mean()) <= 0.99


def test_standard_errors_cover_unless_asked_otherwise() -> None:
    """Of the true entries 95 % should lie within 1.96 of them."""
    covered = []
    for seed in range(300):
        estimate = estimate_from_predictions(*sets(seed), method="inverse")
        assert estimate.standard_error is not None
        covered.append(((estimate.noise_matrix - Q).abs() <= 1.96 * estimate.standard_error).double().mean())
    assert 0.93 <= float(torch.stack(covered).mean()) <= 0.97


def test_intervals_cover_where_errors_of_the_bootstrap_do_not() -> None:
    """Draws are projected as the estimate is: what came out close to 0 by chance scatters too little."""
    truth = nm.symmetric(4, 0.3)
    by_error, by_interval = [], []
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        clean_labels, clean_probs = predictions(200, 4, signal=1.5, generator=generator)
        true, noisy_probs = predictions(4000, 4, signal=1.5, generator=generator)
        noisy_labels = corrupt_labels(true, truth, generator=generator)
        estimate = estimate_from_predictions(
            clean_probs, clean_labels, noisy_probs, noisy_labels, method="inverse", num_bootstrap=40
        )
        assert estimate.interval is not None
        assert estimate.standard_error is not None
        low, high = estimate.interval
        by_interval.append(((low <= truth) & (truth <= high)).double().mean())
        within = (estimate.noise_matrix - truth).abs() <= 1.96 * estimate.standard_error
        by_error.append(within.double().mean())
    assert float(torch.stack(by_interval).mean()) > 0.92
    assert float(torch.stack(by_error).mean()) < 0.91


def test_same_answer_twice_another_with_another_draw() -> None:
    first, second = (estimate_from_predictions(*sets(0), num_bootstrap=20) for _ in range(2))
    other = estimate_from_predictions(*sets(0), num_bootstrap=20, generator=torch.Generator().manual_seed(5))
    assert first.standard_error is not None
    assert other.standard_error is not None
    assert first.standard_error.equal(second.standard_error)
    assert not first.standard_error.equal(other.standard_error)


def test_auto_is_the_sparse_method_with_its_weight() -> None:
    auto = estimate_from_predictions(*sets(0), num_bootstrap=0)
    again = estimate_from_predictions(*sets(0), num_bootstrap=0, method="sparse", sparsity=auto.sparsity)
    assert auto.method == "sparse"
    torch.testing.assert_close(auto.noise_matrix, again.noise_matrix)


def test_a_poor_and_overconfident_model_will_do() -> None:
    errors = [
        relative_l1_error(
            estimate_from_predictions(*sets(seed, signal=0.7, num_clean=4000), num_bootstrap=0).noise_matrix,
            Q,
        )
        for seed in range(5)
    ]
    assert sum(errors) / 5 < 0.15


def test_a_model_that_has_seen_the_noisy_labels_is_found_out() -> None:
    """It answers with the noisy label itself, so C~ comes out cleaner than any noise allows."""
    clean_probs, clean_labels, noisy_probs, noisy_labels = sets(0)
    memorised = 0.2 * noisy_probs + 0.8 * torch.eye(4)[noisy_labels]
    estimate = estimate_from_predictions(clean_probs, clean_labels, memorised, noisy_labels, num_bootstrap=0)
    assert any("the model was fitted to one of the sets" in warning for warning in estimate.warnings)
    fair = estimate_from_predictions(clean_probs, clean_labels, noisy_probs, noisy_labels, num_bootstrap=0)
    assert fair.warnings == ()


def test_few_samples_are_named() -> None:
    clean_probs, clean_labels, noisy_probs, noisy_labels = sets(0)
    keep = (clean_labels != 2) | (torch.arange(400) < 12)
    estimate = estimate_from_predictions(clean_probs[keep], clean_labels[keep], noisy_probs, noisy_labels)
    assert any(warning.startswith("Fewer than 5 clean samples of class 2") for warning in estimate.warnings)
    assert estimate.standard_error is not None
    assert estimate.standard_error.isfinite().all()


def test_devices(device: torch.device) -> None:
    on_device: list[torch.Tensor] = [part.to(device) for part in sets(0)]
    estimate = estimate_from_predictions(*on_device, num_bootstrap=4)
    assert estimate.noise_matrix.device.type == device.type
    there = estimate_from_predictions(*sets(0), num_bootstrap=4)
    torch.testing.assert_close(estimate.noise_matrix.cpu(), there.noise_matrix, atol=1e-4, rtol=0)


def spoil(index: int, value: torch.Tensor) -> list[torch.Tensor]:
    parts = list(sets(0))
    parts[index] = value
    return parts


P, Y, NP, NY = sets(0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (spoil(0, P[0]), ValueError, r"clean_probs must have shape \(N, K\)"),
        (
            spoil(0, P.log()),
            ValueError,
            "clean_probs must be probabilities.* If these are logits, apply softmax",
        ),
        (spoil(2, NP * torch.nan), ValueError, "noisy_probs must be probabilities.*row 0 has NaN"),
        (spoil(2, NP[:, :3]), ValueError, r"noisy_probs must have shape \(N, 4\).* got \(8000, 3\)"),
        (spoil(1, Y.float()), TypeError, "clean_labels must be class indices"),
        (spoil(3, NY + 1), ValueError, r"noisy_labels must lie in 0\.\.3; got 4"),
        (
            spoil(1, Y[:-1]),
            ValueError,
            "clean_probs and clean_labels must be of the same samples; got 400 and 399",
        ),
        (spoil(3, NY[:-1]), ValueError, "noisy_probs and noisy_labels must be of the same samples"),
        (
            spoil(1, Y.clamp_max(2)),
            ValueError,
            r"clean_labels has no sample of class 3; .* Add trusted samples",
        ),
        (spoil(3, NY * 0 + 2), ValueError, "all noisy labels are of class 2"),
    ],
)
def test_errors(arguments: list[torch.Tensor], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        estimate_from_predictions(*arguments)


def test_an_empty_noisy_set() -> None:
    with pytest.raises(ValueError, match="noisy_labels is empty"):
        estimate_from_predictions(P, Y, NP[:0], NY[:0])
    with pytest.raises(ValueError, match="method must be"):
        estimate_from_predictions(P, Y, NP, NY, method="best")

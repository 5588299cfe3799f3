"""Counting pairs: the closed posterior against draws from it, intervals against repeated experiments."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noiselayer import corrupt_labels
from noiselayer.estimation import estimate_from_pairs
from noiselayer.noise import check
from noiselayer.noise import matrices as nm


def test_without_a_prior_it_is_counting(generator: torch.Generator) -> None:
    true = torch.arange(300) % 3
    noisy = corrupt_labels(true, nm.random(3, 0.4), generator=generator)
    counted = torch.zeros(3, 3)
    for y, given_label in zip(true.tolist(), noisy.tolist(), strict=True):
        counted[given_label, y] += 1
    estimate = estimate_from_pairs(true, noisy, 3, prior_strength=0.0)
    torch.testing.assert_close(estimate.noise_matrix, counted / counted.sum(0))
    torch.testing.assert_close(estimate.inverse_noise_matrix, counted.T / counted.sum(1))
    torch.testing.assert_close(estimate.class_prior, counted.sum(0) / 300)


def test_posterior_moments_are_those_of_the_dirichlet(generator: torch.Generator) -> None:
    true, noisy = torch.tensor([0] * 9 + [1] * 4 + [2] * 2), torch.tensor([0] * 7 + [1, 2] + [1] * 4 + [0, 0])
    estimate = estimate_from_pairs(true, noisy, 3, prior_strength=3.0)
    counts = torch.tensor([[7.0, 0, 2], [1, 4, 0], [1, 0, 0]])
    draws = torch.distributions.Dirichlet((counts + 1).T).sample((20_000,))
    torch.testing.assert_close(estimate.noise_matrix, draws.mean(0).T, atol=5e-3, rtol=0)
    assert estimate.standard_error is not None
    torch.testing.assert_close(estimate.standard_error, draws.std(0).T, atol=5e-3, rtol=0)


@given(st.integers(2, 6), st.integers(1, 40), st.floats(0.01, 20), st.integers(0, 1000))
def test_always_a_noise_matrix_inside_its_intervals(K: int, N: int, strength: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    true, noisy = (torch.randint(K, (N,), generator=generator) for _ in range(2))
    estimate = estimate_from_pairs(true, noisy, K, prior_strength=strength)
    check(estimate.noise_matrix)
    check(estimate.inverse_noise_matrix)
    assert estimate.interval is not None
    low, high = estimate.interval
    assert (low <= estimate.noise_matrix).all()
    assert (estimate.noise_matrix <= high).all()


@pytest.mark.parametrize("noise_matrix", [nm.pair_flip(8, 0.45), nm.symmetric(8, 0.5)])
def test_intervals_cover(noise_matrix: torch.Tensor, generator: torch.Generator) -> None:
    covered = []
    for _ in range(200):
        true = torch.arange(400) % 8
        estimate = estimate_from_pairs(true, corrupt_labels(true, noise_matrix, generator=generator), 8)
        assert estimate.interval is not None
        low, high = estimate.interval
        covered.append(((low <= noise_matrix) & (noise_matrix <= high)).double().mean())
    assert 0.93 <= float(torch.stack(covered).mean()) <= 0.995


def test_wilsons_interval_by_its_definition() -> None:
    """Its ends are the shares from which the counted one is 1.96 standard errors away."""
    estimate = estimate_from_pairs(torch.zeros(10, dtype=torch.int64), torch.tensor([1] * 3 + [0] * 7), 2)
    assert estimate.interval is not None
    for end in (estimate.interval[0][1, 0], estimate.interval[1][1, 0]):
        share = float(end)
        assert abs(0.3 - share) == pytest.approx(1.96 * (share * (1 - share) / 10) ** 0.5, rel=1e-4)


def test_what_was_never_or_always_seen_may_be_never_or_always() -> None:
    for n in range(1, 60):
        same = torch.zeros(n, dtype=torch.int64)
        estimate = estimate_from_pairs(same, same, 2)
        assert estimate.interval is not None
        assert estimate.interval[0][1, 0] == 0
        assert estimate.interval[1][0, 0] == 1


def test_a_class_without_pairs_is_named() -> None:
    true, noisy = torch.tensor([0, 0, 2]), torch.tensor([0, 1, 2])
    estimate = estimate_from_pairs(true, noisy, 3)
    assert estimate.warnings == (
        "No pair with a true label of class 1: those columns of noise_matrix are the prior.",
    )
    torch.testing.assert_close(estimate.noise_matrix[:, 1], torch.full((3,), 1 / 3))
    assert estimate.interval is not None
    assert estimate.interval[0][:, 1].tolist() == [0.0] * 3
    assert estimate.interval[1][:, 1].tolist() == [1.0] * 3
    with pytest.raises(ValueError, match=r"true_labels has no sample of class 1.* prior_strength above 0"):
        estimate_from_pairs(true, noisy, 3, prior_strength=0.0)


TRUE = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((TRUE, TRUE, 1), ValueError, "num_classes must be at least 2"),
        ((TRUE, TRUE[:1], 2), ValueError, "of the same samples, at least one; got 2 and 1"),
        ((TRUE[:0], TRUE[:0], 2), ValueError, "at least one; got 0 and 0"),
        ((TRUE, TRUE + 1, 2), ValueError, r"noisy_labels must lie in 0\.\.1; got 2"),
        ((TRUE.float(), TRUE, 2), TypeError, "true_labels must be class indices"),
    ],
)
def test_errors(
    arguments: tuple[torch.Tensor, torch.Tensor, int], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        estimate_from_pairs(*arguments)


def test_option_errors() -> None:
    with pytest.raises(ValueError, match="number of imagined samples, finite and at least 0; got -1"):
        estimate_from_pairs(TRUE, TRUE, 2, prior_strength=-1.0)
    with pytest.raises(ValueError, match=r"between 0 and 1, as in 0\.95; got 95"):
        estimate_from_pairs(TRUE, TRUE, 2, confidence=95)

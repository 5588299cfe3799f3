"""Which of two estimates wins, and that their combination need not know."""

from dataclasses import replace

import pytest
import torch
from simulated import counts, measured, problem

from noiselayer import corrupt_labels
from noiselayer.estimation import (
    NoiseEstimate,
    combine_estimates,
    estimate_from_pairs,
    estimate_noise_matrix,
    relative_l1_error,
)
from noiselayer.noise import check
from noiselayer.noise import matrices as nm


def both(
    accuracy: float, noise_matrix: torch.Tensor, num_clean: int, seed: int
) -> tuple[NoiseEstimate, NoiseEstimate]:
    generator = torch.Generator().manual_seed(seed)
    K = len(noise_matrix)
    drawn = problem(
        K,
        accuracy=accuracy,
        noise_matrix=noise_matrix,
        num_clean=num_clean,
        num_noisy=50_000,
        generator=generator,
    )
    true = torch.arange(num_clean) % K
    pairs = estimate_from_pairs(true, corrupt_labels(true, noise_matrix, generator=generator), K)
    confusions = estimate_noise_matrix(
        *measured(drawn.clean, drawn.noisy),
        method="inverse",
        num_bootstrap=30,
        **counts(drawn.clean, drawn.noisy),
    )
    return confusions, pairs


def race(accuracy: float, noise_matrix: torch.Tensor, num_clean: int) -> tuple[float, float, float, float]:
    """Mean relative L1 errors by confusions, by pairs and by both, and the last one's coverage."""
    results = []
    for seed in range(12):
        confusions, pairs = both(accuracy, noise_matrix, num_clean, seed)
        combined = combine_estimates(confusions, pairs)
        check(combined.noise_matrix)
        check(combined.inverse_noise_matrix)
        assert combined.interval is not None
        low, high = combined.interval
        covered = ((low <= noise_matrix + 1e-6) & (noise_matrix - 1e-6 <= high)).float().mean()
        errors = [relative_l1_error(e.noise_matrix, noise_matrix) for e in (confusions, pairs, combined)]
        results.append([*errors, float(covered)])
    a, b, c, d = torch.tensor(results).mean(0).tolist()
    return a, b, c, d


def test_confusions_win_with_a_good_model_and_few_trusted_samples() -> None:
    """Symmetric 50 %, a model of 90 %, 200 trusted samples, ten classes: .12 against .42, together .11."""
    confusions, pairs, combined, covered = race(0.9, nm.symmetric(10, 0.5), 200)
    assert confusions < 0.15
    assert pairs > 0.35
    assert combined < confusions
    assert covered > 0.9


def test_pairs_win_with_a_poor_model_and_sparse_noise() -> None:
    """Pair-flip 45 %, a model of 40 %, 1,000 trusted samples, ten classes: .09 against .16, together .09."""
    confusions, pairs, combined, covered = race(0.4, nm.pair_flip(10, 0.45), 1000)
    assert pairs < 0.1
    assert confusions > 0.13
    assert combined < 1.07 * pairs
    assert covered > 0.9


def test_together_they_beat_both_where_neither_wins_by_far() -> None:
    confusions, pairs, combined, covered = race(
        0.7, nm.random(10, 0.4, generator=torch.Generator().manual_seed(1)), 500
    )
    assert combined < 0.9 * min(confusions, pairs)
    assert covered > 0.88


def made(column: list[float], errors: list[float]) -> NoiseEstimate:
    Q, sigma = torch.tensor([column, column]).T, torch.tensor([errors, errors]).T
    return NoiseEstimate(
        noise_matrix=Q,
        inverse_noise_matrix=torch.eye(2),
        class_prior=torch.tensor([0.5, 0.5]),
        method="pairs",
        standard_error=sigma,
        interval=((Q - 1.96 * sigma).clamp(0, 1), (Q + 1.96 * sigma).clamp(0, 1)),
        warnings=(f"made of {column}",),
    )


def test_weights_are_inverse_variances() -> None:
    combined = combine_estimates(made([0.6, 0.4], [0.1, 0.1]), made([0.8, 0.2], [0.05, 0.05]))
    torch.testing.assert_close(combined.noise_matrix[:, 0], torch.tensor([0.76, 0.24]))
    assert combined.standard_error is not None
    torch.testing.assert_close(combined.standard_error, torch.full((2, 2), (100 + 400) ** -0.5))
    assert combined.interval is not None
    torch.testing.assert_close(combined.interval[1][0, 0], torch.tensor(0.76 + 1.96 * 500**-0.5))
    assert combined.method == "combined"
    assert combined.warnings == ("made of [0.6, 0.4]", "made of [0.8, 0.2]")


def test_bayes_rule_holds() -> None:
    combined = combine_estimates(made([0.9, 0.1], [0.1, 0.1]), made([0.9, 0.1], [0.1, 0.1]))
    Q, prior = combined.noise_matrix, combined.class_prior
    torch.testing.assert_close(
        combined.inverse_noise_matrix, (Q * prior / (Q * prior).sum(1, keepdim=True)).T
    )


def test_who_knows_nothing_has_no_say() -> None:
    known = made([0.6, 0.4], [0.1, 0.1])
    nothing = replace(made([0.1, 0.9], [0.1, 0.1]), standard_error=torch.full((2, 2), torch.inf))
    for pair in ((known, nothing), (nothing, known)):
        combined = combine_estimates(*pair)
        torch.testing.assert_close(combined.noise_matrix, known.noise_matrix)
        torch.testing.assert_close(combined.standard_error, known.standard_error)
    neither = combine_estimates(nothing, nothing)
    torch.testing.assert_close(neither.noise_matrix, nothing.noise_matrix)


def test_an_error_of_zero_does_not_silence_the_other() -> None:
    sure = replace(made([1.0, 0.0], [0.1, 0.1]), standard_error=torch.zeros(2, 2))
    combined = combine_estimates(sure, made([0.6, 0.4], [0.1, 0.1]))
    assert 0.6 < float(combined.noise_matrix[0, 0]) < 0.99


def test_what_neither_can_tell_from_zero_stays_possible() -> None:
    combined = combine_estimates(made([0.98, 0.02], [0.02, 0.02]), made([0.97, 0.03], [0.02, 0.02]))
    assert combined.interval is not None
    assert combined.interval[0][1, 0] == 0
    assert combined.interval[1][0, 0] == 1


def test_errors() -> None:
    good = made([0.6, 0.4], [0.1, 0.1])
    with pytest.raises(
        ValueError, match=r"the second estimate has no standard_error to weigh it by\. Estimate it with"
    ):
        combine_estimates(good, replace(good, standard_error=None))
    with pytest.raises(ValueError, match="got 2 and 3 classes"):
        combine_estimates(good, replace(good, noise_matrix=torch.eye(3)))
    with pytest.raises(ValueError, match=r"intervals of one confidence; got 0\.95 and 0\.9"):
        combine_estimates(good, replace(good, confidence=0.9))

"""The choice of the sparsity: 0 for dense noise, everything for none, and what its correction does."""

import pytest
import torch
from simulated import counts, measured, problem

from noiselayer.estimation import relative_l1_error, select_sparsity, sparse_inverse_noise_matrix
from noiselayer.estimation.cross_validation import choose_sparsity
from noiselayer.estimation.evidence import CountEvidence, Sample
from noiselayer.noise import matrices as nm


def draw(noise_matrix: torch.Tensor, seed: int) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    drawn = problem(
        len(noise_matrix),
        accuracy=0.7,
        noise_matrix=noise_matrix,
        num_clean=1000,
        num_noisy=50_000,
        generator=torch.Generator().manual_seed(seed),
    )
    return measured(drawn.clean, drawn.noisy), counts(drawn.clean, drawn.noisy)


def test_dense_noise_is_left_dense() -> None:
    for seed in range(4):
        matrices, numbers = draw(nm.symmetric(10, 0.5), seed)
        path = select_sparsity(*matrices, **numbers)
        kept = sparse_inverse_noise_matrix(*matrices[:2], path.sparsity) > 0
        assert kept.float().mean() > 0.9


def test_no_noise_is_found_to_be_none() -> None:
    for seed in range(4):
        matrices, numbers = draw(nm.identity(10), seed)
        R = sparse_inverse_noise_matrix(*matrices[:2], select_sparsity(*matrices, **numbers).sparsity)
        assert relative_l1_error(R, torch.eye(10)) < 0.03  # with the weight 0 it is .07


def test_sparse_noise_is_thinned_out() -> None:
    better = 0.0
    for seed in range(4):
        matrices, numbers = draw(nm.pair_flip(10, 0.45), seed)
        path = select_sparsity(*matrices, **numbers)
        R = sparse_inverse_noise_matrix(*matrices[:2], path.sparsity)
        dense = sparse_inverse_noise_matrix(*matrices[:2], 0.0)
        truth = nm.pair_flip(10, 0.45).T  # balanced classes and labels: R is Q transposed
        better += relative_l1_error(dense, truth) - relative_l1_error(R, truth)
    assert better / 4 > 0.02


def test_the_path_is_what_it_says() -> None:
    matrices, numbers = draw(nm.pair_flip(10, 0.45), 0)
    path = select_sparsity(*matrices, **numbers)
    assert path.sparsities[0] == 0
    assert path.sparsities.equal(path.sparsities.sort().values)
    assert path.errors.shape == path.sparsities.shape
    assert path.sparsity == float(path.sparsities[path.errors.argmin()])
    # From the last weight on, next to nothing is left off the diagonal in any fold.
    assert path.errors[-1] > 2 * path.errors.min()


def test_held_out_errors_of_the_clean_confusion_are_taken_out() -> None:
    """Without that, an R that spreads its mass averages them away and looks better than a sparse one."""
    corrected = plain = 0.0
    for seed in range(6):
        matrices, numbers = draw(nm.pair_flip(10, 0.45), seed)
        n, m = numbers["clean_counts"].double(), numbers["noisy_counts"].double()
        evidence = CountEvidence(Sample(matrices[0].double() * n, n, matrices[1].double() * m, m))
        corrected += choose_sparsity(evidence, matrices[2].double()).sparsity
        evidence.clean_variance = lambda: torch.zeros(10, dtype=torch.float64)  # type: ignore[method-assign]
        plain += choose_sparsity(evidence, matrices[2].double()).sparsity
    assert corrected > 1.3 * plain


def test_same_answer_twice_another_with_another_deal() -> None:
    matrices, numbers = draw(nm.pair_flip(10, 0.45), 2)
    first, second = select_sparsity(*matrices, **numbers), select_sparsity(*matrices, **numbers)
    assert first.errors.equal(second.errors)
    other = select_sparsity(*matrices, **numbers, generator=torch.Generator().manual_seed(9))
    assert not first.errors.equal(other.errors)


def test_classes_with_one_sample_do_not_break_it() -> None:
    C = torch.eye(3)
    ones = torch.ones(3, dtype=torch.int64)
    path = select_sparsity(C, C, torch.full((3,), 1 / 3), clean_counts=ones, noisy_counts=ones)
    assert path.errors.isfinite().all()


def test_many_classes_are_judged_by_some_columns() -> None:
    drawn = problem(
        120,
        accuracy=0.8,
        noise_matrix=nm.pair_flip(120, 0.4),
        num_clean=6000,
        num_noisy=60_000,
        generator=torch.Generator().manual_seed(0),
    )
    path = select_sparsity(
        *measured(drawn.clean, drawn.noisy), **counts(drawn.clean, drawn.noisy), num_folds=2
    )
    assert path.sparsity > 0


def test_errors() -> None:
    matrices, numbers = draw(nm.identity(3), 0)
    with pytest.raises(ValueError, match="num_folds must be at least 2; got 1"):
        select_sparsity(*matrices, **numbers, num_folds=1)
    with pytest.raises(ValueError, match="clean_confusion columns must sum to 1"):
        select_sparsity(2 * matrices[0], *matrices[1:], **numbers)

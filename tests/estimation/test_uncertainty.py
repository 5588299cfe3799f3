"""Closed-form errors against the bootstrap, and what both make of the samples behind a confusion matrix."""

import pytest
import torch
from simulated import F64, measured, predictions, problem

from noiselayer import corrupt_labels
from noiselayer.estimation.evidence import CountEvidence, Evidence, Sample, SampleEvidence
from noiselayer.estimation.uncertainty import first_order, interval
from noiselayer.noise import matrices as nm


def of_counts(sums: Sample) -> CountEvidence:
    return CountEvidence(Sample(*(part.double() for part in sums)))


def matrices(evidence: Evidence) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    clean, n, noisy, m = evidence.whole
    return clean / n, noisy / m, m / m.sum()


def raw(sample: Sample) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """R, Q and the class prior, straight from the paper."""
    R = torch.linalg.solve(
        sample.clean_sums / sample.clean_counts.unsqueeze(-2),
        sample.noisy_sums / sample.noisy_counts.unsqueeze(-2),
    )
    joint = R * (sample.noisy_counts / sample.noisy_counts.sum(-1, keepdim=True)).unsqueeze(-2)
    prior = joint.sum(-1)
    return R, (joint / prior.unsqueeze(-1)).mT, prior


@pytest.mark.parametrize("soft", [False, True])
def test_errors_are_the_scatter_of_a_bootstrap(soft: bool, generator: torch.Generator) -> None:
    """Both kinds of evidence, two ways to the same number, neither of which knows the other."""
    K = 4
    clean_labels, clean_probs = predictions(2000, K, signal=2.0, generator=generator)
    true, noisy_probs = predictions(10_000, K, signal=2.0, generator=generator)
    Q = nm.random(K, 0.4, generator=generator)
    noisy_labels = corrupt_labels(true, Q, generator=generator)
    evidence: Evidence = SampleEvidence(clean_probs, clean_labels, noisy_probs, noisy_labels)
    if not soft:
        one_hot = torch.eye(K)
        evidence = of_counts(
            SampleEvidence(
                one_hot[clean_probs.argmax(1)], clean_labels, one_hot[noisy_probs.argmax(1)], noisy_labels
            ).whole
        )
    stated = first_order(*matrices(evidence), evidence)
    draws = [raw(draw) for draw in evidence.resample(2000, generator)]
    for index, error in enumerate(
        (stated.inverse_error, stated.noise_matrix_error, stated.class_prior_error)
    ):
        scatter = torch.cat([draw[index] for draw in draws]).std(0)
        torch.testing.assert_close(error, scatter, rtol=0.08, atol=2e-4)


def test_decisions_are_probabilities_of_one_and_zero(generator: torch.Generator) -> None:
    labels, predicted = torch.arange(300) % 3, torch.randint(3, (300,), generator=generator)
    samples = SampleEvidence(torch.eye(3)[predicted], labels, torch.eye(3)[predicted], labels)
    counted = of_counts(samples.whole)
    A = torch.randn(3, 3, dtype=F64)
    for ours, theirs in zip(samples.second_moments(A), counted.second_moments(A), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(samples.clean_variance(), counted.clean_variance())


def test_second_moments_are_those_of_a_loop(generator: torch.Generator) -> None:
    labels, probs = predictions(30, 3, signal=1.0, generator=generator)
    A = torch.randn(3, 3, dtype=F64)
    clean, _ = SampleEvidence(probs, labels, probs, labels).second_moments(A)
    for i in range(3):
        rows = [(A @ p.double()).square() for p, y in zip(probs, labels, strict=True) if y == i]
        torch.testing.assert_close(clean[:, i], torch.stack(rows).mean(0))


def test_more_samples_shrink_errors_by_the_square_root(generator: torch.Generator) -> None:
    drawn = problem(
        5,
        accuracy=0.7,
        noise_matrix=nm.symmetric(5, 0.4),
        num_clean=50_000,
        num_noisy=500_000,
        generator=generator,
    )
    parts = [drawn.clean.sums, drawn.clean.num_samples, drawn.noisy.sums, drawn.noisy.num_samples]
    many, few = of_counts(Sample(*parts)), of_counts(Sample(*(part / 25 for part in parts)))
    ratio = (
        first_order(*matrices(few), few).noise_matrix_error
        / first_order(*matrices(many), many).noise_matrix_error
    )
    torch.testing.assert_close(ratio, torch.full_like(ratio, 5.0), rtol=0.03, atol=0)


def test_a_perfect_record_is_no_certainty() -> None:
    """Twenty samples of each class, all right: an error of 1/20 is still possible, one of 1/2 is not."""
    counts = torch.full((3,), 20.0, dtype=F64)
    evidence = CountEvidence(
        Sample(20 * torch.eye(3, dtype=F64), counts, 20 * torch.eye(3, dtype=F64), counts)
    )
    error = first_order(*matrices(evidence), evidence).noise_matrix_error
    assert (error > 0.02).all()
    assert (error < 0.15).all()


def test_a_class_without_a_share_is_undetermined() -> None:
    C = torch.tensor([[0.8, 0.1, 0.3], [0.1, 0.8, 0.3], [0.1, 0.1, 0.4]], dtype=F64)
    noisy = torch.tensor([[0.7, 0.2, 0.4], [0.25, 0.75, 0.56], [0.05, 0.05, 0.04]], dtype=F64)
    counts = torch.full((3,), 100.0, dtype=F64)
    evidence = CountEvidence(Sample(C * counts, counts, noisy * counts, counts))
    stated = first_order(*matrices(evidence), evidence)
    assert stated.class_prior[2] < 0
    assert stated.noise_matrix_error[:, 2].isinf().all()
    low, high = interval(stated.noise_matrix, stated.noise_matrix_error, 0.95)
    assert low[:, 2].tolist() == [0.0] * 3
    assert high[:, 2].tolist() == [1.0] * 3


def test_intervals_are_as_wide_as_asked() -> None:
    low, high = interval(torch.tensor([0.5]), torch.tensor([0.1]), 0.6827)
    assert float(low) == pytest.approx(0.4, abs=1e-4)
    assert float(high) == pytest.approx(0.6, abs=1e-4)


def test_folds_hold_every_sample_once(generator: torch.Generator) -> None:
    drawn = problem(
        4, accuracy=0.6, noise_matrix=nm.symmetric(4, 0.4), num_clean=101, num_noisy=999, generator=generator
    )
    clean, noisy, _ = measured(drawn.clean, drawn.noisy)
    n, m = drawn.clean.num_samples.double(), drawn.noisy.num_samples.double()
    # From shares in float32 times counts, as estimate_noise_matrix has them.
    folds = CountEvidence(Sample(clean.double() * n, n, noisy.double() * m, m)).folds(5, generator)
    assert folds.clean_sums.shape == (5, 4, 4)
    torch.testing.assert_close(folds.clean_sums.sum(0), drawn.clean.sums)
    torch.testing.assert_close(folds.noisy_sums.sum(0), drawn.noisy.sums)
    torch.testing.assert_close(folds.clean_counts.sum(0), n)
    sizes = folds.noisy_counts.sum(-1)
    assert (sizes - 999 / 5).abs().max() < 60

    labels, probs = predictions(101, 4, signal=1.0, generator=generator)
    samples = SampleEvidence(probs, labels, probs, labels)
    soft = samples.folds(5, generator)
    torch.testing.assert_close(soft.clean_sums.sum(0), samples.whole.clean_sums)
    torch.testing.assert_close(soft.noisy_counts.sum(0), samples.whole.noisy_counts)
    assert (soft.clean_counts.sum(-1) > 5).all()


def test_averaged_probabilities_lose_no_mass_when_counted(generator: torch.Generator) -> None:
    """A thousand cells of 0.3 samples each round to none of them if rounded to the nearest."""
    sums = torch.full((30, 30), 0.3, dtype=F64)
    counts = torch.full((30,), 9.0, dtype=F64)
    folds = CountEvidence(Sample(sums, counts, sums, counts)).folds(2, generator)
    assert float(folds.clean_sums.sum()) == pytest.approx(270, rel=0.15)


def test_draws_keep_what_is_fixed_and_vary_the_rest(generator: torch.Generator) -> None:
    labels, probs = predictions(60, 3, signal=1.0, generator=generator)
    for evidence in (
        SampleEvidence(probs, labels, probs, labels),
        of_counts(SampleEvidence(probs, labels, probs, labels).whole),
    ):
        (draw,) = evidence.resample(400, generator)
        assert draw.clean_counts.eq(20).all()
        torch.testing.assert_close(draw.clean_sums.sum(-2), draw.clean_counts.double())
        torch.testing.assert_close(draw.noisy_sums.sum(-2), draw.noisy_counts)
        assert draw.noisy_counts.sum(-1).eq(60).all()
        # Numbers of labels are multinomial: mean 20, variance 60 * 1/3 * 2/3.
        assert float(draw.noisy_counts.mean()) == pytest.approx(20)
        assert float(draw.noisy_counts.var()) == pytest.approx(60 * 2 / 9, rel=0.2)
        torch.testing.assert_close(draw.clean_sums.mean(0), evidence.whole.clean_sums, atol=0.5, rtol=0)

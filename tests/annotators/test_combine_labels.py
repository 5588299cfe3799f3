"""Several labels as one and a matrix per annotator: against Bayes by hand, counts, and crowds with known truth."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from noiselayer.annotators import (
    combine_labels,
    common_matrix,
    estimate_annotator_matrices,
    fit_prior,
    votes_of,
)
from noiselayer.estimation import estimate_from_pairs
from noiselayer.noise import matrices

RATES = (0.1, 0.25, 0.4, 0.55)


def crowd(
    N: int = 1500, K: int = 4, rates: tuple[float, ...] = RATES, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Truth, asymmetric matrices and every annotator's label of every sample."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(K, (N,), generator=generator)
    Q = torch.stack([matrices.random(K, rate, generator=generator) for rate in rates])
    said = torch.stack([torch.multinomial(q.T[truth], 1, generator=generator)[:, 0] for q in Q], dim=1)
    return truth, Q, said


def test_known_matrices_and_a_model_are_bayes_rule_by_hand() -> None:
    _, Q, said = crowd(40)
    said[::3, 1] = -1
    said[5] = -1
    probs = torch.rand(40, 4, generator=torch.Generator().manual_seed(1)).softmax(dim=1)
    found = combine_labels(said, noise_matrices=Q, probs=probs)
    for n in range(40):
        joint = [
            float(probs[n, i]) * math.prod(float(Q[s, said[n, s], i]) for s in range(4) if said[n, s] >= 0)
            for i in range(4)
        ]
        expected = torch.tensor(joint) / sum(joint)
        torch.testing.assert_close(found.posterior[n], expected, rtol=1e-4, atol=1e-6)
    assert bool((found.labels == found.posterior.argmax(dim=1)).all())
    assert bool((found.label_errors.isnan() == (said < 0)).all())


def test_a_table_and_a_list_of_votes_are_the_same() -> None:
    _, Q, said = crowd(60)
    said[torch.rand(said.shape, generator=torch.Generator().manual_seed(2)) < 0.4] = -1
    sample, annotator = (said >= 0).nonzero(as_tuple=True)
    order = torch.randperm(len(sample), generator=torch.Generator().manual_seed(3))
    table = combine_labels(said, noise_matrices=Q)
    listed = combine_labels(
        said[sample, annotator][order],
        annotator[order],
        sample[order],
        noise_matrices=Q,
        class_prior=torch.ones(4) / 4,
    )
    N = len(listed)
    torch.testing.assert_close(table.posterior[:N], listed.posterior)


def test_matrices_and_truth_of_a_crowd_are_found_without_any_truth() -> None:
    truth, Q, said = crowd()
    found = combine_labels(said, annotator_names=["a", "b", "c", "d"])
    assert found.annotators is not None
    assert float((found.annotators.noise_matrices - Q).abs().mean()) < 0.03
    best = (said == truth.unsqueeze(1)).float().mean(dim=0).max()
    assert (found.labels == truth).float().mean() > best
    wrong = int((found.labels != truth).sum())
    assert abs(found.expected_wrong - wrong) < 5 * wrong**0.5
    errors = found.label_errors
    assert errors.shape == said.shape
    torch.testing.assert_close(errors[7, 2], 1 - found.posterior[7, said[7, 2]])
    by_annotator = (said != truth.unsqueeze(1)).sum(dim=0)
    torch.testing.assert_close(found.wrong_by_annotator.float(), by_annotator.float(), rtol=0.1, atol=10)
    low, high = found.annotators.interval
    assert float(((low <= Q) & (high >= Q)).float().mean()) > 0.8
    low, high = found.annotators.accuracy_interval
    right = Q.diagonal(dim1=1, dim2=2).mean(dim=1)
    assert bool(((low - 0.02 <= right) & (right <= high + 0.02)).all())
    assert found.annotators.summary().startswith("d: ")  # the worst first
    frame = found.annotators.to_frame()
    assert list(frame["annotator"]) == ["d", "c", "b", "a"]
    one = found.annotators.confusions(3)[0]
    i, j = one.true, one.given
    assert i != j
    assert one.low <= one.probability <= one.high
    torch.testing.assert_close(
        one.share, float(found.annotators.noise_matrices[3, j, i] * found.annotators.class_prior[i])
    )


def test_checked_samples_alone_give_counts_where_there_are_many() -> None:
    truth, _, said = crowd(6000, K=3, rates=(0.2, 0.5))
    found = estimate_annotator_matrices(said, true_labels=truth)
    for s in range(2):
        pairs = estimate_from_pairs(truth, said[:, s], 3)
        torch.testing.assert_close(found.noise_matrices[s], pairs.noise_matrix, rtol=0, atol=0.01)
        error = pairs.standard_error
        assert error is not None
        ratio = found.standard_error[s] / error
        assert bool(((ratio > 0.6) & (ratio < 1.7)).all()), ratio


def test_a_annotator_without_labels_gets_the_common_matrix_and_one_with_few_moves_towards_it() -> None:
    truth, Q, said = crowd(3000, rates=(0.1, 0.15, 0.2, 0.5, 0.5))
    said[:, 4] = -1
    said[40:, 3] = -1
    found = estimate_annotator_matrices(said, true_labels=truth)
    torch.testing.assert_close(found.noise_matrices[4], found.common_matrix, atol=0.05, rtol=0)
    assert int(found.num_labels[4]) == 0
    assert any("No label by annotator 4" in note for note in found.warnings)
    counts = estimate_from_pairs(truth[:40], said[:40, 3], 4, prior_strength=1e-6).noise_matrix
    few, common = found.noise_matrices[3], found.common_matrix
    assert (few - common).abs().sum() < (counts - common).abs().sum()
    assert (few - Q[3]).abs().sum() < (counts - Q[3]).abs().sum()
    assert found.standard_error[3].mean() > 3 * found.standard_error[0].mean()


def test_one_label_per_sample_needs_a_model_and_uses_it() -> None:
    generator = torch.Generator().manual_seed(0)
    _, Q, _ = crowd()
    logits = 2.5 * torch.randn(6000, 4, generator=generator)
    truth = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    annotators = torch.arange(6000) % 4
    labels = torch.multinomial(Q[annotators, :, truth], 1, generator=generator)[:, 0]
    with pytest.raises(
        ValueError, match="every sample has one label, so nothing tells right ones from wrong"
    ):
        combine_labels(labels, annotators)
    found = combine_labels(labels, annotators, probs=logits.softmax(dim=1))
    assert found.annotators is not None
    assert float((found.annotators.noise_matrices - Q).abs().mean()) < 0.03
    assert found.temperature == 1.0  # taken as it is
    assert (found.labels == truth).float().mean() > (labels == truth).float().mean() + 0.1


def test_a_models_evidence_helps_and_is_softened_where_it_is_too_sure() -> None:
    truth, _, said = crowd(1500, rates=(0.4, 0.4, 0.5))
    z = torch.eye(4)[truth] + 0.7 * torch.randn(1500, 4, generator=torch.Generator().manual_seed(5))
    alone = combine_labels(said)
    both = combine_labels(said, probs=(8 * z).softmax(dim=1))  # its best temperature is 8 * 0.49
    assert (both.labels == truth).float().mean() > (alone.labels == truth).float().mean() + 0.05
    assert both.temperature is not None
    assert 2.5 < both.temperature < 6


def test_annotators_that_copy_each_other_are_noticed() -> None:
    generator = torch.Generator().manual_seed(0)
    _, _, said = crowd(2000, rates=(0.3, 0.3, 0.3, 0.3, 0.3))
    copied = torch.rand(2000, generator=generator) < 0.6
    said[:, 1] = torch.where(copied, said[:, 0], said[:, 1])
    noted = combine_labels(said).warnings
    assert len(noted) == 1
    assert noted[0].startswith("Annotators do not err independently: annotator ")
    assert combine_labels(crowd(2000, rates=(0.3,) * 5)[2]).warnings == ()


@settings(max_examples=6, deadline=None)
@given(st.permutations(range(4)))
def test_renaming_classes_renames_the_answer(order: list[int]) -> None:
    _, _, said = crowd(200)
    new = torch.tensor(order)
    found = combine_labels(said, noise_matrices=crowd(1)[1], class_prior=torch.tensor([0.1, 0.2, 0.3, 0.4]))
    back = torch.argsort(new)
    moved = combine_labels(
        new[said],
        noise_matrices=crowd(1)[1][:, back][:, :, back],
        class_prior=torch.tensor([0.1, 0.2, 0.3, 0.4])[back],
    )
    torch.testing.assert_close(moved.posterior[:, new], found.posterior, rtol=1e-3, atol=1e-5)


def test_strength_says_how_alike_annotators_are() -> None:
    generator = torch.Generator().manual_seed(0)
    one = matrices.random(3, 0.3, generator=generator).double()
    n = 400.0
    alike = torch.poisson((n * one).expand(25, 3, 3).contiguous(), generator=generator)
    for strength in (8.0, 60.0):
        gammas = torch._standard_gamma((strength * one).expand(25, 3, 3).contiguous(), generator=generator)
        Q = gammas / gammas.sum(dim=1, keepdim=True)
        found = fit_prior(torch.poisson(n * Q, generator=generator))
        assert strength / 2 < float(found.strength.mean()) < strength * 3
        torch.testing.assert_close(found.common, one, atol=0.08, rtol=0)
    assert float(fit_prior(alike).strength.min()) > 500
    # The mean of means where annotators differ, of labels where they do not.
    counts = torch.stack([1000 * torch.eye(2), 10 * torch.full((2, 2), 0.5)])
    assert float(common_matrix(counts, 1.0)[0, 0]) < 0.85 < 0.98 < float(common_matrix(counts, 1e9)[0, 0])


def test_what_is_wrong_is_said() -> None:
    _, Q, said = crowd(20)
    with pytest.raises(
        ValueError, match=r"labels of shape \(M,\) needs annotators of shape \(M,\), who gave each"
    ):
        votes_of(said[:, 0])
    with pytest.raises(
        TypeError,
        match="labels must be class indices .* or -1, None or NaN where .*missing; got torch.float32",
    ):
        votes_of(said.float())
    with pytest.raises(ValueError, match=r"annotators must have shape \(20,\), one per label; got \(19,\)"):
        votes_of(said[:, 0], torch.zeros(19, dtype=torch.long))
    with pytest.raises(
        ValueError, match="has a column per annotator already; leave annotators and samples out"
    ):
        votes_of(said, said[:, 0])
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2; got 3"):
        votes_of(said, num_classes=3)
    with pytest.raises(ValueError, match="labels holds none"):
        votes_of(torch.full((3, 2), -1))
    with pytest.raises(ValueError, match="noise_matrices holds 4 matrices, but there are 3 annotators"):
        combine_labels(said[:, :3], noise_matrices=Q, num_annotators=3)
    with pytest.raises(ValueError, match=r"noise_matrices\[0\] columns must sum to 1"):
        combine_labels(said, noise_matrices=Q / 2)
    with pytest.raises(ValueError, match="class_prior goes with noise_matrices"):
        combine_labels(said, class_prior=torch.ones(4) / 4)
    with pytest.raises(ValueError, match="class_prior must be 4 shares that sum to 1"):
        combine_labels(said, noise_matrices=Q, class_prior=torch.ones(4))
    with pytest.raises(ValueError, match=r"true_labels must lie in 0\.\.3, or be -1 where unknown; got 4"):
        combine_labels(said, true_labels=torch.full((20,), 4), num_classes=4)
    with pytest.raises(ValueError, match="annotator_names must be 4, one per annotator; got 3"):
        combine_labels(said, annotator_names=["a", "b", "c"], num_annotators=4)
    with pytest.raises(TypeError, match="noise_matrices are what is estimated here"):
        estimate_annotator_matrices(said, noise_matrices=Q)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        combine_labels(said, confidence=95)


@pytest.mark.parametrize("name", ["probs", "true_labels"])
def test_a_single_number_is_said_to_be_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must have an entry for every sample; got a single number"):
        combine_labels([[0, 1], [1, 1]], num_classes=2, **{name: 1})

"""The audit with a noise matrix per annotator."""

import pytest
import torch
from torch import Tensor

from noiselayer import audit_labels
from noiselayer.annotators import audit_annotators
from noiselayer.noise import matrices


def labelled(n: int = 3000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Truth, labels of a careful and of a careless annotator, who gave them, and a model's probabilities."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(n) % 3
    scores = 2.2 * torch.eye(3)[truth] + torch.randn(n, 3, generator=generator)
    annotators = (torch.rand(n, generator=generator) < 0.4).long()
    Q = torch.stack([matrices.symmetric(3, 0.02), matrices.pair_flip(3, 0.45)])
    labels = torch.multinomial(Q[annotators, :, truth], 1, generator=generator)[:, 0]
    return truth, labels, annotators, (2.2 * scores).softmax(dim=1)


def test_a_label_is_judged_by_its_own_annotator() -> None:
    truth, labels, annotators, probs = labelled()
    wrong = labels != truth
    pooled = audit_labels(labels, probs, probs_predict="true", check_model=False)
    found = audit_annotators(
        labels, probs, annotators, probs_predict="true", annotator_names=["careful", "careless"]
    )
    assert found.annotators is not None
    expected = torch.stack([matrices.symmetric(3, 0.02), matrices.pair_flip(3, 0.45)])
    assert float((found.annotators.noise_matrices - expected).abs().mean()) < 0.04
    assert (found.labels != truth).sum() < 0.85 * (pooled.corrected_labels() != truth).sum()
    for s in range(2):
        count = float((wrong & (annotators == s)).sum())
        assert abs(float(found.wrong_by_annotator[s]) - count) < 0.1 * count + 25
    worst = found.label_errors.argsort(descending=True)[: int(wrong.sum())]
    assert wrong[worst].float().mean() > 0.85
    assert found.annotators.summary().startswith("careless: ")


def test_verified_labels_are_right_and_tell_nothing_of_a_annotator() -> None:
    _, labels, annotators, probs = labelled(900)
    verified = torch.zeros(900, dtype=torch.bool)
    verified[:100] = True
    found = audit_annotators(labels, probs, annotators, probs_predict="true", verified=verified)
    assert not found.label_errors[:100].any()
    assert bool((found.labels[:100] == labels[:100]).all())
    assert found.annotators is not None
    assert int(found.annotators.num_labels.sum()) == 800


def test_annotators_of_other_samples_are_refused() -> None:
    _, labels, annotators, probs = labelled(90)
    with pytest.raises(ValueError, match=r"annotators must have shape \(90,\), one per label; got \(89,\)"):
        audit_annotators(labels, probs, annotators[1:], probs_predict="given")

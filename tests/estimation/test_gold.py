"""Gold loss correction: the mean answer, right for a calibrated model and wrong for an overconfident one."""

import pytest
import torch

from noiselayer.estimation import confusion_matrix, gold_loss_correction, relative_l1_error
from noiselayer.noise import matrices as nm

Q = nm.pair_flip(3, 0.3)


def calibrated(num_samples: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """p(noisy | x) where x leaves no doubt of the true class."""
    labels = torch.arange(num_samples) % 3
    jitter = 0.05 * torch.rand(num_samples, 3, generator=generator)
    probs = Q.T[labels] + jitter
    return labels, probs / probs.sum(1, keepdim=True)


def test_it_is_the_soft_confusion_of_trusted_samples(generator: torch.Generator) -> None:
    labels, probs = calibrated(90, generator)
    estimate = gold_loss_correction(labels, probs)
    torch.testing.assert_close(estimate.noise_matrix, confusion_matrix(labels, probs=probs))
    assert estimate.standard_error is not None
    for i in range(3):
        rows = probs[labels == i]
        torch.testing.assert_close(estimate.standard_error[:, i], rows.std(0) / len(rows) ** 0.5)


def test_it_trusts_the_calibration(generator: torch.Generator) -> None:
    labels, probs = calibrated(600, generator)
    sharp = probs.pow(4) / probs.pow(4).sum(1, keepdim=True)
    right = relative_l1_error(gold_loss_correction(labels, probs).noise_matrix, Q)
    wrong = relative_l1_error(gold_loss_correction(labels, sharp).noise_matrix, Q)
    assert right < 0.1
    assert wrong > 3 * right


def test_bayes_rule_with_the_trusted_prior(generator: torch.Generator) -> None:
    labels, probs = calibrated(90, generator)
    labels, probs = labels[:-2], probs[:-2]
    estimate = gold_loss_correction(labels, probs)
    joint = estimate.noise_matrix * torch.bincount(labels) / 88
    torch.testing.assert_close(estimate.inverse_noise_matrix, (joint / joint.sum(1, keepdim=True)).T)


def test_one_sample_says_nothing_of_its_scatter() -> None:
    estimate = gold_loss_correction(
        torch.tensor([0, 1, 1]), torch.tensor([[0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    )
    assert estimate.standard_error is not None
    assert estimate.standard_error[:, 0].isinf().all()
    assert estimate.standard_error[:, 1].isfinite().all()
    assert estimate.interval is not None
    assert estimate.interval[1][:, 0].eq(1).all()


@pytest.mark.parametrize(
    ("labels", "probs", "words"),
    [
        ([0, 1], [[0.5, 0.5]], "of the same samples; got 2 and 1"),
        ([0, 0], [[0.5, 0.5]] * 2, "clean_labels has no sample of class 1"),
        ([0, 2], [[0.5, 0.5]] * 2, r"clean_labels must lie in 0\.\.1; got 2"),
        ([0, 1], [[5.0, 0.5]] * 2, "noisy_label_probs must be probabilities"),
        ([0, 1], [0.5, 0.5], r"noisy_label_probs must have shape \(N, K\)"),
    ],
)
def test_errors(labels: list[int], probs: list[list[float]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gold_loss_correction(torch.tensor(labels), torch.tensor(probs))

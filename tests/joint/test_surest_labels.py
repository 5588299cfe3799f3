"""When the surest labels contradict a matrix: overlap taken for noise, and noise that is there."""

import pytest
import torch
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.joint.surest_labels import CONTRADICTED, FEWEST, beyond_any_mixture, contradicted
from noiselayer.noise import symmetric

K = 3


def overlapping(samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """True classes and the logits of their posterior, where classes overlap on a line."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(K, (samples,), generator=generator)
    x = truth + 0.7 * torch.randn(samples, generator=generator)
    return truth, -(x[:, None] - torch.arange(K)).square() / (2 * 0.7**2)


def test_overlap_of_classes_taken_for_noise_is_contradicted() -> None:
    truth, logits = overlapping(600, 0)
    guesses = logits.argmax(dim=1)
    confusion = torch.stack([torch.bincount(truth[guesses == i], minlength=K) for i in range(K)], dim=1)
    Q = confusion / confusion.sum(dim=0)
    assert contradicted(Q, logits, truth) > 2 * CONTRADICTED
    assert contradicted(torch.eye(K), logits, truth) <= 0


def test_the_true_matrix_is_contradicted_no_more_often_than_chance_allows() -> None:
    times = 0
    for seed in range(100):
        truth, logits = overlapping(300, seed)
        noisy = corrupt_labels(truth, symmetric(K, 0.4), generator=torch.Generator().manual_seed(seed))
        times += contradicted(symmetric(K, 0.4), logits, noisy) > CONTRADICTED
    assert times <= 10


def test_relabelling_the_classes_changes_nothing() -> None:
    truth, logits = overlapping(300, 1)
    Q = torch.tensor([[0.7, 0.0, 0.2], [0.3, 0.8, 0.0], [0.0, 0.2, 0.8]])
    noisy = corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(0))
    to = torch.tensor([2, 0, 1])
    moved = torch.empty_like(logits)
    moved[:, to] = logits
    Q_moved = torch.empty_like(Q)
    Q_moved[to[:, None], to] = Q
    assert contradicted(Q_moved, moved, to[noisy]) == pytest.approx(contradicted(Q, logits, noisy))


def test_few_samples_say_nothing_and_errors_of_the_matrix_count() -> None:
    truth, logits = overlapping(FEWEST, 0)
    assert contradicted(symmetric(K, 0.6), logits, truth) == 0
    Q, all_right = symmetric(K, 0.2).double(), torch.zeros(100).long()
    sure, seen, allowed = beyond_any_mixture(Q, all_right, all_right)
    assert (sure, seen, allowed) == pytest.approx((100 * 0.2 / (100 * 0.16) ** 0.5, 1.0, 0.8))
    less_sure, *_ = beyond_any_mixture(Q, all_right, all_right, torch.full((K, K), 0.1))
    assert less_sure == pytest.approx(100 * 0.2 / (100 * 0.16 + (100 * 0.1) ** 2) ** 0.5)

"""Matrices by groups of confidence: what the surest samples say of labels is kept apart from the mean."""

import torch

from noiselayer import corrupt_labels
from noiselayer.features.matrix_choice import choose_matrix
from noiselayer.joint.surest_labels import CONTRADICTED, contradicted
from noiselayer.noise import symmetric


def test_labels_that_are_right_where_samples_are_sure_contradict_the_mean_and_not_their_own_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    N, K = 6000, 3
    truth = torch.randint(K, (N,), generator=generator)
    sure = torch.rand(N, generator=generator) < 0.5
    few, many = (corrupt_labels(truth, symmetric(K, rate), generator=generator) for rate in (0.1, 0.5))
    noisy = torch.where(sure, few, many)
    logits = torch.where(sure, 6.0, 2.0)[:, None] * torch.eye(K)[truth] + torch.randn(
        N, K, generator=generator
    )

    found = choose_matrix(logits.double(), noisy, torch.arange(N) % 3, groups=4).found

    assert found.noise_matrix.diagonal().mean() < 0.8 < 0.85 < found.surest.diagonal().mean()
    assert contradicted(found.noise_matrix, logits, noisy) > CONTRADICTED
    assert contradicted(found.surest, logits, noisy) <= CONTRADICTED


def test_one_group_has_one_matrix() -> None:
    z, y = 2 * torch.eye(2, dtype=torch.float64).repeat(100, 1), torch.tensor([0, 1]).repeat(100)
    found = choose_matrix(z, y, torch.arange(200) % 2).found
    torch.testing.assert_close(found.surest, found.noise_matrix)

"""Turns of a classifier and a noise matrix: against the truth, against the fit of both together, and relabelled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.joint.alternating import alternate, fixed_matrix_losses, renamed_classes
from noiselayer.joint.from_features import estimate_from_features
from noiselayer.noise import random

K, D = 5, 20


def blobs(count: int, spread: float, Q: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Features around a centre for every class, and noisy labels."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(K, D, generator=generator)
    truth = torch.randint(K, (count,), generator=generator)
    features = centres[truth] + spread * torch.randn(count, D, generator=generator)
    return features, corrupt_labels(truth, Q, generator=generator)


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().sum() / other.abs().sum())


@pytest.fixture(scope="module")
def heavy() -> Tensor:
    """Two labels of three are wrong."""
    return random(K, 0.65, concentration=5.0, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_where_most_labels_are_wrong_it_is_nearer_than_the_fit_of_both_together(
    heavy: Tensor, seed: int
) -> None:
    features, labels = blobs(2400, 1.5, heavy, seed)
    blurred = 0.6 * heavy + 0.4 / K
    found = alternate([(features[:2000], labels[:2000])], K, starts=[blurred, 0.98 * torch.eye(K) + 0.02 / K])
    together = estimate_from_features(
        features[:2000],
        labels[:2000],
        K,
        validation_features=features[2000:],
        validation_labels=labels[2000:],
        start=blurred,
    )
    assert not renamed_classes(found.noise_matrix)
    assert distance(found.noise_matrix, heavy) < 0.25
    assert distance(found.noise_matrix, heavy) < 0.7 * distance(together.noise_matrix, heavy)


def test_two_views_share_one_matrix(heavy: Tensor) -> None:
    views = [blobs(2000, 1.0, heavy, seed) for seed in (4, 5)]
    start = [0.6 * heavy + 0.4 / K]
    both = alternate(views, K, starts=start)
    alone = [alternate([view], K, starts=start) for view in views]
    assert distance(both.noise_matrix, heavy) < max(distance(one.noise_matrix, heavy) for one in alone)


def test_relabelling_the_classes_relabels_the_answer(heavy: Tensor) -> None:
    features, labels = blobs(800, 1.0, heavy, 6)
    order = torch.tensor([2, 0, 4, 1, 3])  # class i is called order[i]
    start = 0.6 * heavy + 0.4 / K
    renamed_start = torch.empty_like(start)
    renamed_start[order[:, None], order] = start
    options = {"ridges": (10.0,), "rounds": 2}
    found = alternate([(features, labels)], K, starts=[start], **options).noise_matrix
    renamed = alternate([(features, order[labels])], K, starts=[renamed_start], **options).noise_matrix
    torch.testing.assert_close(renamed[order][:, order], found, rtol=0, atol=1e-3)


def test_columns_are_distributions_and_the_scale_is_positive(heavy: Tensor) -> None:
    found = alternate([blobs(400, 1.0, heavy, 7)], K, starts=[torch.eye(K)], rounds=1)
    assert found.noise_matrix.dtype == torch.float32
    torch.testing.assert_close(found.noise_matrix.sum(dim=0), torch.ones(K))
    assert found.scale > 0


def test_the_true_matrix_explains_held_out_labels_best(heavy: Tensor) -> None:
    features, labels = blobs(4000, 1.0, heavy, 8)
    seen, held = (features[:2000], labels[:2000]), features[2000:]
    losses = {
        name: fixed_matrix_losses(Q, [seen], [held], labels[2000:])
        for name, Q in (("true", heavy), ("identity", torch.eye(K)), ("uniform", torch.full((K, K), 1 / K)))
    }
    assert losses["true"].shape == (2000,)
    assert losses["true"].mean() < losses["identity"].mean()
    # Under uniform noise every label is as likely as every other, whatever the sample.
    torch.testing.assert_close(
        losses["uniform"], torch.full((2000,), K, dtype=torch.float64).log(), rtol=0, atol=1e-6
    )


def test_bad_arguments_are_named() -> None:
    with pytest.raises(
        ValueError, match="views must hold features and labels of at least one network; got none"
    ):
        alternate([], K, starts=[torch.eye(K)])
    with pytest.raises(ValueError, match="as many samples as parts, 4; got 3"):
        alternate([(torch.zeros(3, D), torch.zeros(3, dtype=torch.long))], K, starts=[torch.eye(K)])


@pytest.mark.parametrize("seed", range(20))
def test_a_renaming_that_gains_is_found(seed: int) -> None:
    Q = torch.rand(6, 6, generator=torch.Generator().manual_seed(seed)) + 0.5 * torch.eye(6)
    Q = Q / Q.sum(dim=0)
    _, best = linear_sum_assignment(-Q.T.numpy())  # class i is best called best[i]
    assert bool(renamed_classes(Q)) == (best != np.arange(6)).any()


def test_three_classes_in_a_ring_are_found() -> None:
    ring = torch.tensor(
        [[0.4, 0.1, 0.5], [0.5, 0.4, 0.1], [0.1, 0.5, 0.4]]
    )  # no two would gain by changing places
    assert renamed_classes(ring) == [0, 1, 2]


def test_made_up_samples_keep_the_names_of_classes_that_the_labels_hardly_tell_apart() -> None:
    Q = torch.tensor([[0.36, 0.3, 0.3], [0.34, 0.4, 0.3], [0.3, 0.3, 0.4]])
    generator = torch.Generator().manual_seed(1)
    truth = torch.randint(3, (600,), generator=generator)
    features = torch.eye(3)[truth] + torch.randn(600, 3, generator=generator)
    labels = corrupt_labels(truth, Q, generator=generator)
    found = alternate([(features, labels)], 3, starts=[Q], ridges=(10.0,))
    assert not renamed_classes(found.noise_matrix)

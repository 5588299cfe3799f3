"""Noise that a plain classifier of many features makes itself: found by turns, and nothing where there is none."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from noiselayer import corrupt_labels, noise
from noiselayer.features import fit_head, learn_patches, patch_features

K = 4


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Features of patches and classes of digits up to 3, in a random order."""
    images, target = load_digits(return_X_y=True)
    x = torch.from_numpy(images).float().view(-1, 1, 8, 8)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(target < K))
    return patch_features(x, learn_patches(x))[chosen], torch.from_numpy(target[chosen]).long()


def test_almost_half_of_a_class_taken_for_the_next_one_is_found() -> None:
    features, truth = digits()
    Q = noise.pair_flip(K, 0.45)
    labels = corrupt_labels(truth[:500], Q, generator=torch.Generator().manual_seed(0))
    head = fit_head(features[:500], labels, K)
    assert head.taken == "noise matrix"
    assert (head.noise_matrix - Q).abs().sum(dim=0).mean() < 0.15
    wrong = head.logits(features[500:]).argmax(dim=1) != truth[500:]
    assert wrong.float().mean() < 0.03  # plain regression: 0.28


def test_labels_without_meaning_leave_the_plain_classifier() -> None:
    features, _ = digits()
    labels = torch.randint(K, (500,), generator=torch.Generator().manual_seed(1))
    assert fit_head(features[:500], labels, K).taken == "plain"

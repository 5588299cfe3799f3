"""Deliberate label noise (§4.1): labels of clean images are changed with known probabilities, then a network trains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noiselayer.noise.matrices import random
from noiselayer.paper.data_folder import Images
from noiselayer.paper.experiment import Budget, Row
from noiselayer.paper.trial import corrupt, count_matrix, deliberate_noise, outcome, train

__all__ = ["train_on_corrupted", "train_on_right_and_wrong"]


def train_on_corrupted(
    images: Images, *, size: int, rate: float, method: str, seed: int, budget: Budget
) -> Row:
    """One network on ``size`` images of which a share ``rate`` is labelled wrong on average; no clean ones.

    Args:
        images: The data set.
        size: Training samples.
        rate: The probability that a label is wrong.
        method: A name of :data:`noiselayer.paper.trial.METHODS`.
        seed: Draws images, noise and training.
        budget: How long to train.
    """
    generator, chosen = _draw(images, size, seed)
    Q = deliberate_noise(rate, images.num_classes, generator)
    noisy = corrupt(images.y_train[chosen], Q, generator)
    return _train(images, chosen, noisy, Q, method, seed, budget)


def train_on_right_and_wrong(
    images: Images, *, right: int, wrong: int, method: str, seed: int, budget: Budget
) -> Row:
    """One network on exactly so many right and so many wrong labels (Fig. 5).

    Args:
        images: The data set.
        right: Samples with their true label.
        wrong: Samples with another one; each class has wrong labels of its own.
        method: A name of :data:`noiselayer.paper.trial.METHODS`.
        seed: Draws images, noise and training.
        budget: How long to train.
    """
    generator, chosen = _draw(images, right + wrong, seed)
    always_wrong = random(images.num_classes, 1.0, concentration=1.0, generator=generator)
    labels = torch.from_numpy(images.y_train[chosen]).clone()
    # The order is random, so the last ones are any.
    labels[right:] = corrupt(images.y_train[chosen[right:]], always_wrong, generator)
    rate = wrong / (right + wrong)
    Q = (1 - rate) * torch.eye(images.num_classes) + rate * always_wrong
    return _train(images, chosen, labels, Q, method, seed, budget)


def _draw(
    images: Images, size: int, seed: int
) -> tuple[torch.Generator, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.y_train), generator=generator).numpy()
    return generator, order[: min(size, len(order))]


def _train(
    images: Images,
    chosen: np.ndarray[tuple[int], np.dtype[np.int64]],
    noisy: Tensor,
    Q: Tensor,
    method: str,
    seed: int,
    budget: Budget,
) -> Row:
    trained = train(
        images.labeled(chosen, noisy),
        method=method,
        budget=budget,
        seed=seed,
        noise_matrix=Q if method == "true" else None,
    )
    counted = count_matrix(noisy, images.y_train[chosen], images.num_classes)
    return {
        **outcome(trained, images.test(), Q, dataset=images.name),
        "training_samples": len(chosen),
        "wrong_labels": round(100 * float((noisy.numpy() != images.y_train[chosen]).mean()), 2),
        # What counting the pairs would give: no method without true labels can be expected to beat it.
        "counted_matrix_error": round(float((counted - Q).abs().sum() / Q.abs().sum()), 4),
    }

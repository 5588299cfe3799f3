"""Deliberate label noise (§4.1): labels of clean images are changed with known probabilities, then a network trains."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.data import LabeledData
from noiselayer.noise.matrices import random
from noiselayer.paper.data_folder import Images
from noiselayer.paper.datasets.image_set import Labels
from noiselayer.paper.experiment import Budget, Row
from noiselayer.paper.trial import corrupt, count_matrix, outcome, train


class NoisySample(NamedTuple):
    """Training images drawn at random, ``rows``, some labelled wrong on purpose; ``rest`` are those not drawn."""

    images: Images
    rows: Labels
    labels: Tensor
    noise_matrix: Tensor
    rest: Labels

    def noisy(self) -> LabeledData:
        """The images that were drawn, with their noisy labels."""
        return self.images.train.labeled(self.rows, self.labels)


def draw(images: Images, size: int, seed: int) -> tuple[torch.Generator, Labels, Labels]:
    """A generator that goes on to draw noise, ``size`` rows at random (or all), and the other rows."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.train), generator=generator).numpy()
    return generator, order[:size], order[size:]


def deliberate_noise(rate: float, num_classes: int, generator: torch.Generator) -> Tensor:
    """The asymmetric noise of §4.1, shape (K, K), columns = true classes: every class has wrong labels of its own.

    Above 50 % their shares are drawn more evenly, so that the true class still leads its row, as Theorem 1 asks.
    """
    return random(num_classes, rate, concentration=1.0 if rate <= 0.5 else 5.0, generator=generator)


def corrupted(images: Images, *, size: int, rate: float, seed: int) -> NoisySample:
    """``size`` images of which a share ``rate`` is labelled wrong on average."""
    generator, rows, rest = draw(images, size, seed)
    Q = deliberate_noise(rate, images.train.num_classes, generator)
    return NoisySample(images, rows, corrupt(images.train.labels[rows], Q, generator), Q, rest)


def right_and_wrong(images: Images, *, right: int, wrong: int, seed: int) -> NoisySample:
    """Exactly ``right`` true labels and ``wrong`` others (Fig. 5); each class has wrong labels of its own."""
    K = images.train.num_classes
    generator, rows, rest = draw(images, right + wrong, seed)
    always_wrong = random(K, 1.0, concentration=1.0, generator=generator)
    labels = torch.from_numpy(images.train.labels[rows])
    # The order is random, so the last ones are any.
    labels[right:] = corrupt(images.train.labels[rows[right:]], always_wrong, generator)
    rate = wrong / (right + wrong)
    return NoisySample(images, rows, labels, (1 - rate) * torch.eye(K) + rate * always_wrong, rest)


def train_on(
    sample: NoisySample, *, method: str, seed: int, budget: Budget, clean: LabeledData | None = None
) -> Row:
    """Train one network; ``clean`` images serve the method "estimated". The figures of its row."""
    Q, images = sample.noise_matrix, sample.images
    trained = train(
        sample.noisy(),
        method=method,
        budget=budget,
        seed=seed,
        clean=clean,
        noise_matrix=Q if method == "true" else None,
    )
    truth = images.train.labels[sample.rows]
    counted = count_matrix(sample.labels, truth, len(Q))
    return {
        **outcome(trained, images.test.labeled(), Q, dataset=images.name),
        "training_samples": len(sample.rows),
        "wrong_labels": round(100 * float((sample.labels.numpy() != truth).mean()), 2),
        # What counting the pairs would give: no method without true labels can be expected to beat it.
        "counted_matrix_error": round(float((counted - Q).abs().sum() / Q.abs().sum()), 4),
    }

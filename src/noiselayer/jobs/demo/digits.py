"""Digits with 45 % of the labels wrong: ordinary training, a learned noise matrix, and the true one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from noiselayer.data import ArrayInputs, from_arrays
from noiselayer.noise.corruption import corrupt_labels
from noiselayer.noise.matrices import pair_flip
from noiselayer.training import Hardware, StageResult, default_options, fit_classifier, predict_logits

METHODS = ("normal", "learned", "known")
RATE = 0.45
_TEST_SHARE = 0.25


@dataclass(frozen=True)
class Demo:
    """What the demonstration found.

    Attributes:
        seed: Of the split, the noise and the training.
        images: The training samples, shape (N, 8, 8), grey from 0 (white paper) to 16 (ink).
        samples: Shape (N,), their row numbers in scikit-learn's digits.
        true_labels: Shape (N,); the methods never see them.
        noisy_labels: Shape (N,), what they see.
        test_samples: How many samples with true labels the errors are measured on.
        true_matrix: The noise matrix that made the labels wrong, shape (10, 10), columns = true classes.
        learned_matrix: The one that the method "learned" found, without true labels.
        counted_matrix: What counting the pairs (true, noisy) of the training samples gives: as close as
            anybody comes who knows all the true labels, but not the matrix.
        test_error: Method -> wrong predictions, percent of the test samples.
        learned_logits: Shape (N, 10), of the training samples, by the method "learned".
        learned_stages: How each stage of the method "learned" went.
        seconds: What all of it took.
    """

    seed: int
    images: Tensor
    samples: Tensor
    true_labels: Tensor
    noisy_labels: Tensor
    test_samples: int
    true_matrix: Tensor
    learned_matrix: Tensor
    counted_matrix: Tensor
    test_error: dict[str, float]
    learned_logits: Tensor
    learned_stages: tuple[StageResult, ...]
    seconds: float

    @property
    def wrong_share(self) -> float:
        """The share of training labels that are wrong."""
        return float((self.true_labels != self.noisy_labels).double().mean())

    def noise_matrix_l1(self) -> dict[str, float]:
        """How far the learned and the counted matrix are from the true one: mean L1 distance of a column."""
        return {
            "learned": _mean_column_l1(self.learned_matrix, self.true_matrix),
            "counted": _mean_column_l1(self.counted_matrix, self.true_matrix),
        }


def run_demo(seed: int = 0, *, on_step: Callable[[str], None] | None = None, **options: Any) -> Demo:
    """Train on scikit-learn's digits with wrong labels, three times.

    A quarter of the 1,797 images is held out with its true labels, for the test errors alone. In the rest,
    every digit is mistaken for the next one (9 for 0) with probability 0.45.

    Args:
        seed: Of the split, the noise and the training.
        on_step: Told in words what begins.
        **options: Other than the defaults of :func:`noiselayer.training.default_options`, for all methods.

    >>> demo = run_demo(max_epochs=1, warm_up_epochs=1, start="confusion")
    >>> sorted(demo.test_error), tuple(demo.learned_matrix.shape)
    (['known', 'learned', 'normal'], (10, 10))
    """
    began = time.perf_counter()
    say = on_step or (lambda message: None)
    digits = load_digits()
    places, test_places = train_test_split(
        range(len(digits.target)), test_size=_TEST_SHARE, random_state=seed, stratify=digits.target
    )
    images = torch.from_numpy(digits.images).float()
    truth = torch.from_numpy(digits.target).long()
    Q = pair_flip(10, RATE, dtype=torch.float32)
    noisy = corrupt_labels(truth[places], Q, generator=torch.Generator().manual_seed(seed))
    data = from_arrays(images[places].flatten(1), noisy, class_names=[str(digit) for digit in range(10)])
    test_inputs = ArrayInputs(images[test_places].flatten(1))

    errors: dict[str, float] = {}
    learned_matrix = learned_logits = torch.empty(0)
    learned_stages: tuple[StageResult, ...] = ()
    for method in METHODS:
        say(f"Training: {method}")
        with _one_thread():
            trained = fit_classifier(
                data,
                default_options("vector", method=method, seed=seed, **options),
                noise_matrix=Q if method == "known" else None,
                hardware=Hardware(devices=1),
            )
        if trained.interrupted:
            raise KeyboardInterrupt
        predictions = predict_logits(trained.network, test_inputs).argmax(dim=1)
        errors[method] = 100 * float((predictions != truth[test_places]).double().mean())
        if method == "learned":
            learned_matrix, learned_stages = trained.noise_matrix, tuple(trained.stages)
            learned_logits = predict_logits(trained.network, data.inputs)
    return Demo(
        seed=seed,
        images=images[places],
        samples=torch.tensor(places),
        true_labels=truth[places],
        noisy_labels=noisy,
        test_samples=len(test_places),
        true_matrix=Q,
        learned_matrix=learned_matrix,
        counted_matrix=_count(truth[places], noisy),
        test_error=errors,
        learned_logits=learned_logits,
        learned_stages=learned_stages,
        seconds=time.perf_counter() - began,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small gain nothing from more, and waste much where other programs want the processor."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _count(true_labels: Tensor, noisy_labels: Tensor, num_classes: int = 10) -> Tensor:
    """The share of every noisy label among the samples of every true class, shape (K, K)."""
    pairs = noisy_labels * num_classes + true_labels
    counts = pairs.bincount(minlength=num_classes**2).reshape(num_classes, num_classes).float()
    return counts / counts.sum(dim=0)


def _mean_column_l1(matrix: Tensor, truth: Tensor) -> float:
    return float((matrix.double() - truth.double()).abs().sum(dim=0).mean())

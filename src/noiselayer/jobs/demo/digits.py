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
from noiselayer.estimation import confusion_matrix, relative_l1_error
from noiselayer.noise.corruption import corrupt_labels
from noiselayer.noise.matrices import pair_flip
from noiselayer.report.content import Suspect
from noiselayer.report.find_suspects import find_suspects as report_suspects
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.trained import StageResult

METHODS = ("normal", "learned", "known")
RATE = 0.45
LIMIT = 60
"""Suspects that are listed."""

_TEST_SHARE = 0.25


@dataclass(frozen=True)
class Demo:
    """What the demonstration found.

    Images have shape (N, 8, 8), grey from 0 (white paper) to 16 (ink); ``samples`` are their rows in scikit-learn's
    digits. Matrices have true classes in columns: the true one, the one that the method "learned" found, and what
    counting the pairs (true, noisy) gives, as close as anybody comes who knows all the true labels, but not the
    matrix. ``test_error`` is in percent by method; ``learned_logits`` are of the training samples, shape (N, 10).
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
            "learned": relative_l1_error(self.learned_matrix, self.true_matrix),
            "counted": relative_l1_error(self.counted_matrix, self.true_matrix),
        }


def run_demo(seed: int = 0, *, on_step: Callable[[str], None] | None = None, **options: Any) -> Demo:
    """Train on scikit-learn's digits with wrong labels, three times.

    A quarter of the 1,797 images is held out with its true labels, for the test errors alone. In the rest,
    every digit is mistaken for the next one (9 for 0) with probability 0.45.

    ``options`` are other than the defaults of :func:`noiselayer.training.options.default_options`, for all methods.
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
        counted_matrix=confusion_matrix(truth[places], predicted_labels=noisy, num_classes=10),
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


def find_suspects(demo: Demo, limit: int = LIMIT) -> list[Suspect]:
    """The labels most surely wrong, surest first; ``sample`` is a place among the training samples."""
    return report_suspects(
        demo.learned_logits, demo.noisy_labels, demo.learned_matrix, limit=limit, least=-1
    )[0]


def label_errors(demo: Demo) -> dict[str, int]:
    """How many training labels are called wrong (more probably than not), rightly so, and how many are."""
    flagged = report_suspects(demo.learned_logits, demo.noisy_labels, demo.learned_matrix, limit=0)[1] > 0.5
    wrong = demo.noisy_labels != demo.true_labels
    return {
        "flagged": int(flagged.sum()),
        "flagged_and_wrong": int((flagged & wrong).sum()),
        "wrong": int(wrong.sum()),
    }


def really_wrong(demo: Demo, suspects: list[Suspect]) -> int:
    """How many of the suspects are wrong, which only the demonstration knows."""
    return sum(s.given != int(demo.true_labels[s.sample]) for s in suspects)

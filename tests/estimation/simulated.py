"""Problems with a known answer: a classifier's confusion, a noise matrix, and the counts one measures."""

from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.estimation import ConfusionCounts
from noiselayer.noise import matrices as nm

F64 = torch.float64


class Problem(NamedTuple):
    clean: ConfusionCounts
    noisy: ConfusionCounts
    noise_matrix: Tensor


def exact(C: Tensor, Q: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    """C~ and the frequencies of noisy labels, from the definition, entry by entry."""
    K = len(C)
    noisy, frequencies = torch.zeros(K, K, dtype=F64), torch.zeros(K, dtype=F64)
    for j in range(K):
        for i in range(K):
            frequencies[j] += Q[j, i] * prior[i]
            noisy[:, j] += C[:, i] * Q[j, i] * prior[i]
    return noisy / frequencies, frequencies


def problem(
    num_classes: int,
    *,
    accuracy: float,
    noise_matrix: Tensor,
    num_clean: int,
    num_noisy: int,
    generator: torch.Generator,
) -> Problem:
    """Draw every sample: a true label, a prediction and, if noisy, a noisy label. Classes are balanced."""
    K = num_classes
    C = nm.random(K, 1 - accuracy, generator=generator, dtype=F64)
    clean, noisy = ConfusionCounts(K), ConfusionCounts(K)
    true = torch.arange(num_clean) % K
    clean.update(true, predicted_labels=corrupt_labels(true, C, generator=generator))
    true = torch.arange(num_noisy) % K
    given = corrupt_labels(true, noise_matrix, generator=generator)
    noisy.update(given, predicted_labels=corrupt_labels(true, C, generator=generator))
    return Problem(clean, noisy, noise_matrix.double())


def measured(clean: ConfusionCounts, noisy: ConfusionCounts) -> tuple[Tensor, Tensor, Tensor]:
    """What the estimators take: both confusions and the frequencies of noisy labels."""
    return clean.confusion(), noisy.confusion(allow_absent=True), noisy.label_frequencies()


def counts(clean: ConfusionCounts, noisy: ConfusionCounts) -> dict[str, Tensor]:
    """What they take for standard errors."""
    return {"clean_counts": clean.num_samples, "noisy_counts": noisy.num_samples}


def predictions(
    num_samples: int, num_classes: int, *, signal: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """True labels and a miscalibrated model's probabilities."""
    true = torch.arange(num_samples) % num_classes
    scores = signal * torch.eye(num_classes)[true] + torch.randn(
        num_samples, num_classes, generator=generator
    )
    return true, (2 * scores).softmax(dim=1)

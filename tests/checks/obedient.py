"""Data that obey the noise model, and data that do not: true labels, a model's answers, noisy labels."""

from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.noise import matrices as nm


class Simulated(NamedTuple):
    noise_matrix: Tensor
    probs: Tensor
    true: Tensor
    noisy: Tensor
    groups: Tensor


def obeying(
    num_samples: int, *, generator: torch.Generator, num_classes: int = 4, kind: int = 0
) -> Simulated:
    """Noise that depends on the class only; hard samples on which a miscalibrated model errs more."""
    K = num_classes
    Q = [
        nm.symmetric(K, 0.4, dtype=torch.float64),
        nm.pair_flip(K, 0.3, dtype=torch.float64),
        nm.random(K, 0.35, generator=generator, dtype=torch.float64),
    ][kind % 3]
    prior = torch.linspace(1, 2, K)  # uneven classes
    true = torch.multinomial(prior, num_samples, replacement=True, generator=generator)
    probs, _ = answers(true, K, generator)
    noisy = corrupt_labels(true, Q, generator=generator)
    groups = torch.randint(3, (num_samples,), generator=generator)
    return Simulated(Q, probs, true, noisy, (groups + true) % 3)  # groups that go with the class


def answers(true: Tensor, num_classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Probabilities of an overconfident model, and how easy every sample is, uniform in 0..1."""
    ease = torch.rand(len(true), generator=generator)
    noise = torch.randn(len(true), num_classes, generator=generator)
    scores = 5 * ease[:, None] * torch.eye(num_classes)[true] + noise
    return (2 * scores).softmax(dim=1).double(), ease


def input_dependent(num_samples: int, *, generator: torch.Generator, num_classes: int = 4) -> Simulated:
    """As often wrong as under symmetric noise of 30 %, but from 10 % of the easy to 50 % of the hard ones."""
    K = num_classes
    true = torch.randint(K, (num_samples,), generator=generator)
    probs, ease = answers(true, K, generator)
    shift = torch.randint(1, K, (num_samples,), generator=generator)
    wrong = torch.rand(num_samples, generator=generator) < 0.5 - 0.4 * ease
    noisy = torch.where(wrong, (true + shift) % K, true)
    return Simulated(nm.symmetric(K, 0.3, dtype=torch.float64), probs, true, noisy, (ease * 3).long())


def open_set(num_samples: int, *, generator: torch.Generator, share: float = 0.15) -> Simulated:
    """Obeys the model but for a share of samples of no class: a model that cannot place them, any label."""
    data = obeying(num_samples, generator=generator)
    outside = torch.rand(num_samples, generator=generator) < share
    scores = 2 * torch.randn(num_samples, 4, generator=generator)
    label = torch.randint(4, (num_samples,), generator=generator)
    return data._replace(
        probs=torch.where(outside[:, None], scores.softmax(dim=1).double(), data.probs),
        noisy=torch.where(outside, label, data.noisy),
    )

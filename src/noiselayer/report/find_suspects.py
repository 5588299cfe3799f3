"""The labels that are most surely wrong, by a noise matrix and a network trained through it."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.noise.posterior import label_error_probability, posterior
from noiselayer.report.content import Suspect


def find_suspects(
    logits: Tensor, noisy_labels: Tensor, noise_matrix: Tensor, *, limit: int, least: float = 0.5
) -> tuple[list[Suspect], Tensor]:
    """The labels most surely wrong, surest first, and the probability of every label that it is wrong, shape (N,).

    A label is a suspect if that probability is above ``least``; a ValueError if the matrix calls a label impossible.

    >>> Q = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    >>> logits = torch.tensor([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    >>> suspects, wrong = find_suspects(logits, torch.tensor([0, 1, 1]), Q, limit=9)
    >>> [(s.sample, s.given, s.suggested) for s in suspects], (wrong > 0.5).tolist()
    ([(1, 1, 0)], [False, True, False])
    """
    logits, Q = logits.double(), in_double(noise_matrix)
    after = posterior(logits, noisy_labels, Q)
    wrong = label_error_probability(logits, noisy_labels, Q)
    # By what the given label has left: near 1 all probabilities look alike.
    surest = torch.argsort(after.gather(1, noisy_labels.unsqueeze(1)).squeeze(1), stable=True)
    suspects = [
        Suspect(place, str(place), int(noisy_labels[place]), int(after[place].argmax()), float(wrong[place]))
        for place in surest[wrong[surest] > least][:limit].tolist()
    ]
    return suspects, wrong


def in_double(noise_matrix: Tensor) -> Tensor:
    """The matrix in float64, its columns summing to 1 in the wider type too."""
    Q = noise_matrix.double()
    return Q / Q.sum(dim=0)

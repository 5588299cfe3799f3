"""Does the network memorise? A training loss against the noise floor."""

from __future__ import annotations

from torch import Tensor

from noiselayer.checks.finding import Finding
from noiselayer.checks.significance import normal_tail
from noiselayer.noise.floor import information_moments


def memorising(
    noise_matrix: Tensor, class_prior: Tensor | None, training_loss: float, num_training: int
) -> Finding:
    """The test of a training loss against the floor, before any adjustment of its p-value.

    A network that does not know the labels has a mean loss above the floor, up to the scatter of the labels' own
    log-probabilities, which Q gives.

    >>> import torch
    >>> finding = memorising(torch.tensor([[0.8, 0.2], [0.2, 0.8]]), None, 0.45, 50_000)
    >>> finding.p_value < 0.001
    True
    """
    floor, variance = information_moments(noise_matrix, class_prior)
    scatter = (variance / num_training) ** 0.5
    below = floor - training_loss
    # Without scatter all labels have the same probability, and every shortfall beyond rounding is one.
    p_value = normal_tail(below / max(scatter, 1e-6 * max(floor, 1.0)))
    return Finding(
        "memorising",
        f"The training loss on noisy labels, {training_loss:.4g} nats, lies below the noise floor of "
        f"{floor:.4g} nats that noise_matrix sets (standard error {scatter:.2g}): the network memorises "
        "single labels. Stop at the best noisy validation loss, regularise, or train a fresh network "
        "with this noise_matrix fixed. If the network cannot have memorised, noise_matrix claims too much noise.",
        below,
        p_value=p_value,
    )

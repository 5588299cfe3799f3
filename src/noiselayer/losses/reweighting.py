"""How much noisy samples count beside clean ones (§3.6), in one batch or in batches that alternate (§4.2)."""

from __future__ import annotations

import math

from torch import Tensor

__all__ = ["alternating_weight", "reweighted_loss"]


def reweighted_loss(
    clean_loss_per_sample: Tensor, noisy_loss_per_sample: Tensor, noisy_weight: float
) -> Tensor:
    r"""The mean loss of clean and noisy samples with a weight on the noisy ones (Eq. 7, its sign turned).

    .. math:: \frac{1}{N_c + N_n} \Big( \sum_{n=1}^{N_c} \ell_n + \gamma \sum_{n=1}^{N_n} \tilde\ell_n \Big)

    The divisor counts samples and not weights, as in the paper: with gamma = 0 the result is the clean sum
    over *all* samples, and a smaller gamma is also a smaller step. Gamma = 1 is the plain mean of the
    mixture, gamma = 2 has the gradient of a set that holds every noisy sample twice.

    Args:
        clean_loss_per_sample: Shape (N_c,), cross-entropy with ``reduction="none"``. May be empty.
        noisy_loss_per_sample: Shape (N_n,), the same of the noisy samples, as a rule through a noise model:
            :func:`noiselayer.noisy_label_loss` or :func:`noiselayer.top_down_loss` with
            ``reduction="none"``. May be empty. Ignored samples have loss 0 but are counted: leave them out.
        noisy_weight: gamma, at least 0 and finite. At 0 the noisy losses are not read, be they infinite.

    Returns:
        A scalar, in the type of the losses.

    Raises:
        ValueError: If ``noisy_weight`` is out of range or there is no sample at all.

    >>> import torch
    >>> clean, noisy = torch.tensor([1.0]), torch.tensor([2.0, 4.0])
    >>> reweighted_loss(clean, noisy, noisy_weight=0.5)  # (1 + 0.5 * 6) / 3
    tensor(1.3333)
    """
    _check_noisy_weight(noisy_weight)
    num_samples = clean_loss_per_sample.numel() + noisy_loss_per_sample.numel()
    if num_samples == 0:
        raise ValueError(
            "reweighted_loss needs at least one sample; clean_loss_per_sample and noisy_loss_per_sample are "
            "both empty."
        )
    total = clean_loss_per_sample.sum()
    if noisy_weight > 0:  # 0 times an infinite loss would be NaN
        total = total + noisy_weight * noisy_loss_per_sample.sum()
    return total / num_samples


def alternating_weight(noisy_weight: float, num_clean: int, num_noisy: int) -> float:
    r"""The weight of noisy batches that alternate with clean ones so that it means the same gamma (§4.2).

    .. math:: g = \gamma\, \frac{N_n}{N_c}

    Clean and noisy batches take turns, one to one, and each loss is the mean of its batch. In as many steps
    every clean sample is then seen N_n / N_c times as often as a noisy one (for batches of equal size; for
    others the mean makes up for it). So one clean and one noisy step are, on average,

    .. math:: \frac{1}{N_c} \sum \ell_n + g\, \frac{1}{N_n} \sum \tilde\ell_n
              = \frac{1}{N_c} \Big( \sum \ell_n + \gamma \sum \tilde\ell_n \Big):

    the direction of :func:`reweighted_loss`, (N_c + N_n) / N_c times as long. Read the other way round,
    g = 0.2 with 50,000 clean and 150,000 noisy samples is gamma = g N_c / N_n = 0.067.

    Args:
        noisy_weight: gamma, at least 0 and finite.
        num_clean: N_c, at least 1.
        num_noisy: N_n, at least 1.

    Returns:
        g, by which to multiply the mean loss of a noisy batch; that of a clean batch stays as it is.

    Raises:
        ValueError: If an argument is out of range.

    >>> alternating_weight(0.25, num_clean=50_000, num_noisy=150_000)
    0.75
    """
    _check_noisy_weight(noisy_weight)
    for name, count in (("num_clean", num_clean), ("num_noisy", num_noisy)):
        if count < 1:
            raise ValueError(
                f"{name} must be at least 1, or there is nothing to alternate with; got {count}."
            )
    return noisy_weight * num_noisy / num_clean


def _check_noisy_weight(noisy_weight: float) -> None:
    if not 0 <= noisy_weight < math.inf:
        raise ValueError(
            f"noisy_weight (gamma) must be at least 0 and finite; got {noisy_weight}. 0 leaves noisy samples "
            "out, 1 lets them count as much as clean ones."
        )

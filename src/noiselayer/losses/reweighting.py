"""How much noisy samples count beside clean ones (§3.6) and outside images (§4.2), joined or in turn."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def reweighted_loss(
    clean_loss_per_sample: Tensor,
    noisy_loss_per_sample: Tensor,
    noisy_weight: float,
    *,
    outside_loss_per_sample: Tensor | None = None,
    outside_weight: float = 1.0,
    clean_weight: float = 1.0,
) -> Tensor:
    r"""The mean loss of clean and noisy samples with a weight on the noisy ones (Eq. 7, its sign turned).

    .. math:: \frac{1}{N_c + N_n} \Big( \sum_{n=1}^{N_c} \ell_n + \gamma \sum_{n=1}^{N_n} \tilde\ell_n \Big)

    The divisor counts samples and not weights, as in the paper: with gamma = 0 the result is the clean sum over *all*
    samples, and a smaller gamma is also a smaller step. Gamma = 1 is the plain mean of the mixture, gamma = 2 has the
    gradient of a set that holds every noisy sample twice. Samples from outside the classes (§4.2) are a third sum,
    with a weight of their own, and are counted in the divisor.

    At ``noisy_weight`` 0 the noisy losses are not read, be they infinite. Ignored samples have loss 0 but are
    counted: leave them out. ``clean_weight`` is 1, but where clean and other batches take turns.
    """
    _check_noisy_weight(noisy_weight)
    nothing = clean_loss_per_sample[:0]
    outside = nothing if outside_loss_per_sample is None else outside_loss_per_sample
    num_samples = clean_loss_per_sample.numel() + noisy_loss_per_sample.numel() + outside.numel()
    if num_samples == 0:
        raise ValueError(
            "reweighted_loss needs at least one sample; clean_loss_per_sample and noisy_loss_per_sample are "
            "both empty."
        )
    total = nothing.sum()  # 0, but with a gradient
    for weight, losses in (
        (clean_weight, clean_loss_per_sample),
        (noisy_weight, noisy_loss_per_sample),
        (outside_weight, outside),
    ):
        if weight > 0:  # 0 times an infinite loss would be NaN
            total = total + weight * losses.sum()
    return total / num_samples


def mixed_batch_loss(
    logits: Tensor,
    labels: Tensor,
    noisy_loss: Callable[..., Tensor],
    *,
    clean: Tensor | None = None,
    outside: Tensor | None = None,
    annotators: Tensor | None = None,
    clean_weight: float = 1.0,
    noisy_weight: float = 1.0,
    outside_weight: float = 1.0,
) -> Tensor:
    """:func:`reweighted_loss` of one batch, in which each sample meets the loss that its label deserves.

    Clean samples meet cross-entropy and never the noise model; those from ``outside`` meet uniform labels; all others
    ``noisy_loss``, from logits, labels and, if any, annotators to losses (N,). ``clean`` None says that all samples
    are noisy, and spares a GPU from waiting until that is found out. Half types are computed in float32.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    given = (logits, labels) if annotators is None else (logits, labels, annotators)
    nothing = logits[:0, 0]  # no losses, but with a gradient: a batch may hold nothing that has a weight
    of_clean = of_noisy = of_outside = nothing
    if clean is None or outside is None or not bool((clean | outside).any()):  # nothing to take apart
        of_noisy = noisy_loss(*given) if noisy_weight > 0 else torch.zeros_like(logits[:, 0])
        return reweighted_loss(nothing, of_noisy, noisy_weight)
    noisy = ~(clean | outside)
    if bool(clean.any()):
        of_clean = cross_entropy(logits[clean], labels[clean], reduction="none")
    if bool(outside.any()):
        of_outside = -torch.log_softmax(logits[outside], dim=1).mean(dim=1)
    if bool(noisy.any()):
        rows = tuple(tensor[noisy] for tensor in given)
        of_noisy = noisy_loss(*rows) if noisy_weight > 0 else torch.zeros_like(rows[0][:, 0])
    return reweighted_loss(
        of_clean,
        of_noisy,
        noisy_weight,
        outside_loss_per_sample=of_outside,
        outside_weight=outside_weight,
        clean_weight=clean_weight,
    )


def alternating_weight(noisy_weight: float, num_clean: int, num_noisy: int) -> float:
    r"""The weight g of noisy batches that alternate with clean ones so that it means the same gamma (§4.2).

    .. math:: g = \gamma\, \frac{N_n}{N_c}

    Batches take turns and each loss is the mean of its batch, so a clean sample is seen N_n / N_c times as often as a
    noisy one. One clean and one noisy step are, on average,

    .. math:: \frac{1}{N_c} \sum \ell_n + g\, \frac{1}{N_n} \sum \tilde\ell_n
              = \frac{1}{N_c} \Big( \sum \ell_n + \gamma \sum \tilde\ell_n \Big):

    the direction of :func:`reweighted_loss`, (N_c + N_n) / N_c times as long.
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

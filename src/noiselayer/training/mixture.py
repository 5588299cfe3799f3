"""One loss for batches of noisy, clean and outside samples (§3.6, §4.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.training.batches import Source

__all__ = ["mixture_loss"]


def mixture_loss(
    logits: Tensor,
    labels: Tensor,
    sources: Tensor | None,
    noise_layer: NoiseLayer,
    *,
    clean_weight: float = 1.0,
    noisy_weight: float = 1.0,
    outside_weight: float = 1.0,
    alpha: float | None = None,
    label_sources: Tensor | None = None,
) -> Tensor:
    r"""Clean, noisy and outside samples in one batch, each with its own loss and weight.

    .. math:: \frac{1}{N_c + N_n + N_o} \Big( \sum_{clean} -\log p_{y} + \gamma \sum_{noisy} -\log (Q p)_{\tilde y}
              + \omega \sum_{outside} -\tfrac{1}{K} \sum_i \log p_i \Big)

    Clean samples never pass through the noise layer; samples from outside the classes have uniform labels.

    Args:
        logits: Shape (B, K).
        labels: Shape (B,).
        sources: Shape (B,), values of :class:`~noiselayer.training.batches.Source`; None says that all samples are
            noisy, and spares a GPU from waiting until that is found out.
        noise_layer: Holds Q.
        clean_weight: 1, but for batches that alternate between the sources.
        noisy_weight: gamma.
        outside_weight: omega.
        alpha: If given, noisy labels meet the top-down loss with a uniform conversion (§3.5) in Q's place:
            label smoothing of ``1 - alpha``.
        label_sources: Shape (B,), who gave each label, where ``noise_layer`` has a matrix for each; what stands
            there for samples that are not noisy means nothing.

    Returns:
        A scalar.

    >>> layer = NoiseLayer(2, trainable=False)
    >>> mixture_loss(torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([0, 1]), layer)
    tensor(0.6931)
    """

    def loss_of_noisy(logits: Tensor, labels: Tensor, who: Tensor | None) -> Tensor:
        if alpha is None:
            return noise_layer.loss(logits, labels, annotators=who, reduction="sum")
        return cross_entropy(logits, labels, label_smoothing=1 - alpha, reduction="sum")

    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if noisy_weight > 0 and (sources is None or (sources == Source.NOISY).all()):  # nothing to take apart
        return noisy_weight * loss_of_noisy(logits, labels, label_sources) / len(labels)
    total = logits[:0].sum()  # 0, but with a gradient: a batch may hold nothing that has a weight
    if sources is None:
        return total
    noisy, outside = sources == Source.NOISY, sources == Source.OUTSIDE
    clean = ~(noisy | outside)
    if clean.any():
        total = total + clean_weight * cross_entropy(logits[clean], labels[clean], reduction="sum")
    if noisy_weight > 0 and noisy.any():  # 0 times an infinite loss would be NaN
        who = None if label_sources is None else label_sources[noisy]
        total = total + noisy_weight * loss_of_noisy(logits[noisy], labels[noisy], who)
    if outside.any():
        total = total - outside_weight * torch.log_softmax(logits[outside], dim=1).mean(dim=1).sum()
    return total / len(labels)

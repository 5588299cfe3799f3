"""How often two models are right, by how often they agree."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from noiselayer.audit.candidates import likeliest_class
from noiselayer.estimation.validate import check_probs

_SURE = 0.999  # no model is always right


def accuracy_by_agreement(labels: Tensor, probs: Tensor, second_probs: Tensor) -> float:
    r"""The share of samples on which the mean of two models' probabilities is right.

    Where models err independently and seldom in the same way, they agree where both are right, on a share
    :math:`A \approx a_1 a_2`. Labels tell which is the better one, however noisy they are: a wrong label agrees
    with none of them, so that the shares g of labels that agree with each are as their accuracies. So the accuracy of
    the mean, which agrees with a share g of the labels, is

    .. math:: a = g \sqrt{A / (g_1 g_2)}

    Two models that make the same mistakes agree too often, and a is then too high: take another architecture, or at
    least another seed and other folds.

    Args:
        labels: Shape (N,), the given labels.
        probs: Shape (N, K), out of sample.
        second_probs: Shape (N, K), of another model, out of sample.

    >>> import torch
    >>> n = torch.arange(300)
    >>> truth = n % 3
    >>> first = torch.where(n % 10 == 0, truth + 1, truth) % 3  # right on 90 %
    >>> second = torch.where(n // 10 % 5 == 0, truth + 2, truth) % 3  # right on 80 %, wrong elsewhere
    >>> noisy = torch.where(n % 7 == 0, 0, truth)
    >>> sure, unsure = torch.eye(3), 0.4 * torch.eye(3) + 0.2  # the mean sides with the sure one
    >>> round(accuracy_by_agreement(noisy, sure[first], unsure[second]), 2)
    0.9
    >>> round(accuracy_by_agreement(noisy, unsure[first], sure[second]), 2)
    0.8
    """
    return accuracy_of_batches([(labels, probs, second_probs)])


def accuracy_of_batches(batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> float:
    """:func:`accuracy_by_agreement` of samples that come batch by batch."""
    shares, N = torch.zeros(4, dtype=torch.float64), 0
    for labels, probs, second_probs in batches:
        check_probs(probs, None, name="probs")
        check_probs(second_probs, probs.shape[1], name="second_probs")
        one, two, both = (
            likeliest_class(p) for p in (probs, second_probs, mean_of_both(probs, second_probs))
        )
        pairs = ((one, two), (one, labels), (two, labels), (both, labels))
        shares += torch.stack([(a == b).sum() for a, b in pairs])
        N += len(labels)
    agreement, first, second, mean = (float(share) for share in shares / max(N, 1))
    return min(mean * math.sqrt(agreement / max(first * second, 1e-9)), _SURE)


def mean_of_both(probs: Tensor, second_probs: Tensor) -> Tensor:
    """What labels are judged by where there is a second look: it errs less than either model."""
    return (probs.float() + second_probs.float()) / 2


def check_second_look(noise_matrix: object) -> None:
    """Raise if there is nothing that a second model would help with."""
    if noise_matrix is not None:
        raise ValueError(
            "second_probs helps to estimate the noise; with noise_matrix it has no use. Leave one out."
        )

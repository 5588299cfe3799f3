"""How often a model is right, by a second model's opinion of the same samples."""

from __future__ import annotations

import math

from torch import Tensor

from noiselayer.audit.candidates import likeliest_class

_SURE = 0.999  # no model is always right


def accuracy_by_agreement(labels: Tensor, probs: Tensor, second_probs: Tensor) -> float:
    r"""The share of samples on which the first of two models is right.

    Where models err independently and seldom in the same way, they agree where both are right, on a share
    :math:`A \approx a_1 a_2`. Labels tell which model is the better one, however noisy they are: a wrong label agrees
    with neither, so that the shares g of labels that agree with either are as their accuracies, and

    .. math:: a_1 = \sqrt{A\, g_1 / g_2}

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
    >>> probs = torch.eye(3)
    >>> round(accuracy_by_agreement(noisy, probs[first], probs[second]), 2)
    0.9
    >>> round(accuracy_by_agreement(noisy, probs[second], probs[first]), 2)
    0.8
    """
    one, two = (likeliest_class(p) for p in (probs, second_probs))
    agreement = float((one == two).double().mean())
    first, second = (float((p == labels).double().mean()) for p in (one, two))
    return min(math.sqrt(agreement * max(first, 1e-9) / max(second, 1e-9)), _SURE)

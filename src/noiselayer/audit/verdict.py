"""From which error probability on a label is called wrong."""

from __future__ import annotations

import torch
from torch import Tensor


def best_threshold(error_probability: Tensor) -> float:
    r"""The threshold with the highest expected F1 score, by the error probabilities themselves.

    Of the k samples most likely wrong, :math:`\sum_{n \le k} e_n` are expected to be, so

    .. math:: F_1(k) \approx \frac{2 \sum_{n \le k} e_n}{k + \sum_n e_n}

    The best k is where e falls to half the best F1: near one half if wrong labels stand out, lower where they
    do not, since what is missed costs as much as what is flagged in vain.

    Args:
        error_probability: Shape (N,), calibrated.

    Returns:
        Between 0 and 0.5; 0.5 where no label is doubtful.

    >>> best_threshold(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    0.5
    >>> round(best_threshold(torch.tensor([0.9, 0.4, 0.4, 0.3, 0.0])), 2)
    0.34
    """
    e = error_probability.double().sort(descending=True).values
    if not len(e) or not float(e[0]) > 0:
        return 0.5
    k = torch.arange(1, len(e) + 1, dtype=torch.float64)
    return float((e.cumsum(0) / (k + e.sum())).max())

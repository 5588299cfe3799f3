"""From which error probability on a label is called wrong."""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_EXPECTED = 0.5  # labels: with fewer expected to be wrong, none is the likelier number
_SMALLER_TRACE = 6 / 7  # set with the tables of docs/evidence/audit.md in view
_LEAST_THRESHOLD = 0.1  # ten labels looked at for one that is wrong: below that a list is no verdict


def best_threshold(
    error_probability: Tensor, num_labels: int | None = None, differs: Tensor | None = None
) -> float:
    r"""The threshold with the highest expected F1 score, by the error probabilities themselves.

    Of the k samples most likely wrong, :math:`\sum_{n \le k} e_n` are expected to be, so

    .. math:: F_1(k) \approx \frac{2 \sum_{n \le k} e_n}{k + \sum_n e_n} \quad (k \ge 1), \qquad
        F_1(0) = \prod_n (1 - e_n)

    as to call nothing wrong is perfect if nothing is. The best k is where e falls to half the best F1: near one
    half if wrong labels stand out, lower where they do not, since what is missed costs as much as what is flagged
    in vain. It is never below 0.1. Where fewer than half a label is expected to be wrong, none is called so; labels
    that are equally doubtful are called wrong together or not at all.

    Where nothing tells whose the doubt is, the error probabilities are one answer, and that every label is wrong
    which differs from the model's most likely class is another. Only those that differ are called so, and the best k of
    them is that of a mean of both scores, the former counted six times (Theorem 1: the smaller trace); the threshold
    may lie below 0.1.

    Args:
        error_probability: Shape (N,), calibrated.
        num_labels: How many labels these stand for, if they are a sample of more.
        differs: Shape (N,), bool, whether a label is another one than the model's most likely class (calibrated and
            not, see :mod:`noiselayer.audit.calibrated_halfway`), where the data do not tell whose the doubt is; None
            where they do.

    Returns:
        A label is called wrong if its error probability is above it, and of ``differs`` only if it differs; 0.5 or more
        where none is.

    >>> best_threshold(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    0.5
    >>> round(best_threshold(torch.tensor([0.9, 0.4, 0.4, 0.3, 0.0])), 2)
    0.34
    >>> best_threshold(torch.full((60,), 0.002))  # 0.12 of 60 labels
    0.5
    >>> e, differs = torch.tensor([0.9, 0.3, 0.3, 0.1, 0.0]), torch.tensor([True, True, True, False, False])
    >>> round(best_threshold(e), 2), round(best_threshold(e, differs=differs), 2)
    (0.35, 0.15)
    """
    e, order = error_probability.double().sort(descending=True)
    if not len(e):
        return 0.5
    copies = (len(e) if num_labels is None else num_labels) / len(e)
    expected = e.sum()
    if copies * float(expected) < _LEAST_EXPECTED:
        return 0.5
    nothing = float((copies * (-e).clamp_max(0).log1p().sum()).exp())
    if differs is not None and not bool(differs.any()):
        differs = None
    if differs is not None:
        e, nothing = e[differs[order]], _SMALLER_TRACE * nothing
    k = torch.arange(1, len(e) + 1, dtype=torch.float64)
    score = e.cumsum(0) / (k + expected)  # half of F1
    after = torch.cat([e[1:], e.new_zeros(1)])
    if differs is not None:
        score = _SMALLER_TRACE * score + (1 - _SMALLER_TRACE) * k / (k + len(e))
        score = score.masked_fill(e == after, 0.0)  # together or not at all
    best, last = float(score.max()), int(score.argmax())
    if nothing >= 2 * best:
        return max(0.5, float(e[0]))
    if differs is not None:
        return min(float(e[last] + after[last]) / 2, 0.5)
    # Equal ones on the threshold are not worth flagging: rounding must not decide.
    return max(best * (1 + 1e-4), _LEAST_THRESHOLD) if best < 0.5 else 0.5

"""What can be seen in the matrices alone: whether C* can be inverted, whether Theorem 1 applies."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.checks.finding import Finding
from noiselayer.estimation.validate import check_confusion, to_double

_ILL_CONDITIONED = 100.0
_ROWS = 512


def about_confusion(clean_confusion: Tensor) -> list[Finding]:
    """Whether errors of C* are blown up out of all proportion when it is inverted.

    >>> [finding] = about_confusion(torch.tensor([[0.501, 0.499], [0.499, 0.501]]))
    >>> finding.name, round(finding.statistic)
    ('ill_conditioned_confusion', 500)
    """
    check_confusion(clean_confusion, name="clean_confusion")
    C = to_double(clean_confusion)
    condition = float(torch.linalg.cond(C))
    if condition <= _ILL_CONDITIONED:
        return []
    distance = torch.cdist(C.mT, C.mT, p=1).fill_diagonal_(float("inf"))
    first, second = divmod(int(distance.argmin()), len(C))
    return [
        Finding(
            "ill_conditioned_confusion",
            f"The clean confusion matrix has condition number {condition:.3g}, more than "
            f"{_ILL_CONDITIONED:.0f}: its relative errors become up to so many times larger in a noise "
            "matrix estimated with it, and an entry measured on 2,500 samples a class is known to 1 % at best. "
            f"The model answers most alike on classes {first} and {second}: measure with a model that tells them "
            "apart, merge them, or estimate from samples that carry both a true and a noisy label "
            "(noiselayer.estimation.estimate_from_pairs).",
            condition,
            threshold=_ILL_CONDITIONED,
        )
    ]


def about_dominance(noise_matrix: Tensor) -> list[Finding]:
    """Whether the diagonal is the largest entry of its row (Theorem 1's condition) and of its column.

    >>> [finding.name for finding in about_dominance(torch.tensor([[0.9, 0.6], [0.1, 0.4]]))]
    ['column_dominance']
    """
    Q, findings = noise_matrix, []
    for name, dim in (("row_dominance", 1), ("column_dominance", 0)):
        margin = (Q.diagonal() - largest_others(Q, dim)).double()
        count, i = int((margin <= 0).sum()), int(margin.argmin())
        if not count:
            continue
        own, of_all = f"{float(Q[i, i]):.3g}", f"{count} of {len(Q)}"
        if name == "row_dominance":
            j = int(Q[i].clone().index_fill_(0, torch.tensor(i, device=Q.device), -1.0).argmax())
            message = (
                f"Label {i} is given to samples of class {j} no less often (noise_matrix[{i}, {j}] = "
                f"{float(Q[i, j]):.3g}) than to those of class {i} itself ({own}); {of_all} rows have no dominant "
                "diagonal. Theorem 1 needs it: a matrix that is learned with a penalty may come out with classes "
                "exchanged. Estimate it from trusted samples and keep it fixed, or merge these classes."
            )
        else:
            j = int(Q[:, i].clone().index_fill_(0, torch.tensor(i, device=Q.device), -1.0).argmax())
            message = (
                f"Samples of class {i} carry label {j} no less often (noise_matrix[{j}, {i}] = "
                f"{float(Q[j, i]):.3g}) than their own ({own}); {of_all} columns have no dominant diagonal. "
                "Training that starts from the identity learns to call them by the commoner label: start from a "
                "matrix estimated from trusted samples."
            )
        findings.append(Finding(name, message, float(margin[i]), threshold=0.0))
    return findings


def without_dominance(noise_matrix: Tensor, standard_error: Tensor | None = None) -> int:
    """How many classes carry another label no less often than their own: columns without a dominant diagonal.

    With a standard error of the matrix only those that lack it by more than one of the difference.

    >>> without_dominance(torch.tensor([[0.9, 0.6], [0.1, 0.4]]))
    1
    >>> without_dominance(torch.tensor([[0.9, 0.6], [0.1, 0.4]]), torch.full((2, 2), 0.2))
    0
    """
    own = noise_matrix.diagonal()
    if standard_error is None:
        return int((own <= largest_others(noise_matrix, 0)).sum())
    off = noise_matrix.clone()
    other, at = off.fill_diagonal_(-torch.inf).max(dim=0)
    error = torch.hypot(standard_error.diagonal(), standard_error.gather(0, at.unsqueeze(0)).squeeze(0))
    return int((own <= other - error).sum())


def largest_others(Q: Tensor, dim: int) -> Tensor:
    """The largest entry off the diagonal of every column (``dim`` 0) or row (1), without a second matrix."""
    largest = torch.full((len(Q),), -torch.inf, dtype=Q.dtype, device=Q.device)
    for start in range(0, len(Q), _ROWS):
        rows = Q[start : start + _ROWS].clone()
        rows.diagonal(start).fill_(-torch.inf)
        if dim:
            largest[start : start + _ROWS] = rows.amax(dim=1)
        else:
            largest = torch.maximum(largest, rows.amax(dim=0))
    return largest

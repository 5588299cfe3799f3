"""What an estimate must tell its user before the matrix is used, in whole sentences."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor

from noiselayer.estimation.evidence import Evidence
from noiselayer.estimation.inverse import is_singular
from noiselayer.estimation.uncertainty import FirstOrder
from noiselayer.estimation.validate import listing

__all__ = ["about_condition", "about_counts", "about_fit", "never_occurs", "vanished"]

_ILL_CONDITIONED = 100.0
_FEW = 5  # clean samples of a class


def about_condition(C: Tensor, evidence: Evidence | None) -> list[str]:
    """Whether C* can be inverted, and whether the samples behind it were enough to know that.

    >>> about_condition(torch.tensor([[0.501, 0.499], [0.499, 0.501]]), None)[0][:59]
    'clean_confusion is ill-conditioned (condition number 500): '
    """
    values = torch.linalg.svdvals(C)
    smallest = float(values[-1])
    mend = "Measure with a model that tells the classes apart better, or merge classes."
    if is_singular(C):
        return [f"clean_confusion is singular: noise_matrix is one of many that fit. {mend}"]
    condition = float(values[0]) / smallest
    if condition > _ILL_CONDITIONED:
        return [
            f"clean_confusion is ill-conditioned (condition number {condition:.3g}): its small errors become "
            f"large ones in noise_matrix. {mend}"
        ]
    if evidence is not None:
        # The norm of a matrix of independent errors is about twice the length of its columns.
        scatter = 2 * float((evidence.clean_variance() / evidence.whole.clean_counts).amax().sqrt())
        if smallest < scatter:
            return [
                "clean_confusion cannot be told from a singular matrix (smallest singular value "
                f"{smallest:.2g}, sampling error {scatter:.2g}): use more clean samples. {mend}"
            ]
    return []


def about_counts(evidence: Evidence) -> list[str]:
    """Columns that rest on a handful of samples."""
    few = (evidence.whole.clean_counts < _FEW).nonzero().flatten().tolist()
    if not few:
        return []
    return [
        f"Fewer than {_FEW} clean samples of {listing(few)}: what is said of them rests on next to nothing."
    ]


def about_fit(first: FirstOrder, occurs: Tensor, *, skip: list[int]) -> list[str]:
    """What the raw estimate says against the assumptions it was made under.

    Args:
        first: The estimate before projection.
        occurs: Shape (K,), bool, noisy labels that are there.
        skip: Classes that have a warning already.
    """
    warnings = []
    unsure = (first.class_prior < 2 * first.class_prior_error).nonzero().flatten().tolist()
    unsure = [i for i in unsure if i not in skip]
    if unsure:
        warnings.append(
            f"The share of {listing(unsure)} in the noisy data cannot be told from 0, so their columns of "
            "noise_matrix are hardly determined: read their intervals."
        )
    # One false alarm in a hundred over all K^2 entries, were their errors normal.
    limit = -NormalDist().inv_cdf(1 - 0.01 / first.inverse.numel())
    score = (first.inverse / first.inverse_error.clamp_min(1e-12)).masked_fill(~occurs, 0.0)
    lowest = float(score.amin())
    if lowest < limit:
        i, j = divmod(int(score.argmin()), len(score))
        warnings.append(
            f"The raw p(true = {i} | noisy = {j}) is {float(first.inverse[i, j]):.3g}, {-lowest:.1f} "
            "standard errors below 0, which sampling does not explain. Either the model was fitted to one "
            "of the sets, or the clean set looks different from the noisy one, or the noise depends on more "
            "than the class."
        )
    return warnings


def vanished(classes: list[int]) -> str:
    """The warning for classes that are behind no noisy label."""
    return (
        f"No noisy label has {listing(classes)} behind it: such a column of noise_matrix is not determined "
        "and was set to the frequencies of the noisy labels. Check that the noisy data contain the class."
    )


def never_occurs(occurs: Tensor) -> str:
    """The warning for labels that the noisy data lack."""
    absent = (~occurs).nonzero().flatten().tolist()
    return f"The noisy labels never say {listing(absent)}: the row of noise_matrix is 0 there."

"""How sure an estimate is: standard errors in closed form, intervals, and what its user must be told, in sentences."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_confidence
from noiselayer.estimation.evidence import Evidence
from noiselayer.estimation.inverse import is_singular
from noiselayer.estimation.validate import listing

_ADDED = 4  # average samples per column, after Agresti and Coull (1998)
_ILL_CONDITIONED = 100.0
_FEW = 5  # clean samples of a class


class FirstOrder(NamedTuple):
    """The estimate before it is projected, with its standard errors."""

    inverse: Tensor  # R, (K, K)
    inverse_error: Tensor  # (K, K)
    noise_matrix: Tensor  # Q, (K, K)
    noise_matrix_error: Tensor  # (K, K)
    class_prior: Tensor  # (K,)
    class_prior_error: Tensor  # (K,)


def first_order(C: Tensor, noisy: Tensor, frequencies: Tensor, evidence: Evidence) -> FirstOrder:
    r"""Propagate the scatter of both confusions through the inverse and Bayes' rule, O(K^3).

    With A = C*^-1, a small error of C* moves R by :math:`-A\, \delta C^* R` and one of C~ by
    :math:`A\, \delta\tilde C`. Columns are independent samples, so only the variance of A p over the
    predictions p of one column is needed. Four samples of the average column are added to every column before
    its variance is taken: a class that happened to be predicted without fault is not known to be faultless.
    """
    _, n, _, m = evidence.whole
    A = torch.linalg.inv(C)
    R = A @ noisy
    pi = frequencies
    joint = R * pi  # p(true = i, noisy = j)
    prior = joint.sum(-1)
    Q = (joint / prior.unsqueeze(-1)).mT

    second_clean, second_noisy = evidence.second_moments(A)
    eye = torch.eye(len(C), dtype=C.dtype, device=C.device)
    clean = _variance(second_clean, eye, n)  # of (A dC*)_ki
    given = _variance(second_noisy, R, m)  # of (A dC~)_kj
    M = m.sum()

    inverse_variance = clean @ R.square() + given
    # dq_ji = [sum_l (A dC*)_il p_l (q_ji - q_jl) + sum_j' dJ_ij' (1[j = j'] - q_ji)] / p_i
    W = clean * prior.square()
    q = Q.mT
    from_clean = W @ q.square() - 2 * (W @ q) * q + W.sum(-1, keepdim=True) * q.square()
    # dJ_ij = pi_j (A dC~)_ij + R_ij dpi_j, the second a multinomial draw of M labels.
    G = pi.square() * given + R.square() * pi / M
    from_noisy = (1 - 2 * q) * G + q.square() * G.sum(-1, keepdim=True)
    variance = (from_clean + from_noisy) / prior.square().unsqueeze(-1)
    prior_variance = W.sum(-1) + G.sum(-1) - prior.square() / M
    # Where no share of the class is left its column is a quotient of two errors.
    undetermined = (prior <= 0).unsqueeze(-1) | ~variance.isfinite()
    error = variance.clamp_min(0).sqrt().masked_fill(undetermined, torch.inf).mT
    return FirstOrder(
        R, inverse_variance.clamp_min(0).sqrt(), Q, error, prior, prior_variance.clamp_min(0).sqrt()
    )


def normal_quantile(confidence: float, name: str = "confidence") -> float:
    """How many standard errors on either side hold a share ``confidence`` of a normal distribution.

    >>> round(normal_quantile(0.95), 2)
    1.96
    """
    check_confidence(confidence, name)
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def interval(estimate: Tensor, error: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """The normal interval cut to [0, 1], where a probability must lie; all of it where the error is infinite."""
    z = normal_quantile(confidence)
    known = error.isfinite() & estimate.isfinite()
    low = torch.where(known, estimate - z * error, 0.0).clamp(0, 1)
    high = torch.where(known, estimate + z * error, 1.0).clamp(0, 1)
    return low, high


def wilson(share: Tensor, n: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """Wilson's (1927) score interval of a share of n; [0, 1] where n is 0.

    >>> low, high = wilson(torch.tensor([0.5]), torch.tensor([10.0]), 0.95)
    >>> round(float(low), 2), round(float(high), 2)
    (0.24, 0.76)
    """
    z2 = normal_quantile(confidence) ** 2
    centre = (share * n + z2 / 2) / (n + z2)
    half = (z2 * (n * share * (1 - share) + z2 / 4)).sqrt() / (n + z2)
    return torch.minimum((centre - half).clamp_min(0), share), torch.maximum(
        (centre + half).clamp_max(1), share
    )


def _variance(second: Tensor, first: Tensor, count: Tensor) -> Tensor:
    """Of the mean of each column, from its first and second moments (K, K) and a few average samples more."""
    weight = count / count.sum()
    pooled_second = (second * weight).sum(-1, keepdim=True)
    pooled_first = (first * weight).sum(-1, keepdim=True)
    second = (second * count + _ADDED * pooled_second) / (count + _ADDED)
    first = (first * count + _ADDED * pooled_first) / (count + _ADDED)
    return (second - first.square()).clamp_min(0) / count.clamp_min(1)


def about_condition(C: Tensor, evidence: Evidence | None) -> list[str]:
    """Whether C* can be inverted, and whether the samples behind it were enough to know that.

    >>> about_condition(torch.tensor([[0.501, 0.499], [0.499, 0.501]]), None)[0][:59]
    'clean_confusion is ill-conditioned (condition number 500): '
    """
    values = torch.linalg.svdvals(C)
    smallest = float(values[-1])
    advice = "Measure with a model that tells the classes apart better, or merge classes."
    if is_singular(C):
        return [f"clean_confusion is singular: noise_matrix is one of many that fit. {advice}"]
    condition = float(values[0]) / smallest
    if condition > _ILL_CONDITIONED:
        return [
            f"clean_confusion is ill-conditioned (condition number {condition:.3g}): its small errors become "
            f"large ones in noise_matrix. {advice}"
        ]
    if evidence is not None:
        # The norm of a matrix of independent errors is about twice the length of its columns.
        scatter = 2 * float((evidence.clean_variance() / evidence.whole.clean_counts).amax().sqrt())
        if smallest < scatter:
            return [
                "clean_confusion cannot be told from a singular matrix (smallest singular value "
                f"{smallest:.2g}, sampling error {scatter:.2g}): use more clean samples. {advice}"
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
    """What the raw estimate, before projection, says against its assumptions; ``skip`` has a warning already."""
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

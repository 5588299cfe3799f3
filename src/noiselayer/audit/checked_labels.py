"""A few labels that somebody looked at: how many of all are wrong, whatever the model thinks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.quasirandom import SobolEngine

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.audit.audit_result import AuditResult
from noiselayer.audit.verdict import best_threshold
from noiselayer.estimation.validate import check_labels

_TRUST = 0.5  # of the log odds of the error probabilities, by which labels to look at are drawn
_LEAST_DOUBT = 0.04  # that the audit may be mistaken where it is sure: many labels, few of them wrong
_FLOOR = 1e-6  # of error probabilities whose log odds are taken
_SPREAD = (2.0, 0.6, 0.7)  # of the line before any check, around 0, 1, 1: what the audit says
_DRAWS = 1024
_ANSWERED = (
    "how many labels are wrong is known by those that were checked; which of the others are, and what they should be, "
    "still rests on a model whose doubt cannot be told from the labels'."
)


@dataclass(frozen=True, eq=False)
class SuggestedChecks:
    """Which labels to look at.

    Attributes:
        samples: Shape (n,), positions of the samples, ascending.
        inclusion_probability: Shape (n,), with which each was drawn.
    """

    samples: Tensor
    inclusion_probability: Tensor


@dataclass(frozen=True, eq=False)
class CheckedCount:
    """How many labels are wrong, by labels that were checked.

    Attributes:
        total: Wrong labels among all N, those found among the checked ones included.
        low: Lower end of the interval.
        high: Upper end.
        error_probability: Shape (N,), of the audit, recalibrated; 0 or 1 where a label was checked.
        by_label: Shape (K,), wrong labels of each given label: the recalibrated probabilities summed, scaled to the
            total.
    """

    total: float
    low: float
    high: float
    error_probability: Tensor
    by_label: Tensor


def suggest_checks(audit: AuditResult, number: int, *, seed: int = 0) -> SuggestedChecks:
    r"""A random sample of labels to look at, more of those that are in doubt.

    Each is drawn with a probability in proportion to :math:`\sqrt{p (1 - p)}`, where p has half the log odds of the
    error probability and lies between 0.04 and 0.96: audits are too sure, and where one is sure and mistaken, only
    checks can tell. The draw is systematic, at even distances along the error probabilities, so that it holds labels of
    every kind in their shares.

    Args:
        audit: With a row for every sample.
        number: How many.
        seed: Of the draw.

    Raises:
        ValueError: If the audit kept only some rows, or there are not so many labels.
    """
    return draw_checks(_all_of(audit), number, seed=seed)


def draw_checks(error_probability: Tensor, number: int, *, seed: int = 0) -> SuggestedChecks:
    """:func:`suggest_checks` where nothing but the error probabilities is left of an audit, shape (N,)."""
    e = error_probability.double()
    if not 1 <= number <= len(e):
        raise ValueError(f"number of checks must be from 1 to the {len(e)} labels; got {number}.")
    odds = e.clamp(_FLOOR, 1 - _FLOOR).logit()
    p = (_TRUST * odds).sigmoid().clamp(_LEAST_DOUBT, 1 - _LEAST_DOUBT)
    spread = (p * (1 - p)).sqrt()
    sure = torch.zeros(len(e), dtype=torch.bool)
    while True:
        left = torch.where(sure, 0.0, spread)
        chance = torch.where(sure, 1.0, (number - sure.sum()) * left / left.sum().clamp_min(1e-12))
        more = ~sure & (chance > 1 - 1e-9)
        if not bool(more.any()):
            break
        sure |= more
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(e), generator=generator)  # of labels with about the same error probability
    order = order[(odds[order] * 10).round().argsort(stable=True)]
    start = torch.rand(1, dtype=torch.float64, generator=generator)
    place = torch.searchsorted(chance[order].cumsum(0), start + torch.arange(number))
    samples = order[place.clamp(max=len(e) - 1)].sort().values
    return SuggestedChecks(samples, chance[samples])


def count_with_checks(
    audit: AuditResult,
    samples: Any,
    true_labels: Any,
    *,
    inclusion_probability: Any = None,
    confidence: float = 0.95,
) -> CheckedCount:
    r"""How many labels are wrong, with an interval that holds however wrong the audit is.

    The error probabilities are recalibrated, :math:`m = \sigma(a + b_- \min(l, 0) + b_+ \max(l, 0))` with l their log
    odds, by a logistic regression on the n checked labels w, 1 where wrong. With :math:`\pi` the probability of each
    to be drawn, the number is model-assisted (a generalised regression estimate),

    .. math::
        \hat W = \sum_\text{checked} w + \sum_\text{others} m + \max(0, 1 - s^2 / c^2) c, \quad
        c = \sum_\text{checked} (1 / \pi - 1) (w - m),

    with s the standard deviation of c by chance: what the line leaves is made good as far as it is more than that, so
    that an audit may be wrong in any way. Each end of the interval is as far away as in the posterior of the first two
    sums, or as the normal quantile times the standard deviation of c, whichever is more. The variance of c is the mean
    of what the residuals :math:`w - m` make it and of what :math:`m (1 - m)` lets one expect: where no rare mistake is
    drawn, residuals alone are too small.

    Args:
        audit: With a row for every sample.
        samples: Shape (n,), positions of the samples that were checked, each once.
        true_labels: Shape (n,), integers 0..K-1, what they are; -1 for a sample of none of the classes.
        inclusion_probability: Shape (n,), with which each was drawn, as :func:`suggest_checks` gives it; None for a
            plain random sample. Labels that were checked because they looked wrong are no random sample.
        confidence: Of the interval.

    Raises:
        ValueError: If positions or labels are out of range, repeat, or differ in number.

    >>> from noiselayer import audit_labels
    >>> truth = torch.arange(900) % 3
    >>> labels = torch.where(torch.arange(900) % 5 == 0, (truth + 1) % 3, truth)  # 180 are wrong
    >>> audit = audit_labels(labels, torch.eye(3)[truth] * 0.7 + 0.1, probs_predict="given")
    >>> checks = suggest_checks(audit, 100)
    >>> found = count_with_checks(
    ...     audit, checks.samples, truth[checks.samples], inclusion_probability=checks.inclusion_probability
    ... )
    >>> found.low <= 180 <= found.high, found.high - found.low < 40
    (True, True)
    """
    e, K = _all_of(audit), len(audit.noise_matrix)
    at, truth, chances = _checked(samples, true_labels, inclusion_probability, len(e), K)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}.")
    labels = as_tensor(audit.labels)
    wrong = (labels[at] != truth).double()
    found = _recalibrated(e, at, wrong, chances, confidence)
    calibrated = found.error_probability
    calibrated[at] = wrong
    by_label = torch.zeros(K, dtype=torch.float64).index_add_(0, labels, calibrated)
    by_label *= found.total / by_label.sum().clamp_min(1e-12)
    return CheckedCount(found.total, found.low, found.high, calibrated.float(), by_label)


def audit_with_checks(
    audit: AuditResult,
    samples: Any,
    true_labels: Any,
    *,
    inclusion_probability: Any = None,
    threshold: float | None = None,
) -> AuditResult:
    """The audit corrected by checked labels: its numbers, error probabilities, verdicts, ranks and suggestions.

    What was checked has the error probability 0 or 1. The numbers are those of :func:`count_with_checks`; the interval
    of one class rests on the checked labels of that class alone. Warnings that the number is unknown are left out.

    Args:
        audit: With a row for every sample.
        samples: As in :func:`count_with_checks`, like all that follow.
        true_labels: What they are.
        inclusion_probability: With which each was drawn.
        threshold: Of the verdict; as in :func:`noiselayer.audit_labels`.

    Raises:
        ValueError: As in :func:`count_with_checks`.

    >>> from noiselayer import audit_labels
    >>> truth = torch.arange(900) % 3
    >>> labels = torch.where(torch.arange(900) % 5 == 0, (truth + 1) % 3, truth)
    >>> audit = audit_labels(labels, torch.eye(3)[truth] * 0.7 + 0.1, probs_predict="given")
    >>> audit_with_checks(audit, [0, 1, 2], [1, 1, 2]).error_probability[:3]
    tensor([0., 0., 0.])
    """
    found = count_with_checks(audit, samples, true_labels, inclusion_probability=inclusion_probability)
    e, labels, K = _all_of(audit), as_tensor(audit.labels), len(audit.noise_matrix)
    at, truth, chances = _checked(samples, true_labels, inclusion_probability, len(e), K)
    wrong = (labels[at] != truth).double()
    low, high = torch.zeros(K, dtype=torch.float64), torch.bincount(labels, minlength=K).double()
    for k in torch.unique(labels[at]).tolist():
        rows, of_class = (labels == k).nonzero().flatten(), labels[at] == k
        place = torch.searchsorted(rows, at[of_class])
        one = _recalibrated(e[rows], place, wrong[of_class], chances[of_class], 0.95)
        low[k], high[k] = one.low, one.high
    known = torch.zeros(len(e), dtype=torch.bool)
    known[at] = True
    corrected = found.error_probability.double()
    cut = best_threshold(corrected[~known]) if threshold is None else threshold
    suggested = as_tensor(audit.suggested_label).clone()
    suggested[at] = torch.where(truth >= 0, truth, suggested[at])
    # Equal ones, 0 and 1 of the checked labels, in the order of the audit.
    before = as_tensor(audit.rank).argsort()
    rank = torch.empty_like(before)
    rank[before[corrected[before].argsort(descending=True, stable=True)]] = torch.arange(len(e))
    result = replace(
        audit,
        error_probability=found.error_probability,
        suggested_label=suggested,
        is_error=corrected > cut,
        rank=rank,
        threshold=cut,
        flagged=int((corrected > cut).sum()),
        wrong=replace(
            audit.wrong,
            expected=found.by_label,
            low=torch.minimum(low, found.by_label),
            high=torch.maximum(high, found.by_label),
            total=found.total,
            total_low=found.low,
            total_high=found.high,
            settled=True,
            known=True,
        ),
        warnings=(
            *([_ANSWERED] if audit._doubts else []),
            *(one for one in audit.warnings if one not in audit._doubts),
        ),
        _doubts=(),
    )
    return in_kind(result, audit.labels)


def _checked(
    samples: Any, true_labels: Any, inclusion_probability: Any, num_samples: int, num_classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Positions, true classes (-1: none of them) and the chances of being drawn."""
    at = check_labels(samples, num_samples, name="samples").cpu()
    truth = as_tensor(true_labels, "true_labels").cpu()
    of_none = truth == -1
    truth = torch.where(
        of_none, -1, check_labels(torch.where(of_none, 0, truth), num_classes, name="true_labels")
    )
    if len(at) != len(truth) or not len(at):
        raise ValueError(
            f"samples and true_labels must be equally many, at least one; got {len(at)} and {len(truth)}."
        )
    if len(set(at.tolist())) < len(at):
        raise ValueError("samples must name each checked label once; some are named twice.")
    if inclusion_probability is None:
        return at, truth, torch.full((len(at),), len(at) / num_samples, dtype=torch.float64)
    chances = as_tensor(inclusion_probability).double()
    if chances.shape != at.shape or not bool(((chances > 0) & (chances <= 1)).all()):
        raise ValueError(
            "inclusion_probability must be a probability above 0 for each of the checked samples."
        )
    return at, truth, chances


@dataclass(frozen=True, eq=False)
class _Recalibrated:
    """Error probabilities as the checked labels have them: a line in the log odds, bent where they are even."""

    error_probability: Tensor
    total: float
    low: float
    high: float


def _recalibrated(e: Tensor, at: Tensor, wrong: Tensor, chances: Tensor, confidence: float) -> _Recalibrated:
    """The likeliest line, and the number of wrong ones of these labels with its interval."""
    found, x = float(wrong.sum()), e.clamp(_FLOOR, 1 - _FLOOR).logit()
    X = torch.stack([torch.ones_like(x), x.clamp(max=0), x.clamp(min=0)], dim=1)
    A, prior = X[at], torch.tensor(_SPREAD, dtype=torch.float64).square().reciprocal()
    start = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    line = start.clone()
    for _ in range(30):
        p = (A @ line).sigmoid()
        gradient = A.T @ (wrong - p) - prior * (line - start)
        curvature = (A * (p * (1 - p)).unsqueeze(1)).T @ A + prior.diag()
        line = line + torch.linalg.solve(curvature, gradient).clamp(-1, 1)
    # Draws of the line: Student's t around the likeliest one, weighted to follow the posterior.
    engine = SobolEngine(6, scramble=True, seed=0)  # type: ignore[no-untyped-call]
    u = engine.draw(_DRAWS, dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    z = torch.special.ndtri(u[:, :3]) / (-2 * u[:, 3:].log().sum(dim=1, keepdim=True) / 6).sqrt()
    off = torch.linalg.solve_triangular(torch.linalg.cholesky(curvature).T, z.T, upper=True).T
    lines = line + off
    odds = lines @ A.T
    fit = (wrong * odds - softplus(odds)).sum(dim=1) - 0.5 * (lines - start).square() @ prior
    weight = (fit + 4.5 * torch.log1p(z.square().sum(dim=1) / 6)).softmax(dim=0)
    shares = odds.sigmoid()
    # The labels that were not checked: those of almost equal error probability at once.
    _, group = torch.unique((x * 9).round(), return_inverse=True)
    size = torch.bincount(group).double()
    middle = torch.zeros(len(size), 3, dtype=torch.float64).index_add_(0, group, X) / size.unsqueeze(1)
    drawn = found + (lines @ middle.T).sigmoid() @ size - shares.sum(dim=1)
    by_model, checked = float(weight @ drawn), weight @ shares
    tail, order = (1 - confidence) / 2, drawn.argsort()
    passed = weight[order].cumsum(0)
    low, high = (float(drawn[order[int((passed < q).sum())]]) for q in (tail, 1 - tail))
    # What the line leaves of the checked ones stands for those that were not: as far as chance does not explain it.
    rest, apart = 1 / chances - 1, wrong - checked
    left = float(rest @ apart)
    apart = apart - left / rest.sum().clamp_min(1e-12)
    chance = [float((rest / chances * spread).sum()) for spread in (apart.square(), checked * (1 - checked))]
    total = by_model + left * max(0.0, 1 - max(chance) / max(left**2, 1e-12))
    # Residuals alone say too little of chance where no rare mistake was drawn, and too much where one was.
    least = float(torch.special.ndtri(torch.tensor(1 - tail))) * (sum(chance) / 2) ** 0.5
    low, high = total - max(by_model - low, least), total + max(high - by_model, least)
    N, most = float(len(e)), len(e) - float((1 - wrong).sum())
    # Where nothing was found at all, or nothing else, no line reaches the end that it may be.
    total = 0.0 if not found else N if most == N else min(max(total, found), most)
    low, high = max(min(low, total), found) if found else 0.0, N if most == N else min(max(high, total), most)
    return _Recalibrated((X @ line).sigmoid(), total, low, high)


def _all_of(audit: AuditResult) -> Tensor:
    if len(audit) != audit.num_samples:
        raise ValueError(
            f"checks need an audit with a row for each of the {audit.num_samples} samples, and {len(audit)} were kept. "
            "Audit without top."
        )
    return as_tensor(audit.error_probability).double()

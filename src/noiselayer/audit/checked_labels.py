"""A few labels that somebody looked at: how many of all are wrong, whatever the model thinks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.audit.audit_result import AuditResult
from noiselayer.audit.verdict import best_threshold
from noiselayer.estimation.validate import check_labels

STRATA = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
"""Error probabilities between which labels are taken together."""
_FEWEST = 8  # checked labels of a stratum; with fewer it joins the next one
_LEAST_DOUBT = 0.02  # that the audit may be mistaken where it is sure: many labels, few of them wrong
_PRIOR = 2.0  # checks that the audit's error probabilities are taken to tell nothing for
_LEAST_LEFT = 0.05  # of the spread within a stratum
_DRAWS = 4000
_FLOOR = 1e-4


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

    Labels are drawn within strata of error probability, with Neyman's shares
    :math:`n_h \propto N_h \sqrt{\bar e_h (1 - \bar e_h)}` and e between 0.02 and 0.98: where the audit is sure and
    mistaken, only checks can tell.

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
    stratum = torch.bucketize(e, torch.tensor(STRATA, dtype=e.dtype))
    sizes = torch.bincount(stratum, minlength=len(STRATA) + 1).double()
    mean = torch.zeros_like(sizes).index_add_(0, stratum, e) / sizes.clamp_min(1)
    mean = mean.clamp(_LEAST_DOUBT, 1 - _LEAST_DOUBT)
    doubt = sizes * (mean * (1 - mean)).sqrt()
    wanted = torch.minimum((number * doubt / doubt.sum()).floor() + 1, sizes)
    while float(wanted.sum()) > number:
        wanted[wanted.argmax()] -= 1
    while float(wanted.sum()) < number:
        wanted[torch.where(wanted < sizes, sizes - wanted, 0).argmax()] += 1
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for h in range(len(sizes)):
        rows = (stratum == h).nonzero().flatten()
        chosen.append(rows[torch.randperm(len(rows), generator=generator)[: int(wanted[h])]])
    samples = torch.cat(chosen).sort().values
    return SuggestedChecks(samples, (wanted / sizes.clamp_min(1))[stratum[samples]])


def count_with_checks(
    audit: AuditResult,
    samples: Any,
    true_labels: Any,
    *,
    inclusion_probability: Any = None,
    confidence: float = 0.95,
) -> CheckedCount:
    r"""How many labels are wrong, with an interval that holds however wrong the audit is.

    The labels checked are a random sample, so that the share of wrong ones within a stratum of error probability is
    known but for chance, :math:`p_h \sim \mathrm{Beta}(x_h + 1/2,\; n_h - x_h + 1/2)` where x of n checked ones are
    wrong (Jeffreys). The number is post-stratified, :math:`\hat W = \sum_h N_h (x_h / n_h + \bar e_h - \bar e_h^c)`,
    corrected by the mean error probabilities of the stratum and of those checked in it; the interval has the
    quantiles of :math:`\sum_h N_h p_h`, with the spread that the error probabilities leave within the stratum, as far
    as the checks agree with them. The audit does no more than make it narrow.

    The error probabilities are recalibrated by a line through their log odds, fitted to the checks.

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
    at, truth, v = _checked(samples, true_labels, inclusion_probability, len(e), K)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}.")
    labels = as_tensor(audit.labels)
    wrong = (labels[at] != truth).double()
    total, low, high = _post_stratified(e, at, wrong, v, confidence)
    calibrated = _recalibrated(e, at, wrong, v)
    calibrated[at] = wrong
    by_label = torch.zeros(K, dtype=torch.float64).index_add_(0, labels, calibrated)
    by_label *= total / by_label.sum().clamp_min(1e-12)
    return CheckedCount(total, low, high, calibrated.float(), by_label)


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
    of one class rests on the checked labels of that class alone.

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
    at, truth, v = _checked(samples, true_labels, inclusion_probability, len(e), K)
    wrong = (labels[at] != truth).double()
    low, high = torch.zeros(K, dtype=torch.float64), torch.bincount(labels, minlength=K).double()
    for k in torch.unique(labels[at]).tolist():
        rows, of_class = (labels == k).nonzero().flatten(), labels[at] == k
        place = torch.searchsorted(rows, at[of_class])
        _, low[k], high[k] = _post_stratified(e[rows], place, wrong[of_class], v[of_class], 0.95)
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
    )
    return in_kind(result, audit.labels)


def _checked(
    samples: Any, true_labels: Any, inclusion_probability: Any, num_samples: int, num_classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Positions, true classes (-1: none of them) and weights."""
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
        return at, truth, torch.ones(len(at), dtype=torch.float64)
    chances = as_tensor(inclusion_probability).double()
    if chances.shape != at.shape or not bool(((chances > 0) & (chances <= 1)).all()):
        raise ValueError(
            "inclusion_probability must be a probability above 0 for each of the checked samples."
        )
    return at, truth, 1 / chances


def _post_stratified(
    e: Tensor, at: Tensor, wrong: Tensor, v: Tensor, confidence: float
) -> tuple[float, float, float]:
    """The number of wrong ones of these labels, and its interval."""
    N, stratum = len(e), _strata(e, at)
    of = stratum[at]

    def sums(groups: Tensor, *values: Tensor) -> Tensor:
        into = torch.zeros(len(values), int(stratum.max()) + 1, dtype=torch.float64)
        return into.index_add_(1, groups, torch.stack(values))

    sizes, mean, squares = sums(stratum, torch.ones_like(e), e, e.square())
    mean, squares = mean / sizes, squares / sizes
    weight, weights_squared, p, checked = sums(of, v, v.square(), v * wrong, v * e[at])
    p, checked = p / weight, checked / weight
    n = weight.square() / weights_squared  # Kish: what unequal weights leave of the number that was checked
    # How much of the spread within a stratum is left if e is subtracted: by e itself and by the checks, the larger.
    left = sums(of, v * (wrong - e[at] - (p - checked)[of]).square())[0] / weight
    alone, by_itself = p * (1 - p), (mean * (1 - mean)).clamp_min(1e-12)
    more = _PRIOR * torch.maximum(alone, by_itself)
    part = torch.maximum(1 - (squares - mean.square()) / by_itself, (n * left + more) / (n * alone + more))
    part = part.clamp(_LEAST_LEFT, 1.0)
    shift = torch.where(part < 1, mean - checked, 0.0)
    total = float((sizes * (p + shift).clamp(0, 1)).sum())
    a, b = n * p + 0.5, n * (1 - p) + 0.5
    centre = a / (a + b)
    shares = np.random.default_rng(0).beta(a, b, (_DRAWS, len(sizes)))
    shares = (centre + shift).numpy() + (shares - centre.numpy()) * part.sqrt().numpy()
    drawn = shares.clip(0, 1) @ sizes.numpy()
    tail = (1 - confidence) / 2
    low, high = (float(q) for q in np.quantile(drawn, [tail, 1 - tail]))
    # Where nothing was found at all, or nothing else, no quantile reaches the end that it may be.
    low = 0.0 if total == 0 else max(min(low, total), float(wrong.sum()))
    high = float(N) if total == N else min(max(high, total), N - float((1 - wrong).sum()))
    return total, low, high


def _all_of(audit: AuditResult) -> Tensor:
    if len(audit) != audit.num_samples:
        raise ValueError(
            f"checks need an audit with a row for each of the {audit.num_samples} samples, and {len(audit)} were kept. "
            "Audit without top."
        )
    return as_tensor(audit.error_probability).double()


def _strata(e: Tensor, at: Tensor) -> Tensor:
    """The stratum of every label; neighbours are joined until each has enough checked ones."""
    fine = torch.bucketize(e, torch.tensor(STRATA, dtype=e.dtype))
    counts = torch.bincount(fine[at], minlength=len(STRATA) + 1).tolist()
    joined, current, held = [], 0, 0
    for number in counts:
        joined.append(current)
        held += number
        if held >= _FEWEST:
            current, held = current + 1, 0
    if held < _FEWEST:  # what is left over joins the last whole one
        joined = [min(h, max(0, current - 1)) for h in joined]
    return torch.tensor(joined)[fine]


def _recalibrated(e: Tensor, at: Tensor, wrong: Tensor, weights: Tensor) -> Tensor:
    """sigmoid(a + b logit e), the likeliest a and b, drawn to 0 and 1 by the weight of one check each."""
    x = e.clamp(_FLOOR, 1 - _FLOOR).logit()
    X = torch.stack([torch.ones(len(at), dtype=torch.float64), x[at]], dim=1)
    v = (weights / weights.mean()).unsqueeze(1)
    start = torch.tensor([0.0, 1.0], dtype=torch.float64)
    line = start.clone()
    for _ in range(30):
        p = (X @ line).sigmoid()
        gradient = (v * X * (wrong - p).unsqueeze(1)).sum(dim=0) - (line - start)
        curvature = (v * X * (p * (1 - p)).unsqueeze(1)).T @ X + torch.eye(2, dtype=torch.float64)
        line = line + torch.linalg.solve(curvature, gradient).clamp(-1, 1)
    return (line[0] + line[1] * x).sigmoid()

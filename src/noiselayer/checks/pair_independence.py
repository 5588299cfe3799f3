"""Noise that depends on the input, where samples carry both their true and their noisy label.

If noise depends on the class alone, then among samples of one true class the noisy label is independent of
whatever can be said of the input: of how hard a model finds it, of the cluster it lies in. That is tested
class by class, with both margins of every table fixed, so it holds for any model, calibrated or not, that was
not fitted to these noisy labels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from noiselayer.arrays.ranks import bins_within, ranks_within
from noiselayer.checks.finding import Finding
from noiselayer.checks.significance import chi2_tail, normal_tail, stratified_score_test

_NAME = "input_dependent_noise"
_ADVICE = (
    "One noise matrix cannot describe that. Down-weight or leave out the inputs it is worst for, use a noise "
    "matrix for each group, or clean the labels of that part first; the top-down loss assumes least."
)
_EXPECTED = 5.0  # Cochran's rule for the cells of a chi-square test
_SMALLEST_GROUP = 10


def about_pairs(probs: Tensor, true: Tensor, noisy: Tensor, groups: Tensor | None) -> list[Finding]:
    """Tests on paired samples, p-values not yet adjusted; ``probs`` are of a model that has not seen ``noisy``."""
    ease = probs.gather(1, true.unsqueeze(1)).squeeze(1)  # how sure the model is of the true class
    findings = []
    wrong = noisy != true
    z = stratified_score_test(ranks_within(ease, true), wrong, true)
    half = bins_within(ease, true, 2)
    if z is not None:
        hard, easy = (float(wrong[half == b].double().mean()) for b in (0, 1))
        findings.append(
            Finding(
                _NAME,
                f"Noise depends on how hard a sample is: of the same true classes, {hard:.1%} of labels are "
                f"wrong in the half that the model finds harder and {easy:.1%} in the easier half "
                f"(z = {-z:.1f}). {_ADVICE}",
                -z,
                p_value=2 * normal_tail(abs(z)),
            )
        )
    for kind, parts in (("hard, medium and easy samples", bins_within(ease, true, 3)), ("groups", groups)):
        if parts is None:
            continue
        statistic, degrees, worst = independence(true, noisy, parts)
        if degrees:
            findings.append(
                Finding(
                    _NAME,
                    f"Noisy labels of the same true class are distributed differently in {kind} (chi-square "
                    f"{statistic:.1f} on {degrees} degrees of freedom), most of all for class {worst}: "
                    f"{_shares(true, noisy, parts, worst)}. {_ADVICE}",
                    statistic,
                    p_value=float(chi2_tail(torch.tensor(statistic), torch.tensor(degrees))),
                )
            )
    return findings


def independence(true: Tensor, noisy: Tensor, groups: Tensor) -> tuple[float, int, int]:
    """Chi-square over classes of noisy label against group, its degrees, and the class of the smallest p-value.

    Within a class, groups of fewer than ten samples are left out and rare labels pooled until every cell expects
    five: both are decided from the margins, so they cannot look at the dependence.
    """
    statistic, degrees, worst, smallest = 0.0, 0, 0, math.inf
    groups = torch.unique(groups, return_inverse=True)[1]  # numbers without samples cost memory
    num_groups, K = int(groups.max()) + 1, int(torch.maximum(true, noisy).max()) + 1
    for i in torch.unique(true).tolist():
        of_class = true == i
        cells = groups[of_class] * K + noisy[of_class]
        counts = torch.bincount(cells, minlength=num_groups * K).reshape(num_groups, K).double()
        table = _pooled(counts[counts.sum(dim=1) >= _SMALLEST_GROUP])
        if table.numel() == 0 or min(table.shape) < 2:
            continue
        expected = table.sum(dim=1, keepdim=True) * table.sum(dim=0) / table.sum()
        x2 = float(((table - expected).square() / expected).sum())
        df = (table.shape[0] - 1) * (table.shape[1] - 1)
        statistic, degrees = statistic + x2, degrees + df
        p = float(chi2_tail(torch.tensor(x2), torch.tensor(df)))
        if p < smallest:
            worst, smallest = i, p
    return statistic, degrees, worst


def _pooled(counts: Tensor) -> Tensor:
    """A table of groups by labels with rare labels in one column, so that every cell expects enough."""
    total = counts.sum()
    if counts.numel() == 0 or total == 0:
        return counts[:0]
    smallest = counts.sum(dim=1).min()
    common = counts.sum(dim=0) * smallest / total >= _EXPECTED
    table = counts[:, common]
    rare = counts[:, ~common].sum(dim=1, keepdim=True)
    if float(rare.sum() * smallest / total) >= _EXPECTED:
        return torch.cat([table, rare], dim=1)
    if table.shape[1]:  # into the rarest of the common ones
        table[:, table.sum(dim=0).argmin()] += rare.squeeze(1)
    return table


def _shares(true: Tensor, noisy: Tensor, parts: Tensor, i: int) -> str:
    """The wrong labels of one class by group, in words."""
    texts = []
    present = torch.unique(parts[true == i]).tolist()
    for g in present[:4]:
        chosen = (true == i) & (parts == g)
        texts.append(f"{float((noisy[chosen] != i).double().mean()):.0%}")
    more = ", ..." if len(present) > 4 else ""
    return f"{', '.join(texts)}{more} of its labels are wrong, group by group"

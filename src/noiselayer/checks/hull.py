"""Noisy labels that no mixture of the noise matrix's columns explains: what can be tested without clean data.

Without true labels a poor model and input-dependent noise look alike: whatever p(noisy | x) is, if it is a
mixture of Q's columns there is a p(true | x) that explains it. What remains is that it must be one. Among
samples that were put together by their inputs alone, the noisy labels must be distributed as Q r for some
distribution r over the classes, whatever the model and its calibration. Where noise is rarer on easy samples
than Q says, no r does that.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from noiselayer.arrays.ranks import bins_within
from noiselayer.checks.finding import Finding
from noiselayer.checks.significance import chi2_tail, normal_tail
from noiselayer.joint.surest_labels import FEWEST, beyond_any_mixture

_EXPECTED = 5.0
_ROUNDS, _STEPS = 20, 10
_TINY = 1e-300
_PORTION = 2**22
_ADVICE = (
    "Use a matrix that was estimated on data like these; if it was, noise depends on the input: down-weight "
    "these samples or give their group a matrix of its own."
)


def about_mixtures(
    Q: Tensor, error: Tensor | None, probs: Tensor, noisy: Tensor, groups: Tensor | None
) -> list[Finding]:
    """Tests of bins of noisy samples against the hull of Q's columns, p-values adjusted for the bins only.

    Bins are thirds by confidence within each predicted class (the least sure are tested apart: strange labels there
    speak of images from outside the classes) and, if given, the groups. ``probs`` are of a model that has not seen
    ``noisy``. The surest third of all classes is tested together as well.
    """
    K = len(Q)
    confidence, predicted = probs.max(dim=1)
    third = bins_within(confidence, predicted, 3)
    unsure = third == 0
    findings = []
    # The surer two thirds: bin = predicted class and third.
    found = _worst(Q, error, (predicted * 2 + third - 1)[~unsure], noisy[~unsure], torch.arange(2 * K) // 2)
    agreeing = _surest_agree(Q, error, predicted[third == 2], noisy[third == 2])
    p = None if agreeing is None else agreeing.p_value
    if agreeing is not None and p is not None and (found is None or p < found[1]):
        findings.append(replace(agreeing, p_value=p if found is None else min(1.0, 2 * p)))
    elif found is not None:
        statistic, p, b, seen, fitted = found
        p = p if agreeing is None else min(1.0, 2 * p)
        findings.append(
            Finding(
                "input_dependent_noise",
                f"Where the model predicts class {b // 2} with {('medium', 'high')[b % 2]} confidence, "
                f"{_figures(seen, fitted, statistic)}. {_ADVICE}",
                statistic,
                p_value=p,
            )
        )
    found = _worst(Q, error, predicted[unsure], noisy[unsure], torch.arange(K))
    if found is not None:
        statistic, p, b, seen, fitted = found
        findings.append(
            Finding(
                "outside_images",
                f"Among the samples that the model calls class {b} but is least sure of, "
                f"{_figures(seen, fitted, statistic)}. They may show none of the "
                "classes: look at them, and use top_down_loss with uniform_conversion or uniform labels for "
                "outside images. If they do show the classes, noise depends on the input.",
                statistic,
                p_value=p,
            )
        )
    if groups is not None:
        names, parts = torch.unique(groups, return_inverse=True)  # numbers without samples cost memory
        # Rare labels of a group are pooled by the class that it is most often taken for.
        votes = torch.bincount(parts * K + predicted, minlength=len(names) * K)
        found = _worst(Q, error, parts, noisy, votes.reshape(-1, K).argmax(dim=1))
        if found is not None:
            statistic, p, b, seen, fitted = found
            findings.append(
                Finding(
                    "input_dependent_noise",
                    f"In group {int(names[b])}, {_figures(seen, fitted, statistic)}. {_ADVICE}",
                    statistic,
                    p_value=p,
                )
            )
    return findings


def _surest_agree(Q: Tensor, error: Tensor | None, predicted: Tensor, noisy: Tensor) -> Finding | None:
    """Whether the labels of the surest samples agree with the prediction more often than any mixture allows."""
    if len(noisy) < FEWEST:
        return None
    z, seen, allowed = beyond_any_mixture(Q, predicted, noisy, error)
    return Finding(
        "input_dependent_noise",
        f"Where the model is surest, {seen:.1%} of noisy labels are what it predicts; with noise_matrix it could be "
        f"{allowed:.1%} at most, whatever the samples are (z = {z:.1f}). {_ADVICE}",
        z,
        p_value=normal_tail(z),
    )


def _figures(seen: Tensor, fitted: Tensor, statistic: float) -> str:
    """The label that is farthest from its fitted share, in words."""
    label = int((seen - fitted).abs().argmax())
    return (
        f"{float(seen[label]):.1%} of noisy labels are of class {label}; the mixture of noise_matrix's columns that "
        f"comes closest gives {float(fitted[label]):.1%} (likelihood ratio {statistic:.1f})"
    )


def _worst(
    Q: Tensor, error: Tensor | None, bins: Tensor, noisy: Tensor, columns: Tensor
) -> tuple[float, float, int, Tensor, Tensor] | None:
    """The bin farthest outside: statistic, p-value for all bins, bin, and label shares seen and fitted."""
    K = len(Q)
    counts = torch.bincount(bins * K + noisy, minlength=len(columns) * K).reshape(-1, K).double()
    large = (counts.sum(dim=1) >= FEWEST).nonzero().flatten()
    if not len(large):
        return None
    statistic, degrees, fitted = outside_hull(Q, error, counts[large], columns[large])
    p = chi2_tail(statistic, degrees)
    # Of several p-values that underflow to 0, the one with the largest statistic.
    k = int(torch.where(p == p.min(), statistic, -1.0).argmax())
    b = int(large[k])
    return (
        float(statistic[k]),
        min(1.0, float(p[k]) * len(large)),
        b,
        counts[b] / counts[b].sum(),
        Q @ fitted[k],
    )


def outside_hull(
    Q: Tensor, error: Tensor | None, counts: Tensor, columns: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The likelihood ratio of label counts (B, K) against the best mixture r (B, K) of Q's columns; degrees; r.

    If the truth is a mixture, the statistic is at most that of the true mixture, which is chi-square: the test errs
    on the safe side, also where the search has not ended. Labels that column ``columns[b]`` of Q expects fewer than
    five times are pooled beforehand. With ``error``, Q's columns count as samples of that precision, and entries
    below their error are raised to it.
    """
    precision = None
    if error is not None:
        variance = error.square().sum(dim=0)
        precision = (1 - Q.square().sum(dim=0)) / variance.clamp_min(1e-12)  # samples behind each column
        Q = torch.maximum(Q, error)
        Q = Q / Q.sum(dim=0)
    size = max(1, _PORTION // Q.numel())
    parts = [
        _portion(Q, precision, *both)
        for both in zip(torch.split(counts, size), torch.split(columns, size), strict=True)
    ]
    statistic, degrees, mixture = (torch.cat(part) for part in zip(*parts, strict=True))
    return statistic, degrees, mixture


def _portion(
    Q: Tensor, precision: Tensor | None, counts: Tensor, columns: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    counts = counts.double()
    n = counts.sum(dim=1, keepdim=True)
    place = _pooling(Q, n, columns)
    B, width = len(counts), int(place.max()) + 1
    pooled = torch.zeros(B, width, dtype=torch.float64).scatter_add_(1, place, counts)
    A = torch.zeros(B, width, len(Q), dtype=torch.float64)
    A.scatter_add_(1, place.unsqueeze(-1).expand(-1, -1, len(Q)), Q.expand(B, -1, -1))
    f = pooled / n
    degrees = place.amax(dim=1)  # columns left, less one
    impossible = ((A.sum(dim=2) == 0) & (f > 0)).any(dim=1)

    size = n.squeeze(1)
    f, r = f.unsqueeze(-1), torch.full((B, len(Q), 1), 1 / len(Q), dtype=torch.float64)
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):  # expectation-maximisation for the shares of a mixture; they keep their sum
            r = r * (A.mT @ (f / (A @ r).clamp_min_(_TINY)))
        ratio = f / (A @ r).clamp_min_(_TINY)
        statistic = 2 * size * torch.xlogy(f, ratio).sum(dim=(1, 2))
        # No mixture has a log-likelihood larger by more than n log(max gain).
        gap = 2 * size * (A.mT @ ratio).amax(dim=(1, 2)).clamp_min(1).log()
        if bool(((gap < 0.01) | (statistic < degrees)).all()):
            break
    r = r.squeeze(-1)
    statistic = (statistic - gap).clamp_min(0)
    if precision is not None:
        # Q's own scatter adds to that of the counts: the same distance, measured with fewer samples.
        statistic = statistic / (1 + size * (r.square() / precision).sum(dim=1))
    return torch.where(impossible, torch.inf, statistic), degrees, r


def _pooling(Q: Tensor, n: Tensor, columns: Tensor) -> Tensor:
    """Where each label is counted, shape (B, K): common ones on their own, the rest together."""
    expected = n * Q.T[columns]
    enough = expected >= _EXPECTED
    common = enough | (Q.sum(dim=1) == 0)  # what no class is ever called must not hide among others
    place = common.long().cumsum(dim=1) - 1
    num_common = common.sum(dim=1, keepdim=True)
    rest = torch.where(common, 0.0, expected).sum(dim=1, keepdim=True)
    # A rest that is rare itself joins the rarest of the common labels.
    rarest = torch.where(enough, expected, torch.inf).argmin(dim=1, keepdim=True)
    shared = torch.where(rest >= _EXPECTED, num_common, place.gather(1, rarest).clamp_min(0))
    return torch.where(common, place, shared)

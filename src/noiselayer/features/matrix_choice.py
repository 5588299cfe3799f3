"""The noise matrix from logits out of fold: how much it is smoothed, and its trace, chosen by labels held out.

People err on what is hard, and there the classifier is unsure too. A single matrix takes part of the errors for the
classifier's doubt, and comes out too clean. So samples are put in groups by the classifier's confidence, each has a
matrix of its own, and the result is their mean, every class weighted by where its samples are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.joint.matrix_fit import MatrixFit, even_errors, fit_matrix, fit_scale, log_columns
from noiselayer.losses.log_space import noisy_nll

COUNTS = (10.0, 30.0, 100.0)
"""Made-up samples of every class (:func:`noiselayer.joint.matrix_fit.fit_matrix`)."""
TRACE_PENALTIES = (0.0, 0.05, 0.1, 0.2)
_GROUPS = 4  # at most
_OF_A_CLASS = 50  # samples, that a group should have on average


class Smoothing(NamedTuple):
    """How Q is held back.

    Attributes:
        counts: Made-up samples of every class.
        trace_penalty: Weight of tr(Q) / K.
    """

    counts: float
    trace_penalty: float


class Found(NamedTuple):
    """Q, shape (K, K), double, and the factor that the logits lack."""

    noise_matrix: Tensor
    scale: float


class MatrixChoice(NamedTuple):
    """What labels held out have chosen.

    Attributes:
        found: From all folds.
        losses: Shape (N,), of every label through the matrix and scale of the other folds.
        smoothing: Chosen.
    """

    found: Found
    losses: Tensor
    smoothing: Smoothing


def choose_matrix(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> MatrixChoice:
    """Smooth Q as much as predicts labels best; then the smallest trace that cannot be told from that.

    The second is Theorem 1 in its constrained form.

    Args:
        logits: Of the true class, shape (M, K) each, a part for every fold, by a classifier that has not seen it.
        labels: Their noisy labels, shape (M,) each.

    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.randint(2, (3000,), generator=generator)
    >>> from noiselayer import corrupt_labels
    >>> Q = torch.tensor([[0.9, 0.4], [0.1, 0.6]])
    >>> labels = corrupt_labels(truth, Q, generator=generator)
    >>> z = 2 * torch.eye(2)[truth] + torch.randn(3000, 2, generator=generator) / 2
    >>> found = choose_matrix(z.double().chunk(3), labels.chunk(3)).found.noise_matrix
    >>> bool((found - Q).abs().max() < 0.1)
    True
    """
    by_counts = [cross_validated(logits, labels, Smoothing(counts, 0.0)) for counts in COUNTS]
    best = min(by_counts, key=lambda choice: float(choice.losses.mean()))
    path = [best]
    for penalty in TRACE_PENALTIES[1:]:
        path.append(cross_validated(logits, labels, Smoothing(best.smoothing.counts, penalty)))
        if not within_one_error(path[-1].losses, best.losses):
            break
    least = min(path, key=lambda choice: float(choice.losses.mean()))
    eligible = [choice for choice in path if within_one_error(choice.losses, least.losses)]
    return min(eligible, key=lambda choice: float(choice.found.noise_matrix.diagonal().mean()))


def cross_validated(logits: Sequence[Tensor], labels: Sequence[Tensor], smoothing: Smoothing) -> MatrixChoice:
    """The matrix of all folds, and for every fold the losses through that of the others.

    >>> z, y = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1), torch.tensor([0, 1]).repeat(50)
    >>> cross_validated(z.chunk(2), y.chunk(2), Smoothing(10.0, 0.0)).losses.shape
    torch.Size([100])
    """
    confidence = [z.softmax(dim=1).amax(dim=1) for z in logits]
    everyone, given = torch.cat(list(logits)), torch.cat(list(labels))
    edges = _edges(torch.cat(confidence), everyone.shape[1])
    groups = [torch.bucketize(c, edges) for c in confidence]
    whole = _fit(everyone, given, torch.cat(groups), len(edges) + 1, smoothing)
    losses = []
    for k, (z, y) in enumerate(zip(logits, labels, strict=True)):
        others = [j for j in range(len(logits)) if j != k]
        seen, theirs, of = (torch.cat([each[j] for j in others]) for each in (logits, labels, groups))
        fewer = smoothing.counts * len(theirs) / len(given)
        fit = fit_matrix(
            seen,
            theirs,
            whole.log_matrix,
            groups=of,
            scale=whole.scale,
            counts=fewer,
            trace_weight=smoothing.trace_penalty,
            iterations=30,
        )
        held = _mean_matrix(fit, seen, theirs, of)
        losses.append(noisy_nll(z * held.scale, y, held.noise_matrix))
    found = _mean_matrix(whole, everyone, given, torch.cat(groups))
    return MatrixChoice(found, torch.cat(losses), smoothing)


def find_matrix(logits: Tensor, labels: Tensor, smoothing: Smoothing) -> Found:
    """Q and the scale, of samples whose labels the classifier has not seen.

    >>> z = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1)
    >>> found = find_matrix(z, torch.tensor([0, 1]).repeat(50), Smoothing(10.0, 0.0))
    >>> bool((found.noise_matrix.diagonal() > 0.9).all())
    True
    """
    confidence = logits.softmax(dim=1).amax(dim=1)
    edges = _edges(confidence, logits.shape[1])
    groups = torch.bucketize(confidence, edges)
    return _mean_matrix(_fit(logits, labels, groups, len(edges) + 1, smoothing), logits, labels, groups)


def within_one_error(losses: Tensor, least: Tensor) -> bool:
    """Whether losses are higher by no more than one paired standard error of the mean difference.

    >>> within_one_error(torch.tensor([1.0, 2.0]), torch.tensor([1.1, 1.8]))
    True
    """
    excess = losses - least
    return float(excess.mean()) <= standard_error(excess)


def standard_error(values: Tensor) -> float:
    """Of the mean of N values; 0 for one.

    >>> standard_error(torch.tensor([1.0, 3.0]))
    1.0
    """
    return float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0


def _edges(confidence: Tensor, num_classes: int) -> Tensor:
    """Between groups of equal size; as many as leave each enough samples of every class."""
    count = max(1, min(_GROUPS, len(confidence) // (_OF_A_CLASS * num_classes)))
    ranked = confidence.sort().values
    return ranked[torch.arange(1, count) * len(ranked) // count]


def _fit(logits: Tensor, labels: Tensor, groups: Tensor, count: int, smoothing: Smoothing) -> MatrixFit:
    """From nothing: errors are even at first, as many as the classifier disagrees with."""
    K = logits.shape[1]
    agreed = float((logits.argmax(dim=1) == labels).double().mean())
    even = even_errors(min(max(agreed, 1.5 / K), 0.97), K)
    fit = MatrixFit(log_columns(even).repeat(count, 1, 1), fit_scale(logits, labels, even), 0.0)
    for _ in range(2):  # again, with made-up samples that are as often right as it has found
        fit = fit_matrix(
            logits,
            labels,
            fit.log_matrix,
            groups=groups,
            scale=fit.scale,
            counts=smoothing.counts,
            trace_weight=smoothing.trace_penalty,
        )
    return fit


def _mean_matrix(fit: MatrixFit, logits: Tensor, labels: Tensor, groups: Tensor) -> Found:
    """One Q for all groups, every column weighted by where that class's samples are, and the scale that suits it."""
    p = (logits * fit.scale).softmax(dim=1)
    G, K = fit.log_matrix.shape[0], p.shape[1]
    share = torch.zeros(G, K, dtype=p.dtype).index_add_(0, groups, p).clamp_min_(1e-12)
    Q = (fit.noise_matrix * share[:, None]).sum(dim=0) / share.sum(dim=0)
    return Found(Q, fit_scale(logits, labels, Q) if G > 1 else fit.scale)

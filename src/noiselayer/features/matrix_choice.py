"""The noise matrix from logits out of fold: how much it is smoothed, and its trace, chosen by labels held out.

People err on what is hard, and there the classifier is unsure too. A single matrix takes part of the errors for the
classifier's doubt, and comes out too clean. So samples are put in groups by the classifier's confidence, each has a
matrix of its own, and the result is their mean, every class weighted by where its samples are. The better a classifier
knows the noisy labels, the more of these groups it takes; so their number grows with that of the samples, of which no
more than some thousand are looked at. Of few samples groups come out too noisy: one matrix and as many as there may be
are both tried there (:func:`numbers_of_groups`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.features.matrix_fits import fit_matrices
from noiselayer.joint.matrix_fit import even_errors, fit_scale, log_columns
from noiselayer.losses.log_space import noisy_nll

COUNTS = (10.0, 30.0, 100.0)
"""Made-up samples of every class (:func:`noiselayer.joint.matrix_fit.fit_matrix`)."""
TRACE_PENALTIES = (0.0, 0.05, 0.1, 0.2)
_GROUPS = 20  # at most
_OF_A_CLASS = 50  # samples, that a group should have on average
MANY_WRONG = (
    0.75  # on the diagonal, in the mean: above it Q gains little, and may be the classifier's own doubt
)
_FEW = 1500  # samples: with more of them one matrix is not tried
_SAMPLES = 10_000  # that matrices are fitted to, at most: their own error is far below what is asked of them


class Smoothing(NamedTuple):
    """How Q is held back.

    Attributes:
        counts: Made-up samples of every class.
        trace_penalty: Weight of tr(Q) / K.
        groups: Of samples by confidence, that have a matrix of their own.
    """

    counts: float
    trace_penalty: float
    groups: int = 1


class Found(NamedTuple):
    """Q, shape (K, K), double, the factor that the logits lack, and the matrix of the surest group of samples."""

    noise_matrix: Tensor
    scale: float
    surest: Tensor


class MatrixChoice(NamedTuple):
    """What labels held out have chosen.

    Attributes:
        found: From all folds.
        of_others: For every fold, from the others.
        losses: Shape (N,), of every label through the matrix and scale of the other folds.
        smoothing: Chosen.
    """

    found: Found
    of_others: list[Found]
    losses: Tensor
    smoothing: Smoothing


def numbers_of_groups(samples: int, num_classes: int) -> list[int]:
    """Which numbers of groups are worth a try.

    >>> numbers_of_groups(1000, 6), numbers_of_groups(50_000, 10)
    ([1, 3], [20])
    """
    most = max(1, min(_GROUPS, min(samples, _SAMPLES) // (_OF_A_CLASS * num_classes)))
    return [1, most] if most > 1 and samples <= _FEW else [most]


def choose_matrix(logits: Tensor, labels: Tensor, fold_of: Tensor, groups: int = 1) -> MatrixChoice:
    """Smooth Q as much as predicts labels best; then the smallest trace that cannot be told from that.

    The second is Theorem 1 in its constrained form.

    Args:
        logits: Of the true class, shape (N, K), double, by classifiers that have not seen the label.
        labels: Noisy, shape (N,).
        fold_of: Shape (N,), 0..F-1: what is compared is the loss of a fold through the matrix of the others.
        groups: Of samples by confidence.

    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.randint(2, (3000,), generator=generator)
    >>> from noiselayer import corrupt_labels
    >>> Q = torch.tensor([[0.9, 0.4], [0.1, 0.6]])
    >>> labels = corrupt_labels(truth, Q, generator=generator)
    >>> z = 2 * torch.eye(2)[truth] + torch.randn(3000, 2, generator=generator) / 2
    >>> found = choose_matrix(z.double(), labels, torch.arange(3000) % 3).found.noise_matrix
    >>> bool((found - Q).abs().max() < 0.1)
    True
    """
    by_counts = cross_validated(
        logits, labels, fold_of, [Smoothing(counts, 0.0, groups) for counts in COUNTS]
    )
    best = min(by_counts, key=lambda choice: float(choice.losses.mean()))
    path = [best]
    for penalty in TRACE_PENALTIES[1:]:
        path += cross_validated(logits, labels, fold_of, [best.smoothing._replace(trace_penalty=penalty)])
        if not within_one_error(path[-1].losses, best.losses):
            break
    least = min(path, key=lambda choice: float(choice.losses.mean()))
    eligible = [choice for choice in path if within_one_error(choice.losses, least.losses)]
    return min(eligible, key=lambda choice: float(choice.found.noise_matrix.diagonal().mean()))


def cross_validated(
    logits: Tensor, labels: Tensor, fold_of: Tensor, smoothings: Sequence[Smoothing]
) -> list[MatrixChoice]:
    """For every smoothing the matrix of all folds, and for every fold the losses through that of the others.

    All have as many groups as the first.

    >>> z, y = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1), torch.tensor([0, 1]).repeat(50)
    >>> [choice] = cross_validated(z, y, torch.arange(100) % 2, [Smoothing(10.0, 0.0)])
    >>> choice.losses.shape
    torch.Size([100])
    """
    folds, S = int(fold_of.max()) + 1, len(smoothings)
    every_logits, every_label, every_fold = logits, labels, fold_of
    drawn = _drawn(len(labels))
    logits, labels, fold_of = logits[drawn], labels[drawn], fold_of[drawn]
    confidence = logits.softmax(dim=1).amax(dim=1)
    edges = _edges(confidence, smoothings[0].groups)
    groups = torch.bucketize(confidence, edges)[:, None]
    everyone = torch.ones(len(labels), 1, dtype=torch.bool)
    counts = torch.tensor([s.counts for s in smoothings], dtype=torch.float64)
    traces = torch.tensor([s.trace_penalty for s in smoothings], dtype=torch.float64)
    whole, scales = _fit(
        logits, labels, everyone.expand(-1, S), groups.expand(-1, S), len(edges) + 1, counts, traces
    )
    others = (fold_of[:, None] != torch.arange(folds)).repeat(1, S)  # a smoothing's folds beside each other
    part = others.double().mean(dim=0)
    held, held_scales = fit_matrices(
        logits,
        labels,
        others,
        whole.repeat_interleave(folds, dim=0),
        scales.repeat_interleave(folds),
        groups=groups.expand(-1, S * folds),
        counts=counts.repeat_interleave(folds) * part,
        trace_weights=traces.repeat_interleave(folds),
        iterations=30,
    )
    choices = []
    for k, smoothing in enumerate(smoothings):
        losses = torch.empty(len(every_label), dtype=torch.float64)
        of_others = []
        for fold in range(folds):
            at = k * folds + fold
            seen, left = others[:, at], every_fold == fold
            found = _mean_matrix(
                held[at], float(held_scales[at]), logits[seen], labels[seen], groups[seen, 0]
            )
            losses[left] = noisy_nll(every_logits[left] * found.scale, every_label[left], found.noise_matrix)
            of_others.append(found)
        found = _mean_matrix(whole[k], float(scales[k]), logits, labels, groups[:, 0])
        choices.append(MatrixChoice(found, of_others, losses, smoothing))
    return choices


def group_posteriors(logits: Tensor, labels: Tensor, seen: Tensor, smoothing: Smoothing) -> Tensor:
    """p(true class | x, noisy label) through the matrix of the sample's group, which has not seen some of the labels.

    Through the mean matrix a label would say more of a hard image than it does: who looks at one that the classifier
    takes for another class is likelier to err in the same way.

    Args:
        logits: Shape (N, B, K), double.
        labels: Shape (N,).
        seen: Shape (N, B), whether the matrices of a column have the sample.
        smoothing: Counts are of all N samples.

    Returns:
        Shape (N, B, K), double.

    >>> z = 2 * torch.eye(2, dtype=torch.float64).repeat(50, 1)[:, None]
    >>> seen = torch.ones(100, 1, dtype=torch.bool)
    >>> p = group_posteriors(z, torch.tensor([0, 1]).repeat(50), seen, Smoothing(10.0, 0.0))
    >>> bool((p[:2, 0].diagonal() > 0.9).all())
    True
    """
    B, K = logits.shape[1:]
    drawn = _drawn(len(labels))
    z, seen = logits[drawn], seen[drawn]
    confidence = logits.softmax(dim=2).amax(dim=2)
    least = int(seen.sum(dim=0).min())
    count = min(smoothing.groups, numbers_of_groups(least, K)[-1])
    edges = [_edges(confidence[drawn, b][seen[:, b]], count) for b in range(B)]
    groups = torch.stack([torch.bucketize(confidence[:, b].contiguous(), edges[b]) for b in range(B)], dim=1)
    counts = smoothing.counts * seen.double().mean(dim=0)
    traces = torch.full_like(counts, smoothing.trace_penalty)
    matrices, scales = _fit(z, labels[drawn], seen, groups[drawn], len(edges[0]) + 1, counts, traces)
    found = torch.empty_like(logits)
    for b in range(B):
        rows = matrices[b].softmax(dim=-2)[groups[:, b], labels].clamp_min(1e-12)
        found[:, b] = (rows.log() + (logits[:, b] * scales[b]).log_softmax(dim=1)).softmax(dim=1)
    return found


def losses_through(logits: Tensor, rows: Tensor, fold_of: Tensor, noise_matrix: Tensor) -> Tensor:
    """Of every label, shape (N,), double, through a matrix that is given; the scale is fitted to the other folds.

    Args:
        logits: Shape (N, K), double, by classifiers that have not seen the label.
        rows: Of the matrix, shape (N,): which row each label is.
        fold_of: Shape (N,), 0..F-1.
        noise_matrix: Shape (R, K).

    >>> z, y = torch.eye(2, dtype=torch.float64).repeat(50, 1), torch.tensor([0, 1]).repeat(50)
    >>> bool((losses_through(z, y, torch.arange(100) // 50, torch.eye(2).double()) < 0.1).all())
    True
    """
    losses = torch.empty(len(logits), dtype=torch.float64)
    for fold in range(int(fold_of.max()) + 1):
        held = fold_of == fold
        scale = fit_scale(logits[~held], rows[~held], noise_matrix)
        losses[held] = noisy_nll(logits[held] * scale, rows[held], noise_matrix)
    return losses


def says_many_wrong(noise_matrix: Tensor) -> bool:
    """Whether a quarter of the labels and more are wrong by Q, and its own label is every class's most frequent one.

    >>> says_many_wrong(torch.tensor([[0.6, 0.3], [0.4, 0.7]])), says_many_wrong(torch.tensor([[0.2, 0.3], [0.8, 0.7]]))
    (True, False)
    """
    own = noise_matrix.diagonal()
    return float(own.mean()) <= MANY_WRONG and bool((own == noise_matrix.amax(dim=0)).all())


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


def _drawn(samples: int) -> Tensor:
    """Which of so many samples matrices are fitted to; all, where these are few."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(0))[:_SAMPLES].sort().values


def _edges(confidence: Tensor, count: int) -> Tensor:
    """Between so many groups of equal size."""
    ranked = confidence.sort().values
    return ranked[torch.arange(1, count) * len(ranked) // count]


def _fit(
    logits: Tensor,
    labels: Tensor,
    seen: Tensor,
    groups: Tensor,
    num_groups: int,
    counts: Tensor,
    trace_weights: Tensor,
) -> tuple[Tensor, Tensor]:
    """From nothing: errors are even at first, as many as the classifier disagrees with."""
    K = logits.shape[-1]
    starts: list[Tensor] = []
    scales: list[float] = []
    for b in range(seen.shape[1]):
        if b and logits.ndim == 2:  # smoothings of the same samples
            starts.append(starts[0])
            scales.append(scales[0])
            continue
        z, y = (logits if logits.ndim == 2 else logits[:, b])[seen[:, b]], labels[seen[:, b]]
        agreed = float((z.argmax(dim=1) == y).double().mean())
        even = even_errors(min(max(agreed, 1.5 / K), 0.97), K)
        starts.append(log_columns(even).repeat(num_groups, 1, 1))
        scales.append(fit_scale(z, y, even))
    matrices, found = torch.stack(starts), torch.tensor(scales, dtype=torch.float64)
    for _ in range(2):  # again, with made-up samples that are as often right as it has found
        matrices, found = fit_matrices(
            logits,
            labels,
            seen,
            matrices,
            found,
            groups=groups,
            counts=counts,
            trace_weights=trace_weights,
        )
    return matrices, found


def _mean_matrix(log_matrix: Tensor, scale: float, logits: Tensor, labels: Tensor, groups: Tensor) -> Found:
    """One Q for all groups, every column weighted by where that class's samples are, and the scale that suits it."""
    p = (logits * scale).softmax(dim=1)
    G, K = log_matrix.shape[0], p.shape[1]
    share = torch.zeros(G, K, dtype=p.dtype).index_add_(0, groups, p).clamp_min_(1e-12)
    matrices = log_matrix.softmax(dim=-2)
    Q = (matrices * share[:, None]).sum(dim=0) / share.sum(dim=0)
    return Found(Q, fit_scale(logits, labels, Q) if G > 1 else scale, matrices[-1])

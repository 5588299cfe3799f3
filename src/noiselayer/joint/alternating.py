r"""The noise matrix from noisy labels alone, by a classifier and a matrix that never fit the same samples.

Fitted together (:mod:`noiselayer.joint.from_features`), a linear classifier and Q share their mistakes: where
labels say little, because most are wrong or few are there, the classifier stays unsure and Q, which makes up for it,
comes out far too clean. Here they take turns on different samples: W is fitted with Q fixed, on all parts but one; then

.. math:: \min_{Q,\; s > 0}\; -\frac{1}{N} \sum_n \log \sum_i
          Q_{\tilde y_n i}\; \mathrm{softmax}_i\big(s\,(W f_n + b)\big)

over the samples that their W has not seen. The scale s takes back what the ridge on W has taken, so Q need not.

Where the best answer would have classes change names, a few made-up samples of every class are added, more of them
until it keeps the names: what the labels do not say of a column is then taken from the mean of all.

A class that no sample is taken for has been swallowed by another one, whose column is then a mixture of the two. Such a
pair is split again, as in Ueda et al. (2000), "SMEM algorithm for mixture models", and the split stays if the loss is
lower with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.joint.from_features import RIDGES
from noiselayer.joint.linear_fit import (
    LinearFit,
    evenly_spaced,
    linear_logits,
    num_components,
    principal_features,
)
from noiselayer.joint.matrix_fit import fit_matrix, log_columns
from noiselayer.losses.log_space import noisy_nll

_EMPTY = 0.5  # times 1 / K: a class with a smaller share of the samples may have been swallowed
_OWN = 0.8  # of the two classes' labels, in the columns that a split begins with
_LARGE = 1e6  # a round trip that gains can be gone again and again

PSEUDO_COUNTS = (30.0, 100.0, 300.0)
"""Made-up samples of every class, whose labels are as often right as the mean class's and else wrong evenly."""

STIFF_RIDGES = (1000.0, 300.0, 100.0)
"""Where matrices are compared: else a nearly even one is praised for holding a classifier of few samples back."""

View = tuple[Tensor, Tensor]
"""Features, shape (N, D), from a network that was not trained on these samples, and their noisy labels, shape (N,)."""


@dataclass(frozen=True)
class Alternation:
    """What taking turns has found."""

    noise_matrix: Tensor
    start: Tensor  # that led there
    ridge: float  # times N
    scale: float  # by how much the classifiers were too unsure
    loss: float  # of samples that the classifiers have not seen; Q and the scale have


def alternate(
    views: Sequence[View],
    num_classes: int,
    *,
    starts: Sequence[Tensor],
    ridges: Sequence[float] = RIDGES,
    parts: int = 4,
    rounds: int = 4,
    max_samples: int = 20_000,
    iterations: int = 60,
    counts: float = 0.0,
) -> Alternation:
    """Fit classifiers with Q fixed and Q with the classifiers fixed, in turns and on different samples.

    ``views`` are features and noisy labels, one pair per network; all share one Q. Each is cut into ``parts``, and
    each part meets a classifier fitted to the others. Of all ``starts`` (K, K) with all ``ridges`` (N times the
    weight of ||W||^2 / 2) the half with the lower loss goes on after every round. ``counts`` made-up samples of every
    class pull the columns towards their mean; more of them join if classes would change names
    (:func:`renamed_classes`).
    """
    if not views:
        raise ValueError("views must hold features and labels of at least one network; got none.")
    cut: list[_Part] = []
    for features, labels in views:
        if len(features) < parts:
            raise ValueError(
                f"a view must have at least as many samples as parts, {parts}; got {len(features)}."
            )
        f, _, y = _prepared(features, features[:0], labels, num_classes, max_samples)
        part = torch.arange(len(f)) % parts
        for p in range(parts):
            others = LinearFit(f[part != p], y[part != p], num_classes, iterations=iterations)
            cut.append(_Part(others, f[part == p], y[part == p]))
    running = [_Turns(cut, start, ridge, counts) for start, ridge in product(starts, ridges)]
    for _ in range(rounds):
        for turns in running:
            turns.take()
        # The better half goes on: in the end one.
        running = sorted(running, key=lambda turns: turns.loss)[: math.ceil(len(running) / 2)]
    best = running[0]
    for counts in (more for more in PSEUDO_COUNTS if more > counts):
        if not renamed_classes(best.noise_matrix):
            break
        best = _Turns(cut, best.start, best.ridge, counts)
        for _ in range(rounds):
            best.take()
    best = _without_swallowed(best, rounds)
    return Alternation(best.noise_matrix, best.start, best.ridge, best.scale, best.loss)


def renamed_classes(noise_matrix: Tensor) -> list[int]:
    """Classes that would go by other names if the trace were to be as large as it can be.

    Noisy labels cannot tell a matrix from one whose columns have changed places. (The longest walks between classes,
    by Floyd and Warshall: a round trip that gains is a renaming that gains.)
    """
    Q = noise_matrix.detach().cpu().double()
    gain = (Q - Q.diagonal()).T.contiguous()  # [i, j]: class i is called j instead of i
    for k in range(len(Q)):
        gain = torch.maximum(gain, (gain[:, k, None] + gain[None, k]).clamp_max(_LARGE))
    return [int(i) for i in (gain.diagonal() > 1e-6).nonzero().flatten()]


def _without_swallowed(turns: _Turns, rounds: int) -> _Turns:
    """The answer after every class that has next to no samples was split from the one it is likeliest hidden in."""
    tried: set[int] = set()
    while True:
        shares, Q = turns.shares, turns.noise_matrix
        empty = [i for i in shares.argsort().tolist() if shares[i] < _EMPTY / len(Q) and i not in tried]
        if not empty:
            return turns
        tried.add(empty[0])
        other = _Turns(turns.cut, _split(Q, shares, empty[0]), turns.ridge, turns.counts)
        for _ in range(rounds):
            other.take()
        if other.loss < turns.loss and not renamed_classes(other.noise_matrix):
            turns = other


def _split(noise_matrix: Tensor, shares: Tensor, empty: int) -> Tensor:
    """The matrix with two columns in the place of the one that most labels of the class ``empty`` come from.

    >>> Q = torch.tensor([[0.8, 0.0, 0.3], [0.1, 0.5, 0.3], [0.1, 0.5, 0.4]])
    >>> _split(Q, torch.tensor([0.4, 0.6, 0.0]), 2)  # labels of the third class come from the second
    tensor([[0.8000, 0.0000, 0.0000],
            [0.1000, 0.8000, 0.2000],
            [0.1000, 0.2000, 0.8000]])
    """
    given = noise_matrix[empty] * shares
    given[empty] = -1
    host = int(given.argmax())
    column = noise_matrix[:, host]
    both = float(column[host] + column[empty])
    Q = noise_matrix.clone()
    Q[:, empty] = column
    for own, other in ((host, empty), (empty, host)):
        Q[own, own], Q[other, own] = _OWN * both, (1 - _OWN) * both
    return Q


class _Part(NamedTuple):
    """A part of a view: the fit to all other parts, the part's own features, and its labels."""

    others: LinearFit
    features: Tensor
    labels: Tensor


class _Turns:
    """One answer on its way: a classifier for every part, one Q and one scale."""

    def __init__(self, cut: Sequence[_Part], start: Tensor, ridge: float, counts: float = 0.0) -> None:
        self.cut, self.start, self.ridge, self.counts = cut, start, ridge, counts
        self.A, self.scale, self.loss = log_columns(start), 1.0, math.inf
        self.weights: list[Tensor | None] = [None] * len(cut)
        self.shares = torch.full((len(start),), 1 / len(start))
        self.labels = torch.cat([part.labels for part in cut])

    @property
    def noise_matrix(self) -> Tensor:
        return self.A.softmax(dim=0).float()

    def take(self) -> None:
        """Fit the classifiers with Q fixed, then Q and the scale with the classifiers fixed."""
        outputs = []
        for k, (others, features, _) in enumerate(self.cut):
            W = others.classifier(self.A, ridge=self.ridge / len(others.f), start=self.weights[k])
            outputs.append(linear_logits(features, W))
            self.weights[k] = W
        logits = torch.cat(outputs)
        fit = fit_matrix(
            logits, self.labels, self.A, counts=self.counts, iterations=self.cut[0].others.iterations
        )
        self.A, self.scale, self.loss = fit.log_matrix, fit.scale, fit.loss
        self.shares = (logits * self.scale).softmax(dim=1).mean(dim=0).float()


def fixed_matrix_losses(
    noise_matrix: Tensor,
    views: Sequence[View],
    held_out: Sequence[Tensor],
    labels: Tensor,
    *,
    ridges: Sequence[float] = (*STIFF_RIDGES, *RIDGES),
    max_samples: int = 10_000,
    iterations: int = 60,
) -> Tensor:
    """How well Q explains labels held out, shape (M,): their losses, the mean of the views.

    Per view a linear classifier is fitted with Q fixed; the ridge (N times the weight of ||W||^2 / 2) with the lowest
    mean loss counts.
    """
    A, y = log_columns(noise_matrix), labels.cpu().long()
    of_views: list[list[Tensor]] = []
    for (features, given), held in zip(views, held_out, strict=True):
        f, h, own = _prepared(features, held, given, len(A), max_samples)
        fit = LinearFit(f, own, len(A), iterations=iterations)
        Q = A.softmax(dim=0)
        of_views.append(
            [noisy_nll(linear_logits(h, fit.classifier(A, ridge=r / len(f))), y, Q) for r in ridges]
        )
    by_ridge = [torch.stack(losses).mean(dim=0) for losses in zip(*of_views, strict=True)]
    return min(by_ridge, key=lambda losses: float(losses.mean()))


def _prepared(
    features: Tensor, held: Tensor, labels: Tensor, num_classes: int, max_samples: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of some of the samples, the same of those held out, and the labels of the former."""
    kept = evenly_spaced(len(features), max_samples)
    f, h = principal_features(
        features.detach()[kept].cpu().double(), held.detach().cpu().double(), num_components(num_classes)
    )
    return f, h, labels[kept].cpu().long()

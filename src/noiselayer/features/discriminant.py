r"""Linear discriminant analysis on noisy labels: a classifier that few wrong labels can bend.

Classes are normal with one covariance S between them, shrunk towards the mean variance,

.. math:: z_i(x) = \mu_i^\top S^{-1} x - \tfrac12\, \mu_i^\top S^{-1} \mu_i + \log \pi_i .

Where the errors depend on the class alone, the means of the noisy classes are mixtures of the true ones and span the
same directions, so that wrong labels change the classifier less than they change a regression, which has to be held
back by a strong ridge. All that it needs are sums over samples: those of every fold are made once, and a classifier
that has not seen some folds costs one linear system.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor

from noiselayer.features.cross_fitted import Folds
from noiselayer.features.projection import gram
from noiselayer.joint.matrix_fit import fit_scale
from noiselayer.losses.log_space import noisy_nll

SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""What part of the mean variance is added to S."""
_LEAST = 1e-5  # of all samples' mean square
_ROWS = 8192

Sums: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Of samples: squares, shape (r, r); those of every class, (K, r); its weight, (K,)."""


def linear_rule(covariance: Tensor, means: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """W, shape (K, r), and biases, (K,), of the equation above, for means of shape (K, r) and shares of the classes.

    >>> linear_rule(torch.eye(1), torch.tensor([[-1.0], [1.0]]), torch.tensor([0.5, 0.5]))[0].flatten()
    tensor([-1.,  1.])
    """
    W = torch.cholesky_solve(means.T, torch.linalg.cholesky(covariance)).T
    return W, shares.log() - (W * means).sum(dim=1) / 2


class Discriminant:
    """Discriminants of the noisy labels of all folds but some, and of what is trained on beside them.

    >>> Z = torch.tensor([[-1.0], [1.0]]).repeat(30, 1) + torch.randn(60, 1, generator=torch.Generator().manual_seed(0))
    >>> data = Folds(Z, torch.tensor([0, 1]).repeat(30), [20, 20, 20], 2, torch.ones(1), torch.float32)
    >>> z = Discriminant(data).logits()
    >>> z.shape, bool(((z[:, 0, 1] > z[:, 0, 0]) == (data.labels == 1)).double().mean() > 0.7)
    (torch.Size([60, 3, 2]), True)
    """

    def __init__(self, data: Folds) -> None:
        self.data = data
        self.parts = torch.split(data.components, data.sizes)
        targets = torch.split(data.of_labels(), data.sizes)
        self.sums = [_sums(Z, T) for Z, T in zip(self.parts, targets, strict=True)]
        self.beside = [_sums(Z, T) for Z, T, *_ in data.beside]

    @cached_property
    def shrinkage(self) -> float:
        """By which labels held out are likeliest, whatever factor the logits lack."""
        labels, identity = self.data.labels, torch.eye(self.data.num_classes, dtype=torch.float64)

        def loss(shrinkage: float) -> float:
            logits = self.held_out(shrinkage)
            return float(noisy_nll(logits * fit_scale(logits, labels, identity), labels, identity).mean())

        return min(SHRINKAGES, key=loss)

    @cached_property
    def of_labels(self) -> Tensor:
        """:meth:`logits` of the noisy labels."""
        return self.logits()

    def logits(self, posteriors: Tensor | None = None) -> Tensor:
        """For every fold left out, logits of all samples by classifiers that have not seen their own fold either.

        Args:
            posteriors: Of the true class, shape (N, F, K), that have not seen a fold each: in the place of the labels.

        Returns:
            Shape (N, F, K), double. Of two folds nothing would be left: the other's classifier stands in.
        """
        F = len(self.data)
        found = torch.empty(len(self.data.labels), F, self.data.num_classes, dtype=torch.float64)
        for held in range(F):
            sums = self.sums if posteriors is None else self._sums_of(posteriors[:, held])
            for fold, rows in enumerate(torch.split(found, self.data.sizes)):
                rows[:, held] = self._of_fold(fold, {fold} if F == 2 else {fold, held}, self.shrinkage, sums)
        return found

    def _sums_of(self, posteriors: Tensor) -> list[Sums]:
        """Of every fold with other targets, whose rows have the same sum as those of the labels."""
        each = zip(self.sums, self.parts, torch.split(posteriors, self.data.sizes), strict=True)
        return [(squares, *_sums_of_classes(Z, T.to(self.data.dtype))) for (squares, _, _), Z, T in each]

    def held_out(self, shrinkage: float) -> Tensor:
        """Logits of every sample by the classifier without its fold, shape (N, K), double."""
        folds = range(len(self.data))
        return torch.cat([self._of_fold(fold, {fold}, shrinkage, self.sums) for fold in folds])

    def _of_fold(self, fold: int, left_out: set[int], shrinkage: float, sums: list[Sums]) -> Tensor:
        """Logits of a fold by the discriminant of all but some."""
        seen = [sums[k] for k in range(len(sums)) if k not in left_out] + self.beside
        squares, totals, counts = (torch.stack(each).sum(dim=0) for each in zip(*seen, strict=True))
        share = counts / counts.sum()
        means = totals / counts.clamp_min(1e-12)[:, None]
        total = squares / counts.sum()
        S = total - (means * share[:, None]).T @ means
        least = _LEAST * total.diagonal().mean()  # where samples of a class are alike, S is rounding
        S.diagonal().add_((shrinkage * S.diagonal().mean()).clamp_min(least).clamp_min(1e-12))
        W, b = linear_rule(S, means, share.clamp_min(1e-12))
        Z = self.parts[fold].to(self.data.dtype)
        logits: Tensor = (Z @ W.T.to(Z.dtype)).double() + b
        return logits


def _sums(Z: Tensor, T: Tensor) -> Sums:
    """Of samples weighted by their targets."""
    squares = torch.zeros(Z.shape[1], Z.shape[1], dtype=torch.float64)
    for z, t in zip(torch.split(Z, _ROWS), torch.split(T, _ROWS), strict=True):
        z = z.to(t.dtype)
        squares += gram(z * t.sum(dim=1, keepdim=True).sqrt()).double()
    return squares, *_sums_of_classes(Z, T)


def _sums_of_classes(Z: Tensor, T: Tensor) -> tuple[Tensor, Tensor]:
    sums = torch.zeros(T.shape[1], Z.shape[1], dtype=torch.float64)
    for z, t in zip(torch.split(Z, _ROWS), torch.split(T, _ROWS), strict=True):
        sums += (t.T @ z.to(t.dtype)).double()
    return sums, T.sum(dim=0, dtype=torch.float64)

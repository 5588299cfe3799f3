r"""Linear discriminant analysis on noisy labels: a classifier that few wrong labels can bend.

Classes are normal with one covariance S between them, shrunk towards the mean variance,

.. math:: z_i(x) = \mu_i^\top S^{-1} x - \tfrac12\, \mu_i^\top S^{-1} \mu_i + \log \pi_i .

Where the errors depend on the class alone, the means of the noisy classes are mixtures of the true ones and span the
same directions, so that wrong labels change the classifier less than they change a regression, which has to be held
back by a strong ridge. All that it needs are sums over samples: those of every fold are made once, and a classifier
that has not seen some folds costs one linear system.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.features.cross_fitted import Folds

SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Parts of the mean variance that are added to S."""
_ROWS = 8192


def linear_rule(covariance: Tensor, means: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """W, shape (K, r), and biases, (K,), of the equation above, for means of shape (K, r) and shares of the classes.

    >>> linear_rule(torch.eye(1), torch.tensor([[-1.0], [1.0]]), torch.tensor([0.5, 0.5]))[0].flatten()
    tensor([-1.,  1.])
    """
    W = torch.linalg.solve(covariance, means.T).T
    return W, shares.log() - (W * means).sum(dim=1) / 2


class Discriminant:
    """Discriminants of the noisy labels of all folds but some, and of what is trained on beside them.

    >>> Z = torch.tensor([[-1.0], [1.0]]).repeat(30, 1) + torch.randn(60, 1, generator=torch.Generator().manual_seed(0))
    >>> data = Folds(Z, torch.tensor([0, 1]).repeat(30), [20, 20, 20], 2, torch.ones(1), torch.float32)
    >>> z = Discriminant(data).logits(0.1)
    >>> z.shape, bool(((z[:, 0, 1] > z[:, 0, 0]) == (data.labels == 1)).double().mean() > 0.7)
    (torch.Size([60, 3, 2]), True)
    """

    def __init__(self, data: Folds) -> None:
        self.data = data
        self.parts = torch.split(data.components, data.sizes)
        targets = torch.split(data.of_labels(), data.sizes)
        self.sums = [_sums(Z, T) for Z, T in zip(self.parts, targets, strict=True)]
        self.beside = [_sums(Z, T) for Z, T, *_ in data.beside]

    def logits(self, shrinkage: float) -> Tensor:
        """For every fold left out, logits of all samples by classifiers that have not seen their own fold either.

        Args:
            shrinkage: What part of the mean variance is added to S.

        Returns:
            Shape (N, F, K), double. Of two folds nothing would be left: the other's classifier stands in.
        """
        F = len(self.data)
        found = torch.empty(len(self.data.labels), F, self.data.num_classes, dtype=torch.float64)
        for fold, rows in enumerate(torch.split(found, self.data.sizes)):
            for held in range(F):
                rows[:, held] = self._of_fold(fold, {fold} if F == 2 else {fold, held}, shrinkage)
        return found

    def held_out(self, shrinkage: float) -> Tensor:
        """Logits of every sample by the classifier without its fold, shape (N, K), double."""
        return torch.cat([self._of_fold(fold, {fold}, shrinkage) for fold in range(len(self.data))])

    def _of_fold(self, fold: int, left_out: set[int], shrinkage: float) -> Tensor:
        """Logits of a fold by the discriminant of all but some."""
        seen = [self.sums[k] for k in range(len(self.sums)) if k not in left_out] + self.beside
        squares, sums, counts = (torch.stack(each).sum(dim=0) for each in zip(*seen, strict=True))
        share = counts / counts.sum()
        means = sums / counts.clamp_min(1e-12)[:, None]
        S = squares / counts.sum() - (means * share[:, None]).T @ means
        S.diagonal().add_(shrinkage * S.diagonal().mean().clamp_min(1e-12))
        W, b = linear_rule(S, means, share.clamp_min(1e-12))
        Z = self.parts[fold].to(self.data.dtype)
        logits: Tensor = (Z @ W.T.to(Z.dtype)).double() + b
        return logits


def _sums(Z: Tensor, T: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of samples weighted by their targets: squares, shape (r, r); those of every class, (K, r); its weight, (K,)."""
    squares = torch.zeros(Z.shape[1], Z.shape[1], dtype=torch.float64)
    sums = torch.zeros(T.shape[1], Z.shape[1], dtype=torch.float64)
    for z, t in zip(torch.split(Z, _ROWS), torch.split(T, _ROWS), strict=True):
        z = z.to(t.dtype)
        squares += ((z * t.sum(dim=1, keepdim=True)).T @ z).double()
        sums += (t.T @ z).double()
    return squares, sums, T.sum(dim=0, dtype=torch.float64)

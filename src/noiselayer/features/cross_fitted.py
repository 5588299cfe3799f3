"""Classifiers for all folds but one, along a path of ridges, and their logits for the fold left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from noiselayer.features.matrix_choice import standard_error
from noiselayer.features.soft_targets import Part, fit_soft_targets
from noiselayer.joint.linear_fit import linear_logits

RIDGES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)
"""Weights of ||W||^2 / 2 beside the mean loss, of standardised features."""
_RISES = 2  # in a row, and the path ends; so it does after one that is beyond chance
_BEYOND_CHANCE = 2.0  # paired standard errors

MANY = 20_000  # samples, above which three folds say as much as five and their mean as much as a fit to all
_TOLERANCE = 2e-4  # nats, over the root of N: the standard error of what is compared is a thousand times that
_TARGETS = 2**26  # numbers, of the classifiers that are fitted at once
_ONE_PART = 2**17  # of these numbers

Loss = Callable[[Tensor], Tensor]
"""Logits, shape (N, K), to the loss of every sample, shape (N,)."""


@dataclass
class Step:
    """One ridge of a path.

    Attributes:
        ridge: Weight of ||W||^2 / 2.
        losses: Shape (N,), of the labels held out.
        logits: Shape (N, K), double, of every sample by the classifier of the other folds.
        weights: Of these classifiers, shape (F, K, r + 1).
    """

    ridge: float
    losses: Tensor
    logits: Tensor
    weights: Tensor

    @property
    def loss(self) -> float:
        """Mean loss of the labels held out."""
        return float(self.losses.mean())


@dataclass
class Folds:
    """The noisy samples, fold after fold, and what every classifier is trained on beside them.

    Attributes:
        components: Shape (N, r).
        labels: Noisy, shape (N,), 0..K-1.
        sizes: Of the F folds.
        num_classes: K.
        variances: Of the components, shape (r,).
        dtype: Of the targets and of the arithmetic.
        beside: Trusted and outside samples with their targets.
        iterations: Of L-BFGS.
    """

    components: Tensor
    labels: Tensor
    sizes: list[int]
    num_classes: int
    variances: Tensor
    dtype: torch.dtype
    beside: list[Part] = field(default_factory=list)
    iterations: int = 60

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def fold_of(self) -> Tensor:
        """Of every sample, shape (N,)."""
        return torch.arange(len(self)).repeat_interleave(torch.tensor(self.sizes))

    def of_labels(self) -> Tensor:
        """Targets of plain regression: the labels as they are, shape (N, K)."""
        return torch.nn.functional.one_hot(self.labels, self.num_classes).to(self.dtype)

    def fit(
        self,
        targets: Tensor,
        ridge: float,
        start: Tensor | None,
        left_out: Sequence[tuple[int, ...]],
        *,
        noisy_weight: float | None = None,
        iterations: int | None = None,
    ) -> Tensor:
        """W of classifiers that have not seen some folds, shape (B, K, r + 1).

        Args:
            targets: Shape (N, K), or (N, B, K), a column for every classifier.
            ridge: Weight of ||W||^2 / 2.
            start: W to begin with.
            left_out: For every classifier, the folds.
            noisy_weight: If given, ``targets`` are rows of noise matrices, Q[label, i], and the likelihood is climbed.
            iterations: Of L-BFGS, at most, in the place of those of all fits.
        """
        fold_of, found = self.fold_of, []
        at_once = max(1, _TARGETS // (len(fold_of) * self.num_classes))
        beside = sum(len(part[0]) for part in self.beside)
        for some in torch.split(torch.arange(len(left_out)), at_once):
            seen = torch.stack(
                [~torch.isin(fold_of, torch.tensor(left_out[b])) for b in some.tolist()], dim=1
            )
            T = targets[:, some] if targets.ndim == 3 else targets[:, None]
            T, weights = T.permute(1, 2, 0).contiguous(), seen.T.to(self.dtype)
            columns = [T * weights[:, None]]
            if noisy_weight is not None:
                columns = [T.expand(len(weights), -1, -1), noisy_weight * weights]
            # A part for every fold: classifiers that have not seen it cost nothing there. Of few samples they cost
            # less than the parts.
            sizes = self.sizes if seen.numel() * self.num_classes > _ONE_PART else [len(fold_of)]
            by_fold = zip(
                torch.split(self.components, sizes),
                *(torch.split(column, sizes, dim=-1) for column in columns),
                strict=True,
            )
            found.append(
                fit_soft_targets(
                    [*by_fold, *self.beside],
                    self.variances,
                    ridge,
                    counts=seen.sum(dim=0) + beside,
                    start=None if start is None else start[some],
                    iterations=iterations or self.iterations,
                    tolerance=_TOLERANCE / len(fold_of) ** 0.5,
                )
            )
        return torch.cat(found)

    def logits(self, W: Tensor, fold: int) -> Tensor:
        """Of a fold, by one classifier, double."""
        Z = torch.split(self.components, self.sizes)[fold]
        return linear_logits(Z.to(W.dtype), W).double()

    def held_out(self, weights: Tensor) -> Tensor:
        """Logits of every sample by the classifier without its fold, shape (N, K), double."""
        return torch.cat([self.logits(W, k) for k, W in enumerate(weights)])

    def path(self, targets: Tensor, loss: Loss, ridges: Sequence[float]) -> list[Step]:
        """From a strong ridge to weak ones, each from the last one's weights, until labels held out say stop.

        Args:
            targets: Shape (N, K), or (N, F, K), of the classifier without each fold.
            loss: What is compared.
            ridges: Falling.
        """
        steps: list[Step] = []
        weights: Tensor | None = None
        for ridge in ridges:
            weights = self.fit(targets, ridge, weights, [(k,) for k in range(len(self))])
            logits = self.held_out(weights)
            steps.append(Step(ridge, loss(logits), logits, weights))
            best = min(range(len(steps)), key=lambda k: steps[k].loss)
            rise = steps[-1].losses - steps[best].losses
            certain = float(rise.mean()) > _BEYOND_CHANCE * standard_error(rise)
            if len(steps) - 1 - best >= _RISES or certain:
                break
        return steps


def best_step(steps: Sequence[Step]) -> Step:
    """The one with the lowest loss on labels held out."""
    return min(steps, key=lambda step: step.loss)

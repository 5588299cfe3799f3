"""Classifiers for all folds but one, along a path of ridges, and their logits for the fold left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from noiselayer.features.soft_targets import Part, fit_soft_targets
from noiselayer.joint.linear_fit import linear_logits

RIDGES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)
"""Weights of ||W||^2 / 2 beside the mean loss, of standardised features."""
_RISES = 2  # in a row, and the path ends

Loss = Callable[[list[Tensor]], Tensor]
"""Logits of all folds to the loss of every sample, shape (N,)."""


@dataclass
class Step:
    """One ridge of a path.

    Attributes:
        ridge: Weight of ||W||^2 / 2.
        losses: Shape (N,), of the labels held out.
        logits: Of every fold, by the classifier of the others.
        weights: Of these classifiers.
    """

    ridge: float
    losses: Tensor
    logits: list[Tensor]
    weights: list[Tensor]

    @property
    def loss(self) -> float:
        """Mean loss of the labels held out."""
        return float(self.losses.mean())


@dataclass
class Folds:
    """The noisy samples in folds, and what every classifier is trained on beside them.

    Attributes:
        components: Of every fold, shape (M, r).
        labels: Noisy, shape (M,), 0..K-1.
        num_classes: K.
        variances: Of the components, shape (r,).
        dtype: Of the targets and of the arithmetic.
        beside: Trusted and outside samples with their targets.
        iterations: Of L-BFGS.
    """

    components: list[Tensor]
    labels: list[Tensor]
    num_classes: int
    variances: Tensor
    dtype: torch.dtype
    beside: list[Part] = field(default_factory=list)
    iterations: int = 60

    def __len__(self) -> int:
        return len(self.labels)

    def of_labels(self) -> list[Tensor]:
        """Targets of plain regression: the labels as they are."""
        return [torch.nn.functional.one_hot(y, self.num_classes).to(self.dtype) for y in self.labels]

    def fit(
        self,
        targets: Sequence[Tensor | None],
        ridge: float,
        start: Tensor | None = None,
        *,
        without: set[int],
    ) -> Tensor:
        """W of the classifier that has not seen some folds."""
        parts = [
            (Z, T)
            for k, (Z, T) in enumerate(zip(self.components, targets, strict=True))
            if k not in without and T is not None
        ]
        return fit_soft_targets(
            parts + self.beside, self.variances, ridge, start=start, iterations=self.iterations
        )

    def logits(self, W: Tensor, fold: int) -> Tensor:
        """Of a fold, double."""
        return linear_logits(self.components[fold].to(W.dtype), W).double()

    def path(
        self, targets: Sequence[Sequence[Tensor | None]], loss: Loss, ridges: Sequence[float]
    ) -> list[Step]:
        """From a strong ridge to weak ones, each from the last one's weights, until labels held out say stop.

        Args:
            targets: For every fold left out, the targets of all folds.
            loss: What is compared.
            ridges: Falling.
        """
        steps: list[Step] = []
        weights: list[Tensor | None] = [None] * len(self)
        for ridge in ridges:
            fitted = [self.fit(targets[k], ridge, weights[k], without={k}) for k in range(len(self))]
            logits = [self.logits(W, k) for k, W in enumerate(fitted)]
            steps.append(Step(ridge, loss(logits), logits, fitted))
            weights = list(fitted)
            best = min(range(len(steps)), key=lambda k: steps[k].loss)
            if len(steps) - 1 - best >= _RISES:
                break
        return steps


def best_step(steps: Sequence[Step]) -> Step:
    """The one with the lowest loss on labels held out."""
    return min(steps, key=lambda step: step.loss)

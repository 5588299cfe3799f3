"""The fitted head: weights of raw features, the noise matrix, and how both were chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.features.projection import as_rows, blocks

Taken: TypeAlias = Literal["noise matrix", "plain", "top-down"]


@dataclass(frozen=True)
class FeatureHead:
    """A linear classifier of the true class, and how it came about.

    Attributes:
        weight: Shape (K, D), of raw features.
        bias: Shape (K,).
        noise_matrix: Shape (K, K), columns = true classes, which the classifier was fitted through: the identity where
            the plain classifier was taken.
        taken: "noise matrix", "plain", or "top-down".
        ridge: Weight of ||W||^2 / 2 of standardised features, beside the mean loss.
        gain: By how much the noise matrix explains noisy labels held out better than the plain classifier, in nats;
            negative where it does not. 0 where there was nothing to compare.
        gain_error: Its paired standard error.
        path: (ridge, mean held-out loss) of the plain path, the first of ridges to be tried first.
        out_of_fold: Log-probabilities of the true class, shape (N, K), double, of every noisy sample by a classifier
            that has not seen its label.
        found_matrix: The noise matrix that was given, measured or learned, whether or not it was taken.
        estimate: Of the method "estimated".
    """

    weight: Tensor
    bias: Tensor
    noise_matrix: Tensor
    taken: Taken
    ridge: float
    gain: float
    gain_error: float
    path: tuple[tuple[float, float], ...]
    out_of_fold: Tensor
    found_matrix: Tensor
    estimate: NoiseEstimate | None = None

    def logits(self, features: Any) -> Tensor:
        """Logits of the true class, shape (N, K), double; rows are read in passes."""
        features = as_rows(features, "features", self.weight.shape[1])
        return torch.cat(
            [torch.addmm(self.bias, f, self.weight.T) for _, f in blocks(features, torch.float64)]
        )

    def summary(self) -> str:
        """Which classifier was taken, and why, in a sentence."""
        if self.taken == "top-down" or self.gain_error == 0:
            return f"{self.taken.capitalize()} regression, ridge {self.ridge:g}."
        verdict = "is taken" if self.taken == "noise matrix" else "is not taken: the plain classifier is"
        return (
            f"Through the noise matrix the loss of labels held out is {self.gain:.4f} nats lower "
            f"(standard error {self.gain_error:.4f}), so it {verdict}; ridge {self.ridge:g}."
        )

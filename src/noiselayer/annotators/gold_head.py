"""A linear classifier that checked labels have chosen, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noiselayer.annotators.estimates import AnnotatorEstimate
from noiselayer.arrays.tensors import as_tensor
from noiselayer.features.projection import as_rows, blocks


@dataclass(frozen=True, eq=False)
class Candidate:
    """One of the classifiers, by checked labels that it has not seen.

    Attributes:
        name: "gold", "plain", "matrices" or "taught".
        accuracy: The share of these that it predicts.
        loss: Their mean negative log-likelihood, in nats.
        gain: By how much that is lower than the loss of "gold".
        gain_error: Its paired standard error.
        weight: Shape (K, D), of raw features.
        bias: Shape (K,).
    """

    name: str
    accuracy: float
    loss: float
    gain: float
    gain_error: float
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class GoldHead:
    """A linear classifier of the true class, and how it was chosen.

    Attributes:
        weight: Shape (K, D), of raw features.
        bias: Shape (K,).
        taken: The name of the candidate that was taken.
        candidates: All of them; empty where no label was checked.
        posterior: Shape (N, K), what the taken classifier was fitted to: the probabilities of the true classes.
        out_of_fold: Log-probabilities of the true class by x alone, shape (N, K), from classifiers that were not
            fitted to the sample.
        annotators: The matrix of every labeller, with errors; None where no label was used.
    """

    weight: Tensor
    bias: Tensor
    taken: str
    candidates: tuple[Candidate, ...]
    posterior: Tensor
    out_of_fold: Tensor
    annotators: AnnotatorEstimate | None

    @property
    def matrix(self) -> Tensor:
        """Shape (K, K), p(label j | true class i) of the labellers on average, double; where none was measured, 1."""
        if self.annotators is None:
            return torch.eye(len(self.bias), dtype=torch.float64)
        of_all = as_tensor(self.annotators.num_labels).double()
        Q = as_tensor(self.annotators.noise_matrices).double()
        return (Q * of_all[:, None, None]).sum(dim=0) / of_all.sum()

    @property
    def gain(self) -> float:
        """By how much the loss of checked labels held out is lower than with these alone, in nats; NaN if unjudged."""
        return next((c.gain for c in self.candidates if c.name == self.taken), float("nan"))

    @property
    def gain_error(self) -> float:
        """Its paired standard error."""
        return next((c.gain_error for c in self.candidates if c.name == self.taken), float("nan"))

    def logits(self, features: Any) -> Tensor:
        """Logits of the true class, shape (N, K), double; rows are read in passes."""
        features = as_rows(features, "features", self.weight.shape[1])
        return torch.cat(
            [torch.addmm(self.bias, f, self.weight.T) for _, f in blocks(features, torch.float64)]
        )

    def summary(self) -> str:
        """Which classifier was taken, and why, a line for each."""
        if not self.candidates:
            return "No label was checked: the classifier of the combined labels is taken, unjudged."
        lines = []
        for c in self.candidates:
            taken = " (taken)" if c.name == self.taken else ""
            name = "checked labels alone" if c.name == "gold" else c.name  # as a method has that name, too
            line = f"{name}{taken}: {100 * c.accuracy:.1f} % of checked labels held out, loss {c.loss:.3f}"
            if c.name != "gold":
                side = "below" if c.gain > 0 else "above"
                line += f", {abs(c.gain):.3f} {side} that of the checked ones alone (standard error {c.gain_error:.3f})"
            lines.append(line + ".")
        return "\n".join(lines)

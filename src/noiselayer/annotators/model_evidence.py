"""What a model says of the true classes, made comparable with what the annotators say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.estimation.sharpness import sharpness_step

_FLOOR = 1e-12
_SHARPNESS = (0.02, 20.0)
_SHIFT = 6.0


@dataclass(frozen=True, eq=False)
class Evidence:
    r"""A model's probabilities, sharpened (tau) and shifted (b): :math:`w_i(x) \propto e^{b_i} p_i(x)^\tau`."""

    log_probs: Tensor
    sharpness: float
    shift: Tensor

    @classmethod
    def of(cls, probs: Tensor) -> Evidence:
        """Probabilities as they are.

        >>> Evidence.of(torch.tensor([[0.25, 0.75]])).log_prior().exp()
        tensor([[0.2500, 0.7500]], dtype=torch.float64)
        """
        p = probs.double().cpu()
        return cls(p.clamp_min(_FLOOR).log(), 1.0, torch.zeros(p.shape[1], dtype=torch.float64))

    def log_prior(self) -> Tensor:
        """The logarithm of w, shape (N, K)."""
        return (self.sharpness * self.log_probs + self.shift).log_softmax(dim=1)

    def fitted(self, posterior: Tensor) -> Evidence:
        """Newton steps for sharpness, iterative scaling for shift: the M-step of a logistic regression with offsets."""
        tau, b, z = self.sharpness, self.shift, self.log_probs
        wanted = posterior.mean(dim=0)
        for _ in range(2):
            w = (tau * z + b).softmax(dim=1)
            tau = sharpness_step(tau, z, w, posterior, bounds=_SHARPNESS)
            w = (tau * z + b).softmax(dim=1)
            b = b + (wanted.clamp_min(_FLOOR) / w.mean(dim=0).clamp_min(_FLOOR)).log()
            b = (b - b.mean()).clamp(-_SHIFT, _SHIFT)
        return Evidence(z, tau, b)

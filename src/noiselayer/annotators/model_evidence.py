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
    r"""A model's probabilities, sharpened and shifted: :math:`w_i(x) \propto e^{b_i} p_i(x)^\tau`.

    Attributes:
        log_probs: Shape (N, K), the logarithms of what the model says.
        sharpness: tau, one divided by the temperature.
        shift: b, shape (K,): classes that the model names too seldom or too often.
    """

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

    def fitted(self, posterior: Tensor, *, steps: int = 2) -> Evidence:
        """Sharpness and shift nearer to those under which ``posterior``, shape (N, K), is most likely.

        One Newton step for the sharpness and one of iterative scaling for the shift, so many times: the
        M-step of a logistic regression with the logarithms as offsets.
        """
        tau, b, z = self.sharpness, self.shift, self.log_probs
        wanted = posterior.mean(dim=0)
        for _ in range(steps):
            w = (tau * z + b).softmax(dim=1)
            tau = sharpness_step(tau, z, w, posterior, bounds=_SHARPNESS)
            w = (tau * z + b).softmax(dim=1)
            b = b + (wanted.clamp_min(_FLOOR) / w.mean(dim=0).clamp_min(_FLOOR)).log()
            b = (b - b.mean()).clamp(-_SHIFT, _SHIFT)
        return Evidence(z, tau, b)

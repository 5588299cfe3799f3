"""How much surer, or less sure, a model should be: the exponent of its probabilities, found with the noise."""

from __future__ import annotations

from torch import Tensor


def sharpness_step(
    sharpness: float,
    log_probs: Tensor,
    prior: Tensor,
    posterior: Tensor,
    *,
    weights: Tensor | float = 1.0,
    bounds: tuple[float, float],
) -> float:
    r"""One Newton step for tau in :math:`w_i(x) \propto p_i(x)^\tau`, the inverse of a temperature.

    Its part of the expected log-likelihood of the labels is concave, so that the step needs no search:

    .. math:: \tau \leftarrow \tau + \frac{\sum_{n,i} (\pi_{ni} - w_{ni})\, \log p_{ni}}
              {\sum_n \mathrm{Var}_{w_n}(\log p_n)}

    ``log_probs`` (N, K) is log p but for a constant of the row, ``prior`` w with this tau, ``posterior`` pi. A step
    at most doubles or halves tau.

    >>> import torch
    >>> z = torch.tensor([[0.9, 0.1], [0.9, 0.1]]).log()
    >>> truth = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # right one time in two: much too sure
    >>> sharpness_step(1.0, z, z.exp(), truth, bounds=(0.05, 20.0))
    0.5
    """
    mean = (prior * log_probs).sum(dim=1, keepdim=True)
    slope = float((weights * (posterior - prior) * log_probs).sum())
    curvature = float((weights * prior * (log_probs - mean).square()).sum())
    step = sharpness + slope / max(curvature, 1e-9)
    return min(max(step, sharpness / 2, bounds[0]), sharpness * 2, bounds[1])

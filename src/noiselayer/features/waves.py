r"""A table's columns, and waves of them, in which a linear classifier bends: features that have not seen a label.

Each wave is a cosine or a sine of a random projection of the standardised columns. Of normal projections the inner
products are those of a Gaussian kernel, but for chance (Rahimi & Recht 2007, "Random features for large-scale kernel
machines"):

.. math:: \frac1M \sum_m \cos\!\big(w_m^\top (x - x')\big) \approx \exp(-\gamma \|x - x'\|^2),
          \qquad w_m \sim N(0, 2 \gamma I),

with one over the median squared distance of two samples for :math:`\gamma`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.joint.linear_fit import evenly_spaced

_WAVES = 128  # M
_PAIRED = 500  # samples, of which all pairs are looked at


def with_waves(columns: Tensor, seed: int = 0) -> Tensor:
    """The columns, standardised, and 128 cosines and sines of them.

    Args:
        columns: Shape (N, D), of any unit.
        seed: Of the projections.

    Returns:
        Shape (N, D + 256), float; a constant column is 0.

    >>> with_waves(torch.tensor([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))[:, :2]
    tensor([[-1.2247,  0.0000],
            [ 0.0000,  0.0000],
            [ 1.2247,  0.0000]])
    """
    x = columns.double()
    mean, spread = x.mean(dim=0), x.std(dim=0, correction=0)
    varies = spread > 1e-9 * mean.abs()  # else it is rounding, whatever the column's unit is
    z = torch.where(varies, (x - mean) / torch.where(varies, spread, 1), 0)
    distances = torch.pdist(z[evenly_spaced(len(z), _PAIRED)]).square()
    gamma = 1 / float(distances.median().clamp_min(1e-12)) if len(distances) else 1.0
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(z.shape[1], _WAVES, generator=generator, dtype=torch.float64) * (2 * gamma) ** 0.5
    return torch.cat([z, (z @ W).cos(), (z @ W).sin()], dim=1).float()

"""Mean and spread of the training inputs, for the model's first layer."""

from __future__ import annotations

import numpy as np
import torch

from noiselayer.data.inputs import Inputs
from noiselayer.data.pieces import samples_at_a_time


def input_statistics(inputs: Inputs) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel (images) or per feature (vectors), in the inputs' own units.

    At most 10,000 samples are read, evenly spaced, so that a set larger than memory costs one short pass.
    Encoded tables are standardised already: zeros and ones.

    >>> import numpy as np
    >>> from noiselayer.data import ArrayInputs
    >>> input_statistics(ArrayInputs(np.array([[1.0, 2.0], [3.0, 2.0]])))
    ([2.0, 2.0], [1.0, 0.0])
    """
    if inputs.kind == "table":
        return [0.0] * inputs.shape[0], [1.0] * inputs.shape[0]
    N = len(inputs)
    chosen = np.unique(np.linspace(0, N - 1, min(N, 10_000)).astype(np.int64))
    count, total, squares = 0, torch.zeros(1), torch.zeros(1)
    size = samples_at_a_time(inputs.shape, 1024)
    for start in range(0, len(chosen), size):
        x = inputs.__getitems__(chosen[start : start + size]).double()
        x = x.movedim(1, -1).reshape(-1, x.shape[1])
        count += len(x)
        total = total + x.sum(dim=0)
        squares = squares + x.square().sum(dim=0)
    mean = total / count
    std = (squares / count - mean**2).clamp_min(0).sqrt()
    return mean.tolist(), std.tolist()

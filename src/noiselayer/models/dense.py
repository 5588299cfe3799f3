"""Networks for tables and vectors; inputs of any shape are flattened."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from noiselayer.models.input_shapes import check_input_shape, check_num_classes


def mlp(
    num_classes: int, input_shape: Sequence[int], *, hidden: Sequence[int] = (128, 128), dropout: float = 0.0
) -> nn.Sequential:
    """A multilayer perceptron: linear, ReLU and dropout for each of ``hidden``, then linear.

    Args:
        num_classes: K, the outputs.
        input_shape: Sizes of one input, (features,) or any other.
        hidden: Sizes of the hidden layers; none makes it :func:`linear`.
        dropout: The probability that a hidden unit is left out in training.

    Raises:
        ValueError: If a size is not positive or ``dropout`` is not in [0, 1).

    >>> mlp(3, (4,), hidden=(8,), dropout=0.5)
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=8, bias=True)
      (2): ReLU()
      (3): Dropout(p=0.5, inplace=False)
      (4): Linear(in_features=8, out_features=3, bias=True)
    )
    """
    check_num_classes(num_classes)
    sizes = [prod(check_input_shape(input_shape)), *hidden]
    if min(sizes) < 1:
        raise ValueError(f"hidden must hold positive layer sizes; got {tuple(hidden)}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1); got {dropout}.")
    layers: list[nn.Module] = [nn.Flatten()]
    for wide, narrow in pairwise(sizes):
        layer = nn.Linear(wide, narrow)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))


def linear(num_classes: int, input_shape: Sequence[int]) -> nn.Sequential:
    """Multinomial logistic regression.

    >>> linear(3, (2, 2))
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=3, bias=True)
    )
    """
    return mlp(num_classes, input_shape, hidden=())

"""The first layer of a model that takes raw inputs: whoever has the model has its normalisation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

Statistic = float | Sequence[float] | Tensor


class Standardize(nn.Module):
    """(inputs - mean) / std, from integers or floats of any layout to floats in the layout that is fast.

    ``mean`` and ``std`` are in the units of the inputs: 0..255 for images as bytes. Nothing is rescaled by
    guessing, so uint8 images and the same images as floats (0..255) give the same result.

    Args:
        mean: A number, one number per channel or feature (shape (C,)), or one per input value (shape
            ``inputs.shape[1:]``: the mean image).
        std: Likewise. An exact 0, a constant feature, counts as 1, as in scikit-learn's ``StandardScaler``.
        memory_format: The layout of the result when inputs have four dimensions. Channels last is what the
            convolutions of CPUs, and of GPUs in half precision, are fastest in.

    Raises:
        ValueError: If a value is not finite or a ``std`` is negative.

    >>> normalize = Standardize(mean=[100.0, 50.0, 0.0], std=50.0)
    >>> normalize(torch.full((1, 3, 1, 1), 150, dtype=torch.uint8)).flatten()
    tensor([1., 2., 3.])
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Statistic, std: Statistic, *, memory_format: torch.memory_format = torch.channels_last
    ) -> None:
        super().__init__()
        self.memory_format = memory_format
        self.register_buffer("mean", _statistic("mean", mean))
        spread = _statistic("std", std)
        if bool((spread < 0).any()):
            raise ValueError(f"std must not be negative; its smallest value is {float(spread.min()):g}.")
        self.register_buffer("std", torch.where(spread == 0, 1.0, spread))

    def forward(self, inputs: Tensor) -> Tensor:
        """Standardised inputs, same shape, in the dtype of ``mean`` (float32 unless the model was cast)."""
        wide = inputs.ndim == 4
        x = inputs.to(self.mean.dtype, memory_format=self.memory_format if wide else torch.preserve_format)
        return (x - _along_channels(self.mean, x)) * _along_channels(self.std.reciprocal(), x)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return ", ".join(f"{name}={_summary(getattr(self, name))}" for name in ("mean", "std"))


def with_normalization(model: nn.Module, mean: Statistic, std: Statistic) -> nn.Sequential:
    """``model`` behind a :class:`Standardize`, so that what is saved takes raw inputs.

    Args:
        model: Takes standardised inputs.
        mean: See :class:`Standardize`; in the units of the raw inputs.
        std: Likewise.

    Returns:
        A sequence of two, ``normalize`` and ``network``.

    >>> model = with_normalization(nn.Linear(2, 3), mean=[10.0, 20.0], std=[1.0, 2.0])
    >>> sorted(model.state_dict())
    ['network.bias', 'network.weight', 'normalize.mean', 'normalize.std']
    """
    return nn.Sequential(OrderedDict(normalize=Standardize(mean, std), network=model))


def _statistic(name: str, value: Statistic) -> Tensor:
    tensor = torch.as_tensor(value).detach().to(torch.get_default_dtype(), copy=True)
    if not bool(tensor.isfinite().all()):
        where = (
            "" if tensor.ndim == 0 else f" at index {tensor.isfinite().logical_not().nonzero()[0].tolist()}"
        )
        raise ValueError(f"{name} must be finite; it is not{where}. Does the training data hold NaN?")
    return tensor


def _along_channels(statistic: Tensor, inputs: Tensor) -> Tensor:
    """A vector runs along dimension 1; a number or a whole mean image broadcasts as it is."""
    if statistic.ndim == 1:
        return statistic.reshape(-1, *[1] * (inputs.ndim - 2))
    return statistic


def _summary(statistic: Tensor) -> str:
    return str(statistic.tolist()) if statistic.numel() <= 3 else f"<{'x'.join(map(str, statistic.shape))}>"

"""Standardised features in the basis in which a ridge shrinks every direction by itself, made in passes over N rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_dense
from noiselayer.arrays.tensors import as_tensor

_ROWS = 8192
_MOST = 1024  # components
_HALF_ABOVE = 2**28
"""Numbers: what is more is kept in half precision, whose error is far below the features' own noise."""
_EXTREME = 1e18
"""Of it single precision holds the square, too."""


@dataclass(frozen=True)
class Projection:
    """From features to their standardised principal components, and back for a classifier's weights.

    Attributes:
        mean: Shape (D,), double.
        directions: Shape (D, r), double: what (f - mean) is multiplied by; every feature's scale is in it.
        variances: Shape (r,), double, of the components.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor

    def apply(self, features: Any, dtype: torch.dtype = torch.float32, name: str = "features") -> Tensor:
        """Components, shape (N, r); N rows of shape (D,) are read in passes.

        Raises:
            ValueError: If one is not a finite number.
        """
        Z = self._filled(features, torch.arange(len(features)), dtype)
        bad = (~Z.isfinite().all(dim=1)).nonzero()
        if len(bad):
            raise ValueError(f"{name} must be finite numbers; row {int(bad[0])} has one that is not.")
        return Z

    def reordered(self, features: Any, order: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Components with row ``order[k]`` in place k, although the features are read from first to last."""
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order))
        return self._filled(features, place, dtype)

    def weights_of_features(self, W: Tensor) -> tuple[Tensor, Tensor]:
        """Weights, shape (K, D), and biases, (K,), for raw features, of a classifier W of shape (K, r + 1)."""
        weight = W[:, :-1].double() @ self.directions.T
        return weight, W[:, -1].double() - weight @ self.mean

    def _filled(self, features: Any, place: Tensor, dtype: torch.dtype) -> Tensor:
        size = len(features) * self.directions.shape[1]
        kept = torch.float16 if size > _HALF_ABOVE and dtype == torch.float32 else dtype
        Z = torch.empty(len(features), self.directions.shape[1], dtype=kept)
        scales = self.directions.abs().sum(dim=1)
        if bool(((scales > 0) & ((scales < 1 / _EXTREME) | (scales > _EXTREME))).any()):
            dtype = torch.float64  # units that single precision does not reach
        directions = self.directions.to(dtype)
        for rows, f in blocks(features, dtype, self.mean):
            Z[place[rows]] = (f @ directions).to(kept)
        return Z


def project_features(
    features: Any,
    *,
    max_components: int | None = None,
    standardize: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Projection:
    """Means, scales and principal directions of features.

    Args:
        features: Shape (N, D): an array, a tensor or a memory map, of any floating type or of bytes.
        max_components: So many, those of the largest variance; a fifth of N, but at least 64, of not standardised ones
            512, and at most 1,024, if None: a ridge that suits the rest leaves nothing of them.
        standardize: Whether every feature is brought to variance 1; if not, all are multiplied by one number, which
            brings their mean variance to 1.
        dtype: Of the arithmetic; what is summed up over rows is double.

    Raises:
        ValueError: If features are not of shape (N, D), or one is not a number.

    >>> f = torch.tensor([[0.0, 5.0, 1.0], [2.0, 5.0, 2.0]])  # the second is constant
    >>> projection = project_features(f)
    >>> projection.apply(f).abs()
    tensor([[1.4142],
            [1.4142]])
    """
    features = as_rows(features, "features")
    N, D = features.shape
    first = next(iter(blocks(features, torch.float64)))[1].nan_to_num(0, 0, 0)
    shift = first.mean(dim=0)
    spread = (first - shift).abs().amax(dim=0)
    unit = torch.where(spread > 0, spread, 1).log2().round().exp2()  # powers of two: they round nothing
    wide = N < D
    total = torch.zeros(D, dtype=torch.float64)
    squares = torch.zeros(D if wide else (D, D), dtype=torch.float64)
    # Shifted, so that no variance is the difference of two large numbers, in units whose squares do not overflow.
    for rows, f in blocks(features, dtype, shift, unit):
        block_total = f.sum(dim=0).double()
        if not block_total.isfinite().all():
            bad = rows.start + int((~f.isfinite().all(dim=1)).nonzero()[0])
            raise ValueError(f"features must be finite numbers; row {bad} has one that is not.")
        total += block_total
        squares += f.square().sum(dim=0).double() if wide else gram(f).double()
    offset = total / N
    variance = (squares if wide else squares.diagonal()) / N - offset.square()
    mean = shift + offset * unit
    std = variance.clamp_min(0).sqrt() * unit
    # A constant, but for rounding; whatever the units are.
    used = std > (1e-12 if _is_double(features[:1]) else 1e-6) * mean.abs()
    if not standardize:
        std = std.square().mean().sqrt().expand(D)
    inverse = torch.where(used, 1 / std.clamp_min(1e-300), 0.0)
    if wide:
        f = torch.cat([(block * inverse).to(dtype) for _, block in blocks(features, torch.float64, mean)])
        variances, found = _eigh(gram(f.T) / N, dtype)
    else:
        covariance, scale = squares / N - torch.outer(offset, offset), inverse * unit
        variances, found = _eigh(scale[:, None] * covariance * scale, dtype)
    most = max_components or min(max(64 if standardize else 512, N // 5), _MOST)
    least = 1e-6 if dtype == torch.float64 else 1e-5  # of the largest; what is less is rounding
    kept = (variances > least * variances[-1].clamp_min(1e-12)).nonzero().flatten()[-most:].flip(0)
    variances, directions = variances[kept], found[:, kept]
    if wide:
        directions = (f.T @ directions.to(dtype)).double() / (N * variances).sqrt()
    return Projection(mean, inverse[:, None] * directions, variances)


def gram(f: Tensor) -> Tensor:
    """f.T @ f, in half the time of that product: NumPy sees that it is symmetric.

    >>> gram(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2.],
            [2., 4.]])
    """
    a = f.numpy()
    return torch.from_numpy(a.T @ a)


def _eigh(symmetric: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Variances and directions, double, found in a third of the time where features are single precision."""
    variances, directions = torch.linalg.eigh(symmetric.to(dtype))
    return variances.double(), directions.double()


def as_rows(features: Any, name: str, width: int | None = None) -> Any:
    """Features whose rows can be read a few at a time: arrays and maps as they are, lists and tables as tensors.

    Raises:
        TypeError: If they are sparse, or not real numbers.
        ValueError: If they are not of shape (N, D), or D is not ``width``.

    >>> as_rows([[1.0, 2.0]], "features", 3)
    Traceback (most recent call last):
    ...
    ValueError: features must have shape (N, 3), a row per sample; got (1, 2).
    """
    check_dense(features, name)
    if isinstance(features, list | tuple | Tensor) or hasattr(features, "to_numpy"):
        features = as_tensor(features, name)
    shape = tuple(getattr(features, "shape", ()))
    if len(shape) != 2 or 0 in shape or shape[1] != (width or shape[1]):
        columns = width or "D"
        raise ValueError(f"{name} must have shape (N, {columns}), a row per sample; got {shape}.")
    as_tensor(features[:1], name)
    return features


def blocks(features: Any, dtype: torch.dtype, shift: Tensor | None = None, unit: Tensor | None = None) -> Any:
    """Slices of some thousand rows and these rows as tensors, one after the other, less a shift, divided by a unit.

    >>> [(rows.stop, block.dtype) for rows, block in blocks(torch.zeros(3, 2).half(), torch.float32)]
    [(3, torch.float32)]
    """
    for first in range(0, len(features), _ROWS):
        rows = slice(first, min(first + _ROWS, len(features)))
        block = as_tensor(features[rows], "features").cpu()
        if shift is not None:
            # What is double loses no digits of large numbers that differ little, as times do.
            block = block.to(torch.float64 if _is_double(block) else dtype)
            block = block - shift.to(block.dtype)
        if unit is not None:
            block = block.div_(unit.to(block.dtype))
        yield rows, block.to(dtype)


def _is_double(values: Any) -> bool:
    """Whether single precision does not hold all digits."""
    return as_tensor(values, "features").dtype in (torch.float64, torch.int64, torch.int32)

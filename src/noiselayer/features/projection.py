"""Standardised features in the basis in which a ridge shrinks every direction by itself, made in passes over N rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_ROWS = 8192
_MOST = 1024  # components
_HALF_ABOVE = 2**28
"""Numbers: what is more is kept in half precision, whose error is far below the features' own noise."""


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

    def apply(self, features: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Components, shape (N, r); N rows of shape (D,) are read in passes."""
        return self._filled(features, torch.arange(len(features)), dtype)

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
        mean, directions = self.mean.to(dtype), self.directions.to(dtype)
        for rows, f in blocks(features, dtype):
            Z[place[rows]] = ((f - mean) @ directions).to(kept)
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
    if getattr(features, "ndim", None) != 2 or not len(features):
        raise ValueError(
            f"features must have shape (N, D), a row per sample; got {tuple(getattr(features, 'shape', ()))}."
        )
    N, D = features.shape
    shift = next(iter(blocks(features, torch.float64)))[1].nan_to_num(0, 0, 0).mean(dim=0)
    wide = N < D
    total = torch.zeros(D, dtype=torch.float64)
    squares = torch.zeros(D if wide else (D, D), dtype=torch.float64)
    for rows, f in blocks(features, dtype):
        f = f - shift.to(dtype)  # so that no variance is the difference of two large numbers
        block_total = f.sum(dim=0).double()
        if not block_total.isfinite().all():
            bad = rows.start + int((~f.isfinite().all(dim=1)).nonzero()[0])
            raise ValueError(f"features must be finite numbers; row {bad} has one that is not.")
        total += block_total
        squares += f.square().sum(dim=0).double() if wide else gram(f).double()
    offset = total / N
    variance = (squares if wide else squares.diagonal()) / N - offset.square()
    mean = shift + offset
    std = variance.clamp_min(0).sqrt()
    used = std > 1e-6 * mean.abs() + 1e-12  # a constant, but for rounding; whatever the units are
    if not standardize:
        std = variance.clamp_min(0).mean().sqrt().expand(D)
    inverse = torch.where(used, 1 / std.clamp_min(1e-300), 0.0)
    if wide:
        f = torch.cat([((block.double() - mean) * inverse).to(dtype) for _, block in blocks(features, dtype)])
        variances, found = _eigh(f @ f.T / N, dtype)
    else:
        covariance = squares / N - torch.outer(offset, offset)
        variances, found = _eigh(inverse[:, None] * covariance * inverse, dtype)
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


def blocks(features: Any, dtype: torch.dtype) -> Any:
    """Slices of some thousand rows and these rows as tensors, one after the other.

    >>> [(rows.stop, block.dtype) for rows, block in blocks(np.zeros((3, 2), np.float16), torch.float32)]
    [(3, torch.float32)]
    """
    for first in range(0, len(features), _ROWS):
        rows = slice(first, min(first + _ROWS, len(features)))
        some = features[rows]
        block = some.detach().cpu() if isinstance(some, Tensor) else torch.from_numpy(np.array(some))
        yield rows, block.to(dtype)

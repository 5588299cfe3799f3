"""Euclidean projection onto the probability simplex, column by column (§3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["project"]


def project(matrix: Tensor) -> Tensor:
    r"""The nearest matrix, in Euclidean distance, whose columns are probabilities.

    Each column :math:`v` becomes :math:`\max(v - \tau, 0)` with the one :math:`\tau` that makes it sum to 1.
    The function :math:`f(\tau) = \sum_i \max(v_i - \tau, 0) - 1` is convex, decreasing and piecewise linear,
    so Newton's method from the left ends at its exact root after finitely many steps, with no sort (Michelot
    1986; Condat 2016). Clipping and dividing by the sum, the usual shortcut, is not a projection: under it
    weight decay does nothing at all. A column that is on the simplex already, to rounding, comes back bit by
    bit.

    Args:
        matrix: Shape (..., K, M), floating point, finite: M columns of K entries, batched at will.

    Returns:
        The same shape and dtype, every column nonnegative and summing to 1. No gradient flows through it.

    Raises:
        TypeError: If ``matrix`` is not a floating-point tensor.
        ValueError: If an entry is not finite, there are fewer than two dimensions or no rows.

    >>> project(torch.tensor([[0.9, 2.0], [0.5, -1.0]]))
    tensor([[0.7000, 1.0000],
            [0.3000, 0.0000]])
    """
    if not isinstance(matrix, Tensor) or not matrix.is_floating_point():
        kind = matrix.dtype if isinstance(matrix, Tensor) else type(matrix).__name__
        raise TypeError(
            f"matrix must be a floating-point tensor; got {kind}. Use torch.as_tensor(...).float()."
        )
    if matrix.ndim < 2 or matrix.shape[-2] == 0:
        raise ValueError(
            f"matrix must have shape (..., K, M) with K >= 1, columns to project; got {tuple(matrix.shape)}."
        )
    v = matrix.detach().to(torch.promote_types(matrix.dtype, torch.float32))
    # A mask of a million booleans costs more than five passes in floating point: the usual case has none.
    sums, largest = v.sum(-2, keepdim=True), v.amax(-2, keepdim=True)
    if not bool(torch.isfinite(sums).all()) and not bool(torch.isfinite(v).all()):  # a sum may overflow
        raise ValueError(
            "matrix must be finite to be projected on the simplex; it has NaN or infinite entries."
        )
    rounding = torch.finfo(matrix.dtype).eps + 8 * torch.finfo(v.dtype).eps
    there = (v.amin(-2, keepdim=True) >= 0) & ((sums - 1).abs() <= rounding)
    if bool(there.all()):
        return matrix.detach().clone()
    # A constant added to a column changes nothing: one of large numbers is brought near 0, where tau has all its
    # digits. Others stay as they are, for the sake of their small entries' digits.
    shift = torch.where(largest.abs() > 2, largest, 0)
    projected = _cut(v - shift, largest - shift).to(matrix.dtype)
    return torch.where(there, matrix.detach(), projected) if bool(there.any()) else projected


def _cut(v: Tensor, largest: Tensor) -> Tensor:
    """The projection of columns of moderate size, given the largest entry of each."""
    # The root lies above max - 1 (one entry alone then holds all) and above (sum - 1) / K (no entry is cut).
    tau = torch.maximum((v.sum(-2, keepdim=True) - 1) / v.shape[-2], largest - 1)
    above = torch.empty_like(v)
    for _ in range(v.shape[-2]):
        torch.sub(v, tau, out=above).clamp_min_(0)
        excess = above.sum(-2, keepdim=True) - 1
        kept = above.sign_().sum(-2, keepdim=True)
        step = (excess / kept.clamp_min_(1)).clamp_min_(0)
        tau += step
        if not bool((step > torch.finfo(v.dtype).eps).any()):
            break
    torch.sub(v, tau, out=above).clamp_min_(0)
    return above.div_(above.sum(-2, keepdim=True))  # takes away rounding only

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
    matrix = matrix.detach()
    columns = _columns_at_once(matrix)
    projected = torch.empty_like(matrix)
    dtype = torch.promote_types(matrix.dtype, torch.float32)
    shape = (*matrix.shape[:-1], columns)
    scratch = (matrix.new_empty(shape, dtype=dtype), matrix.new_empty(shape, dtype=dtype))
    for start in range(0, matrix.shape[-1], max(columns, 1)):
        block = matrix[..., start : start + columns]
        v, kept = (buffer.flatten()[: block.numel()].view(block.shape) for buffer in scratch)
        _project(block, v.copy_(block), kept, projected[..., start : start + columns])
    return projected


_ENTRIES_PER_THREAD = 2**17  # in float32, twice that fits into the second-level cache of a core
_GROUPS = 32


def _columns_at_once(matrix: Tensor) -> int:
    """As many as stay in the cache while they are passed over again and again; all of them where that is no matter."""
    columns = matrix.shape[-1]
    if matrix.device.type != "cpu" or columns == 0:
        return columns
    fitting = _ENTRIES_PER_THREAD * torch.get_num_threads() * columns // max(matrix.numel(), 1)
    return min(max(fitting // 64 * 64, 1), columns)  # rows of whole vectors


def _project(matrix: Tensor, v: Tensor, kept: Tensor, projected: Tensor) -> None:
    """Project a block of columns into ``projected``; v is a copy of it, and as much room as kept."""
    sums = v.sum(-2, keepdim=True)
    # A mask of a million booleans costs more than five passes in floating point: the usual case has none.
    if not bool(torch.isfinite(sums).all()) and not bool(torch.isfinite(v).all()):  # a sum may overflow
        raise ValueError(
            "matrix must be finite to be projected on the simplex; it has NaN or infinite entries."
        )
    rounding = torch.finfo(matrix.dtype).eps + 8 * torch.finfo(v.dtype).eps
    there = (sums - 1).abs() <= rounding
    some_there = bool(there.any())
    if some_there:
        there &= v.amin(-2, keepdim=True) >= 0
        if bool(there.all()):
            projected.copy_(matrix)
            return
    maxima = _maxima_of_groups(v)
    largest = maxima.amax(-2, keepdim=True)
    # A constant added to a column changes nothing: one of large numbers is brought near 0, where tau has all its
    # digits. Others stay as they are, for the sake of their small entries' digits.
    shift = torch.where(largest.abs() > 2, largest, 0)
    if bool(shift.any()):
        largest, maxima = largest - shift, maxima - shift
        v.sub_(shift).clamp_(min=largest - 1)  # less than that is cut in any case, and may be infinite by now
        sums = v.sum(-2, keepdim=True)
    # The root lies above max - 1 (one entry alone then holds all), above (sum - 1) / K (no entry is cut), and above
    # the root of some of the entries: of the largest ones, that is near.
    tau = torch.maximum(_root(maxima, largest - 1, torch.empty_like(maxima)), (sums - 1) / v.shape[-2])
    tau = _root(v, tau, kept)
    v.sub_(tau).clamp_min_(0)
    v.div_(v.sum(-2, keepdim=True))  # takes away rounding only
    projected.copy_(torch.where(there, matrix, v.to(matrix.dtype)) if some_there else v)


def _maxima_of_groups(v: Tensor) -> Tensor:
    """Different entries of every column, its largest ones among them, as many as shape (..., G, M)."""
    rows = v.shape[-2] // _GROUPS
    if rows < 4:
        return v.amax(-2, keepdim=True)
    maxima = v[..., : rows * _GROUPS, :].unflatten(-2, (rows, _GROUPS)).amax(-3)
    remaining = v[..., rows * _GROUPS :, :]
    if not remaining.shape[-2]:
        return maxima
    return torch.cat([maxima, remaining.amax(-2, keepdim=True)], dim=-2)


def _root(v: Tensor, tau: Tensor, kept: Tensor) -> Tensor:
    """From tau at or left of the root, Newton's steps to it; kept is room of v's shape."""
    for _ in range(v.shape[-2]):
        torch.gt(v, tau, out=kept)
        count = kept.sum(-2, keepdim=True).clamp_min_(1)
        # Where the entries that are kept, less tau, would sum to 1.
        last, tau = tau, torch.maximum((kept.mul_(v).sum(-2, keepdim=True) - 1) / count, tau)
        if not bool((tau - last > torch.finfo(v.dtype).eps).any()):
            break
    return tau

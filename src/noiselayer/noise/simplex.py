"""Euclidean projection onto the probability simplex, column by column (§3.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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
    v = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    # A mask of a million booleans costs more than five passes in floating point: the usual case has none.
    sums = v.sum(-2, keepdim=True)
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
            return matrix.clone()
    projected = _project(v, sums).to(matrix.dtype)
    return torch.where(there, matrix, projected) if some_there else projected


_GROUPS = 32  # whose largest entries give a first root; more would cost more than they spare


def _project(v: Tensor, sums: Tensor) -> Tensor:
    """The projection of finite columns, given their sums. Memory costs more here than arithmetic: no pass too many."""
    maxima = _maxima_of_groups(v)
    largest = maxima.amax(-2, keepdim=True)
    # The root lies above max - 1 (one entry alone then holds all), above (sum - 1) / K (no entry is cut), and above
    # the root of some of the entries: of large ones, that is near.
    bound = (sums - 1) / v.shape[-2]
    # A constant added to a column changes nothing: one of large numbers is brought near 0, where tau has all its
    # digits. Others stay as they are, for the sake of their small entries' digits.
    shift = torch.where(largest.abs() > 2, largest, 0)
    if bool(shift.any()):
        bound = torch.where(shift == 0, bound, -math.inf)
        largest, maxima = largest - shift, maxima - shift
        # Entries below that are cut in any case, and may be infinite by now.
        v = (v - shift).clamp_(min=largest - 1)
    projected = torch.empty_like(v)
    tau = largest - 1
    if maxima.shape[-2] > 1:
        tau = _root(maxima, tau, room=torch.empty_like(maxima))
    tau = _root(v, torch.maximum(tau, bound), room=projected)
    torch.sub(v, tau, out=projected).clamp_min_(0)
    return projected.div_(projected.sum(-2, keepdim=True))  # takes away rounding only


def _maxima_of_groups(v: Tensor) -> Tensor:
    """Some entries of every column, mostly large ones and its largest one among them, shape (..., G, M)."""
    rows = v.shape[-2] // _GROUPS
    if rows < 4:
        return v.amax(-2, keepdim=True)
    grouped = v[..., : rows * _GROUPS, :].reshape(*v.shape[:-2], rows, _GROUPS, v.shape[-1])
    maxima = grouped.amax(-3)
    remaining = v[..., rows * _GROUPS :, :]
    if not remaining.shape[-2]:
        return maxima
    return torch.cat([maxima, remaining.amax(-2, keepdim=True)], dim=-2)


def _root(v: Tensor, tau: Tensor, room: Tensor) -> Tensor:
    """From tau at or left of the root, Newton's steps to it. ``room`` has v's shape and is written to."""
    for _ in range(v.shape[-2]):
        kept = torch.gt(v, tau, out=room)
        count = kept.sum(-2, keepdim=True)
        # Where the entries that are kept, less tau, would sum to 1; tau itself where rounding left none.
        last, tau = tau, torch.maximum((kept.mul_(v).sum(-2, keepdim=True) - 1) / count, tau)
        if not bool((tau - last > torch.finfo(v.dtype).eps).any()):
            break
    return tau

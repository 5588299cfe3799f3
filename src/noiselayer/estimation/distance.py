"""How far an estimated noise matrix is from the true one."""

from __future__ import annotations

from typing import Any

from noiselayer.arrays.tensors import as_tensor

__all__ = ["relative_l1_error"]


def relative_l1_error(estimate: Any, truth: Any) -> float:
    r"""The distance of two noise matrices, :math:`\sum |\hat Q - Q| / \sum |Q|`.

    Columns sum to 1, so it is also the mean L1 distance of a column: 0 for the same matrix, 2 for columns
    that share no entry.

    Args:
        estimate: Shape (K, K), ``[j, i] = p(noisy = j | true = i)``.
        truth: Shape (K, K), the same orientation.

    Raises:
        ValueError: If the shapes differ.

    >>> import torch
    >>> relative_l1_error(torch.eye(2), torch.tensor([[0.75, 0.0], [0.25, 1.0]]))
    0.25
    """
    estimate, truth = as_tensor(estimate, "estimate"), as_tensor(truth, "truth")
    if estimate.shape != truth.shape or estimate.ndim != 2:
        raise ValueError(
            f"estimate and truth must both have shape (K, K); got {tuple(estimate.shape)} and "
            f"{tuple(truth.shape)}."
        )
    exact = truth.cpu().double()
    return float((estimate.cpu().double() - exact).abs().sum() / exact.abs().sum())

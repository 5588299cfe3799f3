"""Deliberate label noise (§4.1)."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.noise.matrices import check


@overload
def corrupt_labels(
    labels: Tensor, noise_matrix: Any, *, generator: torch.Generator | None = None
) -> Tensor: ...
@overload
def corrupt_labels(labels: Any, noise_matrix: Any, *, generator: torch.Generator | None = None) -> Any: ...
def corrupt_labels(labels: Any, noise_matrix: Any, *, generator: torch.Generator | None = None) -> Any:
    """Change each label i to j with probability ``noise_matrix[j, i]`` (§4.1).

    Args:
        labels: True labels, any shape, integers 0..K-1; a tensor or any array-like, by position.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        generator: Makes the draw reproducible.

    Returns:
        Noisy labels, same shape, dtype and device as ``labels`` if that is a tensor; else a NumPy array.

    Raises:
        ValueError: If ``noise_matrix`` is not a noise matrix or a label is out of range.
        TypeError: If ``labels`` are not integers.

    >>> from noiselayer.noise import pair_flip
    >>> corrupt_labels(torch.tensor([0, 1, 2]), pair_flip(3, 1.0))
    tensor([1, 2, 0])
    """
    Q = check(as_tensor(noise_matrix, "noise_matrix"))
    given, labels = labels, as_tensor(labels, "labels")
    if labels.is_floating_point() or labels.is_complex():
        raise TypeError(f"labels must be class indices (integers); got {labels.dtype}.")
    K = len(Q)
    flat = labels.reshape(-1).long()
    if flat.numel():
        low, high = (int(k) for k in flat.aminmax())
        if low < 0 or high >= K:
            raise ValueError(
                f"labels must lie in 0..{K - 1} for a {K} x {K} noise_matrix; got {low}..{high}."
            )
    # Inverse transform sampling: O(log K) per label and no (N, K) table, so millions of labels fit.
    dtype = torch.float32 if flat.device.type == "mps" else torch.float64  # MPS has no float64
    steps = Q.to(device=flat.device, dtype=dtype).cumsum(dim=0)
    # The division takes away rounding and leaves steps of width 0 where Q is 0: no draw falls on them.
    steps = (steps / steps[-1]).T.contiguous()
    device = generator.device if generator is not None else flat.device
    draws = torch.rand(len(flat), generator=generator, dtype=dtype, device=device).to(flat.device)
    noisy = torch.empty_like(flat)
    by_class = torch.split(flat.argsort(), flat.bincount(minlength=K).tolist())
    for i, of_class in enumerate(by_class):
        noisy[of_class] = torch.searchsorted(steps[i], draws[of_class], right=True)
    noisy = noisy.to(labels.dtype).reshape(labels.shape)
    if isinstance(given, np.ndarray) and given.dtype.kind in "iu":  # byte order and the like
        return noisy.numpy().astype(given.dtype)
    return in_kind(noisy, given)

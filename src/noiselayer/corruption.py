"""Deliberate label noise (§4.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.noise_matrix import check

__all__ = ["corrupt_labels"]


def corrupt_labels(
    labels: Tensor, noise_matrix: Tensor, *, generator: torch.Generator | None = None
) -> Tensor:
    """Change each label i to j with probability ``noise_matrix[j, i]`` (§4.1).

    Args:
        labels: True labels, any shape, integers 0..K-1.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        generator: Makes the draw reproducible.

    Returns:
        Noisy labels, same shape, dtype and device as ``labels``.

    Raises:
        ValueError: If ``noise_matrix`` is not a noise matrix or a label is out of range.
        TypeError: If ``labels`` are not integers.

    >>> from noiselayer.noise_matrix import pair_flip
    >>> corrupt_labels(torch.tensor([0, 1, 2]), pair_flip(3, 1.0))
    tensor([1, 2, 0])
    """
    check(noise_matrix)
    if labels.is_floating_point():
        raise TypeError(f"labels must be class indices (integers); got {labels.dtype}.")
    K = len(noise_matrix)
    flat = labels.reshape(-1).long()
    if flat.numel() and not (0 <= int(flat.min()) and int(flat.max()) < K):
        raise ValueError(
            f"labels must lie in 0..{K - 1} for a {K} x {K} noise_matrix; got {int(flat.min())}..{int(flat.max())}."
        )
    # Inverse transform sampling: O(log K) per label and no (N, K) table, so millions of labels fit.
    steps = noise_matrix.to(device=flat.device, dtype=torch.float64).cumsum(dim=0).T.contiguous()
    steps[:, -1] = 1.0
    device = generator.device if generator is not None else flat.device
    draws = torch.rand(len(flat), generator=generator, dtype=torch.float64, device=device).to(flat.device)
    noisy = torch.empty_like(flat)
    for i in range(K):
        of_class = flat == i
        noisy[of_class] = torch.searchsorted(steps[i], draws[of_class], right=True)
    return noisy.clamp_max_(K - 1).to(labels.dtype).reshape(labels.shape)

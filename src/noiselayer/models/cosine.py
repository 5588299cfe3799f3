"""Filters that a first layer can start with: the basis of the discrete cosine transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["cosine_filters"]


def cosine_filters(channels: int, size: int) -> Tensor:
    """All products of three cosine waves, over channels, rows and columns: an orthonormal basis of image patches.

    The principal components of natural image patches are close to it, so projections on it are nearly
    uncorrelated. Over three colours the waves are brightness, red against blue, and green against both.

    Args:
        channels: C, of the image.
        size: S, height and width of a patch in pixels.

    Returns:
        Shape (C * S * S, C, S, S), lowest frequencies first, and brightness before colour.

    >>> cosine_filters(1, 2)[:2, 0]
    tensor([[[ 0.5000,  0.5000],
             [ 0.5000,  0.5000]],
    <BLANKLINE>
            [[ 0.5000, -0.5000],
             [ 0.5000, -0.5000]]])
    """
    if channels < 1 or size < 1:
        raise ValueError(f"channels and size must be at least 1; got {channels} and {size}.")
    colour, space = _cosines(channels), _cosines(size)
    filters = torch.einsum("ka,iy,jx->kijayx", colour, space, space)
    k, i, j = torch.meshgrid(torch.arange(channels), torch.arange(size), torch.arange(size), indexing="ij")
    order = ((k + 1) * (1 + i**2 + j**2)).flatten().argsort(stable=True)
    return filters.reshape(-1, channels, size, size)[order]


def _cosines(size: int) -> Tensor:
    """The orthonormal DCT-II of ``size`` points, a wave per row."""
    frequency, place = torch.arange(size)[:, None], torch.arange(size)
    waves = torch.cos(math.pi * frequency * (place + 0.5) / size) * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)
    return waves

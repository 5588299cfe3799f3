"""A first layer that needs no training: the basis of the discrete cosine transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class CosineStem(nn.Module):
    """A fixed convolution, 4 x 4 with stride 2, with cosine waves and their negatives as filters.

    First layers of trained networks whiten image patches, and spend their first epochs on learning to; Page
    (2019, "How to train your ResNet 8: Bag of tricks") and Jordan (2024, arXiv:2404.00498) start from the
    principal components of the training set's patches instead and do not train them. The waves are nearly these
    components for any photographs, so no data are needed. Their negatives keep what a ReLU would cut off.
    ``out_channels`` of them are made: an even number up to ``filters``, and none beyond all 16 waves per channel.
    """

    weight: Tensor

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        waves = cosine_filters(channels, _SIZE)[: max(filters // 2, 1)]
        self.register_buffer("weight", torch.cat([waves, -waves]))
        self.out_channels = 2 * len(waves)

    def forward(self, images: Tensor) -> Tensor:
        """Images, shape (N, C, H, W), to features, shape (N, out_channels, H // 2, W // 2)."""
        return conv2d(images, self.weight, stride=2, padding=1)


_SIZE = 4


def cosine_filters(channels: int, size: int) -> Tensor:
    """All products of three cosine waves, over channels, rows and columns: an orthonormal basis of image patches.

    The principal components of natural image patches are close to it, so projections on it are nearly
    uncorrelated. Over three colours the waves are brightness, red against blue, and green against both.
    Shape (C * S * S, C, S, S), lowest frequencies first, and brightness before colour.
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

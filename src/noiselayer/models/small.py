"""A modern small network for small images, made for people without a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from noiselayer.models.input_shapes import check_image_shape, check_num_classes


class CosineStem(nn.Module):
    """A fixed convolution, 4 x 4 with stride 2, with cosine waves and their negatives as filters.

    First layers of trained networks whiten image patches, and spend their first epochs on learning to; Page (2019, "How
    to train your ResNet 8: Bag of tricks") and Jordan (2024, arXiv:2404.00498) start from the patches' principal
    components. The waves are nearly these for any photographs; their negatives keep what a ReLU would cut off.
    ``out_channels`` is even, at most ``filters``, and at most all 16 waves per channel.
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
    """All products of cosine waves over channels, rows and columns, (C * S * S, C, S, S), lowest frequencies first.

    They are nearly the principal components of natural image patches, so projections on them are nearly uncorrelated.
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


class SmallNet(nn.Sequential):
    """A strided stem, five 3 x 3 convolutions with batch norm and ReLU, a global maximum, one linear layer.

    The choices are for the CPU, where memory costs more than arithmetic. The stem (4 x 4, stride 2) leaves no
    layer at full size: at 32 x 32 pixels the sizes are 16, 8 and 4, with two convolutions at the first. Every
    filter count is a multiple of 16, as wide vector units want it. Where an image shrinks, pooling comes
    before batch norm and ReLU, which then have a quarter of the work. 58 million multiplications per 32 x 32
    image with the default widths, 17 million with ``widths=(32, 64, 128)``.

    The stem is not trained: it is :class:`~noiselayer.models.small.CosineStem`, which with the batch norm
    behind it whitens the patches of an image. In a short training that is worth two points of accuracy, and
    nothing where the same filters are trained on (experiments/README.md, "The small network").

    Args:
        num_classes: K, the outputs.
        input_shape: (channels, height, width), at least 8 x 8 pixels.
        widths: Filters at half, a quarter and an eighth of the image's size. The stem has as many as the first,
            if there are so many waves: 96 for three channels, 32 for one.
        mirrored: In evaluation the logits are the mean of those of an image and of its mirror image; for images that
            are as likely one way round as the other (``augmentation="flip-shift"``). Costs a second prediction.

    Raises:
        ValueError: If the images are too small or ``widths`` has not three sizes.

    >>> import torch
    >>> SmallNet(10, (3, 32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        input_shape: Sequence[int],
        *,
        widths: Sequence[int] = (64, 128, 192),
        mirrored: bool = False,
    ) -> None:
        check_num_classes(num_classes)
        channels, _, _ = check_image_shape("small", input_shape)
        if len(widths) != 3 or min(widths) < 1:
            raise ValueError(f"widths must be three positive numbers of filters; got {tuple(widths)}.")
        half, quarter, eighth = widths
        stem = CosineStem(channels, half)
        super().__init__(
            *_normed(stem),
            *_normed(_conv3(stem.out_channels, half)),
            *_normed(_conv3(half, quarter), nn.MaxPool2d(2)),
            *_normed(_conv3(quarter, quarter)),
            *_normed(_conv3(quarter, eighth), nn.MaxPool2d(2)),
            *_normed(_conv3(eighth, eighth)),
            _GlobalMax(),
            nn.Linear(eighth, num_classes),
        )
        for layer in self:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)  # logits start near zero
                nn.init.zeros_(layer.bias)
        self.mirrored = mirrored

    def forward(self, images: Tensor) -> Tensor:
        """Images, shape (N, C, H, W), to logits, shape (N, K)."""
        logits: Tensor = super().forward(images)  # type: ignore[no-untyped-call]
        if self.mirrored and not self.training:
            logits = (logits + super().forward(images.flip(3))) / 2  # type: ignore[no-untyped-call]
        return logits


def _conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)  # batch norm brings the bias


def _normed(convolution: nn.Conv2d | CosineStem, *pooling: nn.Module) -> list[nn.Module]:
    return [convolution, *pooling, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class _GlobalMax(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.amax(dim=(2, 3))

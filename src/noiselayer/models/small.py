"""A modern small network for small images, made for people without a GPU."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from noiselayer.models.cosine import CosineStem
from noiselayer.models.input_shapes import check_image_shape, check_num_classes


class SmallNet(nn.Sequential):
    """A strided stem, five 3 x 3 convolutions with batch norm and ReLU, a global maximum, one linear layer.

    The choices are for the CPU, where memory costs more than arithmetic. The stem (4 x 4, stride 2) leaves no
    layer at full size: at 32 x 32 pixels the sizes are 16, 8 and 4, with two convolutions at the first. Every
    filter count is a multiple of 16, as wide vector units want it. Where an image shrinks, pooling comes
    before batch norm and ReLU, which then have a quarter of the work. 58 million multiplications per 32 x 32
    image with the default widths, 17 million with ``widths=(32, 64, 128)``.

    The stem is not trained: it is :class:`~noiselayer.models.cosine.CosineStem`, which with the batch norm
    behind it whitens the patches of an image. In a short training that is worth two points of accuracy, and
    nothing where the same filters are trained on (experiments/README.md, "The small network").

    Args:
        num_classes: K, the outputs.
        input_shape: (channels, height, width), at least 8 x 8 pixels.
        widths: Filters at half, a quarter and an eighth of the image's size. The stem has as many as the first,
            if there are so many waves: 96 for three channels, 32 for one.

    Raises:
        ValueError: If the images are too small or ``widths`` has not three sizes.

    >>> import torch
    >>> SmallNet(10, (3, 32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, num_classes: int, input_shape: Sequence[int], *, widths: Sequence[int] = (64, 128, 192)
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


def _conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)  # batch norm brings the bias


def _normed(convolution: nn.Conv2d | CosineStem, *pooling: nn.Module) -> list[nn.Module]:
    return [convolution, *pooling, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class _GlobalMax(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.amax(dim=(2, 3))

"""Krizhevsky's ImageNet network (§4.3) for images of 32 x 32 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from noiselayer.models.input_shapes import check_image_shape, check_num_classes


class AlexNet32(nn.Sequential):
    """Five convolutions, overlapping pooling and three linear layers with dropout, for small images.

    The filters are those of ``torchvision:alexnet`` (64, 192, 384, 256, 256; no response normalisation), so
    that the two are one family. What the size asks for: conv1 is 5 x 5 with stride 1 instead of 11 x 11 with
    stride 4, pooling covers the border (sizes 32, 16, 8, 4 where the original has 55, 27, 13, 6), and the
    linear layers have 1024 units instead of 4096, in proportion to what they read (4096 values, not 9216).
    About 225 million multiplications per 32 x 32 image; ``width=0.5`` needs a quarter. Weights are He-normal,
    since the original's (normal, 0.01) hardly start without its image scale.

    Args:
        num_classes: K, the outputs.
        input_shape: (channels, height, width), at least 8 x 8 pixels.
        width: Multiplies all filters.
        hidden: Units of the two hidden linear layers.
        dropout: Before each of them.

    Raises:
        ValueError: If the images are too small or an option is out of range.

    >>> import torch
    >>> AlexNet32(200, (3, 32, 32), width=0.25)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 200])
    """

    def __init__(
        self,
        num_classes: int,
        input_shape: Sequence[int],
        *,
        width: float = 1.0,
        hidden: int = 1024,
        dropout: float = 0.5,
    ) -> None:
        check_num_classes(num_classes)
        channels, height, width_px = check_image_shape("alexnet32", input_shape)
        if not width > 0:
            raise ValueError(f"width must be positive: it multiplies the filters; got {width}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1); got {dropout}.")
        f1, f2, f3, f4, f5 = (max(1, round(width * filters)) for filters in (64, 192, 384, 256, 256))

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        def relu() -> nn.Module:
            return nn.ReLU(inplace=True)

        classifier = nn.Linear(hidden, num_classes)
        super().__init__(
            # Pooling before ReLU gives the same values with a quarter of the work.
            *(nn.Conv2d(channels, f1, 5, padding=2), pool(), relu()),
            *(nn.Conv2d(f1, f2, 5, padding=2), pool(), relu()),
            *(nn.Conv2d(f2, f3, 3, padding=1), relu()),
            *(nn.Conv2d(f3, f4, 3, padding=1), relu()),
            *(nn.Conv2d(f4, f5, 3, padding=1), pool(), relu()),
            *(nn.Flatten(), nn.Dropout(dropout)),
            *(nn.Linear(f5 * (height // 8) * (width_px // 8), hidden), relu(), nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), relu(), classifier),
        )
        layers = list(self)
        for layer, after in pairwise([*layers, nn.Identity()]):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                # A maximum over windows gives back the scale that ReLU takes, and more: no gain for it there.
                pooled = isinstance(after, nn.MaxPool2d)
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if pooled else "relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.zeros_(classifier.weight)  # dropout's scale would make small random logits large

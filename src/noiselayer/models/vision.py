"""torchvision's classifiers by name; torchvision is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from noiselayer.errors import InputError
from noiselayer.models.input_shapes import check_image_shape, check_num_classes


def torchvision_names() -> list[str]:
    """The classifiers that the installed torchvision knows."""
    from torchvision import models

    return [str(name) for name in models.list_models(module=models)]  # without detection, video and the like


def torchvision_classifier(
    name: str, num_classes: int, input_shape: Sequence[int], **options: Any
) -> nn.Module:
    """One of :func:`torchvision_names` with random weights, for these classes and images."""
    from torchvision import models

    check_num_classes(num_classes)
    channels, height, width = check_image_shape(f"torchvision:{name}", input_shape, min_size=1)
    if channels != 3:
        raise InputError(
            f"torchvision's models take 3 channels; input_shape is {tuple(input_shape)}. Repeat the channel "
            "three times (images.expand(-1, 3, -1, -1)), or use 'small'."
        )
    arguments: dict[str, Any] = {"weights": None, "num_classes": num_classes}
    if name in ("googlenet", "inception_v3"):
        # Their training output would be a tuple; without init_weights they warn.
        arguments |= {"aux_logits": False, "init_weights": True}
    if name.startswith("vit_"):
        arguments["image_size"] = height
    if name == "maxvit_t":
        arguments["input_size"] = (height, width)
    arguments |= options
    _try_shapes(name, arguments, (2, channels, height, width))
    model: nn.Module = models.get_model(name, **arguments)
    return model


def _try_shapes(name: str, arguments: dict[str, Any], batch_shape: tuple[int, ...]) -> None:
    """Run the network without weights or numbers, to learn now whether it can take these images."""
    from torchvision import models

    with torch.device("meta"):
        try:
            sketch = models.get_model(name, **{**arguments, "weights": None}).eval()
            sketch(torch.empty(batch_shape))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise InputError(
                f"torchvision's {name!r} cannot take images of shape {batch_shape[1:]}: {error} "
                "Enlarge the images, or use 'small'."
            ) from error

"""Models by name, torchvision's classifiers among them; torchvision is imported when one of those is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from noiselayer.errors import InputError, nearest
from noiselayer.models.alexnet32 import AlexNet32
from noiselayer.models.dense import linear, mlp
from noiselayer.models.input_shapes import check_image_shape, check_num_classes
from noiselayer.models.normalization import Statistic, with_normalization
from noiselayer.models.paper import PaperNet
from noiselayer.models.small import SmallNet


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


MODELS: dict[str, Callable[..., nn.Module]] = {
    "paper": PaperNet,
    "paper-wide": partial(PaperNet, widths=(64, 128, 128)),
    "small": SmallNet,
    "mlp": mlp,
    "linear": linear,
    "head": linear,  # fitted in another way, to frozen features
    "alexnet32": AlexNet32,
}
"""Name -> function of (num_classes, input_shape, **options). Add your own and every way in knows it."""


def build_model(
    name: str,
    *,
    num_classes: int,
    input_shape: Sequence[int],
    mean: Statistic | None = None,
    std: Statistic | None = None,
    **options: Any,
) -> nn.Module:
    """A classifier by name: inputs of ``input_shape`` in, logits of shape (N, num_classes) out.

    ============  ========================================================================================
    paper         the paper's convolutional network, :class:`PaperNet`
    paper-wide    the same with 64, 128 and 128 filters (§4.2)
    small         a modern small network with batch norm, :class:`SmallNet`
    mlp           for tables and vectors, :func:`mlp`
    linear        multinomial logistic regression
    head          the same; training fits it to frozen features at once, without epochs, its penalty chosen by folds
    alexnet32     Krizhevsky's network for small images, :class:`AlexNet32`
    resnet18 ...  any classifier of torchvision, untrained; ``torchvision:resnet18`` says so outright
    ============  ========================================================================================

    Args:
        name: One of these, or of :data:`MODELS`.
        num_classes: K, at least 2.
        input_shape: One input's sizes, (channels, height, width) or (features,).
        mean: With ``std``, the statistics of the training inputs in their own units. The model then takes raw
            inputs, bytes included; see :class:`Standardize`. Without, it takes standardised floats.
        std: Likewise.
        **options: The model's own, such as ``hidden=(256, 256)`` for the mlp.

    Raises:
        InputError: A ValueError, if the name or an option is unknown (with the nearest one), the shape does
            not suit the model, or only one of ``mean`` and ``std`` is given.

    >>> import torch
    >>> model = build_model("paper", num_classes=10, input_shape=(3, 32, 32), mean=120.7, std=64.2)
    >>> model(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([2, 10])
    >>> count_parameters(model)
    89578
    """
    if (mean is None) != (std is None):
        raise InputError(f"mean and std come together; {'std' if std is None else 'mean'} is missing.")
    if name in MODELS:
        _check_options(name, MODELS[name], options)
        network = MODELS[name](num_classes, input_shape, **options)
    else:
        network = torchvision_classifier(_torchvision_name(name), num_classes, input_shape, **options)
    if mean is None or std is None:
        return network
    model = with_normalization(network, mean, std)
    for statistic in ("mean", "std"):
        _check_statistic(statistic, model.get_buffer(f"normalize.{statistic}").shape, tuple(input_shape))
    return model


def count_parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """How many numbers the model learns; with ``trainable_only``, without the frozen ones.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def _torchvision_name(name: str) -> str:
    bare = name.removeprefix("torchvision:")
    known = torchvision_names()
    if bare in known:
        return bare
    candidates = known if bare != name else [*MODELS, *known]
    raise InputError(
        f"there is no model {name!r}.{nearest(bare, candidates)} Known are {', '.join(MODELS)} and "
        f"torchvision's {len(known)} classifiers by name."
    )


def _check_statistic(name: str, shape: tuple[int, ...], input_shape: tuple[int, ...]) -> None:
    if shape not in ((), input_shape[:1], input_shape):  # anything else might broadcast to another shape
        raise InputError(
            f"{name} must be one number, one per channel or feature {input_shape[:1]}, or one per input "
            f"value {input_shape}; got shape {tuple(shape)}."
        )


def _check_options(name: str, builder: Callable[..., nn.Module], options: dict[str, Any]) -> None:
    parameters = inspect.signature(builder).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters if p.name not in ("num_classes", "input_shape")]
    for option in options:
        if option not in known:
            raise InputError(
                f"model {name!r} has no option {option!r}; it has {', '.join(known) or 'none'}."
                f"{nearest(option, known)}"
            )

"""What a model can take, said before it is built."""

from __future__ import annotations

from collections.abc import Sequence

from noiselayer.errors import InputError


def check_num_classes(num_classes: int) -> None:
    """Raise InputError unless there are at least two classes."""
    if num_classes < 2:
        raise InputError(f"num_classes must be at least 2; got {num_classes}.")


def check_input_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    """``input_shape`` as a tuple of positive sizes, one input's, without the batch."""
    shape = tuple(input_shape)
    if not shape or min(shape) < 1:
        raise InputError(
            "input_shape must be the positive sizes of one input, without the batch: (features,) or "
            f"(channels, height, width); got {shape}."
        )
    return shape


def check_image_shape(name: str, input_shape: Sequence[int], *, min_size: int = 8) -> tuple[int, int, int]:
    """``input_shape`` as (channels, height, width) that the model called ``name`` can take."""
    shape = check_input_shape(input_shape)
    if len(shape) != 3:
        raise InputError(
            f"model {name!r} takes images: input_shape must be (channels, height, width); got {shape}. "
            "For tables and vectors use 'mlp' or 'linear'."
        )
    channels, height, width = shape
    if min(height, width) < min_size:
        swapped = (width, channels, height)
        if width <= 4 < min(channels, height):
            raise InputError(
                f"input_shape must be (channels, height, width); {shape} looks like channels last. "
                f"Permute the images and pass {swapped}."
            )
        raise InputError(
            f"model {name!r} needs images of at least {min_size} x {min_size} pixels; input_shape is "
            f"{shape}. Enlarge the images, or use 'mlp'."
        )
    return channels, height, width

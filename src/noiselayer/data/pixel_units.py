"""Are the pixels of two sets of images in the same units, 0 to 1 or 0 to 255?"""

from __future__ import annotations

import numpy as np

from noiselayer.data.embedded_inputs import EmbeddedInputs, Pixels
from noiselayer.data.image_files import ImageFileInputs
from noiselayer.data.inputs import Inputs, SubsetInputs
from noiselayer.errors import InputError

_OF_BYTES = 32
"""Pixels larger than this are 0 to 255, not 0 to 1 nor standardised."""
_LOOKED_AT = 1000


def largest_pixel(inputs: Inputs) -> float | None:
    """The largest pixel of up to 1,000 images, spread over all; 255 of image files, None of what is no image.

    >>> from noiselayer.data import ArrayInputs
    >>> largest_pixel(ArrayInputs(np.full((2, 4, 4), 0.5))), largest_pixel(ArrayInputs(np.eye(2)))
    (0.5, None)
    """
    base = inputs.base if isinstance(inputs, SubsetInputs) else inputs
    if isinstance(base, EmbeddedInputs) and base.encoder.takes == "images":
        if not isinstance(base.samples, Pixels):
            return (
                255.0 if isinstance(base.samples, list) else None
            )  # paths; an estimator looks at arrays itself
        base = base.samples.inputs
    if isinstance(base, ImageFileInputs):
        return 255.0
    if base.kind != "image":
        return None
    rows = np.linspace(0, len(base) - 1, min(len(base), _LOOKED_AT)).astype(np.int64)
    return float(base.__getitems__(rows).amax())


def check_pixel_units(largest: float | None, fitted: float | None, name: str, like: str) -> None:
    """Raise an error where one set's largest pixel is that of 0 to 1 and the other's of 0 to 255.

    Args:
        largest: Of the images at hand.
        fitted: Of those that they must be like.
        name: What to call the images at hand in the message.
        like: And the others.

    >>> check_pixel_units(0.5, 255, "X", "fit")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: X must hold images in the units of fit, where the largest pixel was 255; got 0.5 at
    most. Multiply by 255.
    """
    if largest is None or fitted is None:
        return
    if (0 < largest <= 1 and fitted > _OF_BYTES) or (0 < fitted <= 1 and largest > _OF_BYTES):
        raise InputError(
            f"{name} must hold images in the units of {like}, where the largest pixel was {fitted:.3g}; got "
            f"{largest:.3g} at most. {'Multiply' if largest <= 1 else 'Divide'} by 255."
        )

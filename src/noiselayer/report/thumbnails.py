"""Images of samples, small, as text that a page can hold."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from noiselayer.files.decode import decode_image

LONGEST_SIDE = 288  # a card shows them smaller, and enlarged on a click
PIXEL_ART = 48
"""Images no larger than this are enlarged without smoothing: smoothing would invent what is not there."""


def image_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """A data URI of pixels, shape (H, W) or (H, W, 3): PNG for small images, JPEG for photographs.

    >>> image_uri(np.zeros((2, 2), dtype=np.uint8))[:22]
    'data:image/png;base64,'
    """
    image = Image.fromarray(pixels)
    small = max(image.size) <= PIXEL_ART
    if max(image.size) > LONGEST_SIDE:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file, kind = io.BytesIO(), "png" if small else "jpeg"
    if small:
        image.save(file, format="png", optimize=True)
    else:
        image.save(file, format="jpeg", quality=82, optimize=True)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()


def tensor_thumbnail(sample: Tensor) -> str:
    """A sample of an array of images, shape (C, H, W), as a data URI; of 2 or more than 4 channels the first one.

    Bytes and floats in 0..1 or 0..255 are shown as such, others stretched from their smallest to their largest value.
    """
    values = sample.numpy()
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > 255:
            values = (values - low) / max(high - low, 1e-12)
            high = 1.0
        values = np.rint(values * (255 if high <= 1 else 1)).astype(np.uint8)
    channels = values.shape[0]
    if channels == 4:  # transparent parts lie on white, as in files
        alpha = values[3:] / 255
        values = np.rint(values[:3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    pixels = values[:3].transpose(1, 2, 0) if channels in (3, 4) else values[0]
    return image_uri(np.ascontiguousarray(pixels))


def file_thumbnail(path: Path, shape: tuple[int, int]) -> str:
    """An image file as a data URI, of the part that a network sees at ``shape``, but with more pixels."""
    scale = LONGEST_SIDE / max(shape)
    height, width = (max(1, round(side * scale)) for side in shape)
    return image_uri(decode_image(path, (height, width), "pad"))

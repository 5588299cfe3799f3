"""One image file -> one RGB array, and a look at many files before anything is trained on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from noiselayer.choices import ImageFit
from noiselayer.errors import InputError, argument

_ORIENTATION = 0x0112  # the EXIF tag; its values 5 to 8 stand for a quarter turn
_CHUNK = 64
_LOOK = 16
"""Pixels that a JPEG has at least when it is only looked at."""
_SURELY_RGB = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"}
"""Modes of Pillow that become RGB whatever the pixels are."""
_T = TypeVar("_T")
_R = TypeVar("_R")


def decode_image(path: Path, size: tuple[int, int], fit: ImageFit = "squash") -> npt.NDArray[np.uint8]:
    """Read an image file as RGB of a given size.

    Turned upright as its EXIF tag says. Transparent parts are laid on white, 16-bit grey is scaled to 8 bits,
    and of an animation the first frame is taken. Where proportions differ, "squash" scales each side by itself,
    "pad" keeps them and fills up with white, "crop" cuts off what sticks out around the centre. Shape (height,
    width, 3).

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (4, 2), "red").save(path)
    >>> decode_image(path, (2, 2))[0].tolist()
    [[255, 0, 0], [255, 0, 0]]
    """
    try:
        return _read(path, size, fit)[0]
    except Exception as error:  # damaged files make Pillow's many readers raise almost anything
        raise InputError(f"cannot read image {path}: {_reason(error)}.") from error


def read_rgb(path: Path) -> Image.Image:
    """Read an image file as RGB in its own size, as :func:`decode_image` does.

    >>> read_rgb(Path("nowhere.png"))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: cannot read image nowhere.png: no such file.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:
        raise InputError(f"cannot read image {path}: {_reason(error)}.") from error


def check_fit(fit: ImageFit) -> ImageFit:
    """The same, if it is one that there is."""
    if fit not in get_args(ImageFit):
        raise InputError(
            f"{argument('image_fit')} must be one of {', '.join(get_args(ImageFit))}; got {fit!r}."
        )
    return fit


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """What :func:`check_images` found out about one file.

    Attributes:
        path: The file.
        size: Height and width in pixels, upright; None if the file cannot be read.
        error: Why it cannot be read, or None.
    """

    path: Path
    size: tuple[int, int] | None
    error: str | None


def check_images(paths: Sequence[Path]) -> list[ImageCheck]:
    """Decode every file once, on all cores, and say which cannot be read and how large the others are.

    Only decoding to the end finds a truncated file. JPEGs are decoded at an eighth of their size here.

    >>> [check.error for check in check_images([Path("nowhere.png")])]
    ['no such file']
    """
    return [
        check
        for chunk in map_chunks(lambda chunk: [_check(path) for path in chunk], paths)
        for check in chunk
    ]


def map_chunks(function: Callable[[Sequence[_T]], _R], items: Sequence[_T]) -> Iterator[_R]:
    """Call ``function`` on chunks of ``items`` in a few threads and yield the results in order.

    Pillow decodes without holding Python's global lock, so threads are enough. Ctrl-C stops after the chunks
    at hand.

    >>> list(map_chunks(len, range(130)))
    [64, 64, 2]
    """
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    pool = ThreadPoolExecutor(max_workers=min(32, os.cpu_count() or 1))
    try:
        yield from pool.map(function, chunks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _check(path: Path) -> ImageCheck:
    try:
        with _opened(path) as image:
            size = _upright_size(image)
            image.draft(None, (_LOOK, _LOOK))
            image.load()
            if image.mode not in _SURELY_RGB:
                _to_rgb(image)
        return ImageCheck(path, size, None)
    except Exception as error:
        return ImageCheck(path, None, _reason(error))


def _opened(path: Path) -> Image.Image:
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    return Image.open(path)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width, turned as the EXIF tag says."""
    width, height = image.size
    return (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)


def _read(
    path: Path, size: tuple[int, int], fit: ImageFit = "squash"
) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """The image at ``size``, and the (height, width) that the file has."""
    with _opened(path) as image:
        file_size = _upright_size(image)
        # JPEG can be decoded at 1/2, 1/4 or 1/8: far quicker, and twice the wanted size keeps it sharp.
        image.draft(None, (2 * max(size), 2 * max(size)))
        rgb = _to_rgb(ImageOps.exif_transpose(image))
        wanted, smooth = (size[1], size[0]), Image.Resampling.BILINEAR
        if fit == "crop":
            fitted = ImageOps.fit(rgb, wanted, smooth)
        elif fit == "pad":
            fitted = ImageOps.pad(rgb, wanted, smooth, color="white")
        else:
            fitted = rgb.resize(wanted, smooth)
        return np.array(fitted, dtype=np.uint8), file_size


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or of an unknown format"
    return str(error) or type(error).__name__


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        pixels = np.asarray(image).astype(np.int64)  # Pillow would clip at 255 instead of scaling
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ValueError("pixels of more than 16 bits; save it with 8 or 16 bits")
        image = Image.fromarray((pixels // 257).astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    return image.convert("RGB")

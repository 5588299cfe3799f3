"""Inputs that lie in image files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from noiselayer.choices import ImageFit
from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.image_index import indexed_checks
from noiselayer.data.inputs import Indices, Inputs
from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.decode import ImageCheck, check_fit, check_images, decode_image, map_chunks

ImageSize = int | tuple[int, int]


class ImageFileInputs(Inputs):
    """Images in files, decoded when asked for.

    Every file comes out as RGB, uint8, shape (3, height, width): see
    :func:`~noiselayer.files.decode.decode_image` for scaling and transparency.

    Args:
        paths: The files.
        image_size: Height and width in pixels, or one number for both.
        ids: A name per file; its path if None.
        fit: How images of other proportions are brought to that size; nothing is cut off unless it is "crop".

    Raises:
        InputError: If there are no paths or ``image_size`` is not positive; when a batch is asked for, also
            if a file cannot be read. Use :meth:`verify` before a long run.

    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(path)
    >>> ImageFileInputs([path], image_size=8)[0].shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        image_size: ImageSize,
        *,
        ids: Sequence[str] | None = None,
        fit: ImageFit = "squash",
    ) -> None:
        if not paths:
            raise InputError("paths must name at least one image file; got none.")
        self._files = tuple(str(Path(path)) for path in paths)  # a Path takes four times as much memory
        self.size = height_and_width(image_size)
        self.fit: ImageFit = check_fit(fit)
        self.kind = "image"
        self.shape = (3, *self.size)
        self.dtype = torch.uint8
        self.ids = self._files if ids is None else tuple(ids)
        if len(self.ids) != len(self._files):
            raise InputError(
                f"ids must name every file: there are {len(self._files)} paths, {len(self.ids)} ids."
            )

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(map(Path, self._files))

    def __getitems__(self, indices: Indices) -> Tensor:
        chosen = np.asarray(indices, dtype=np.int64)
        batch = np.empty((len(chosen), *self.size, 3), dtype=np.uint8)
        for row, index in enumerate(chosen):
            batch[row] = decode_image(Path(self._files[index]), self.size, self.fit)
        return torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))

    def verify(self) -> list[ImageCheck]:
        """Decode every file once and return the ones that cannot be read, each with its path and the reason.

        >>> [check.error for check in ImageFileInputs(["nowhere.png"], 8).verify()]
        ['no such file']
        """
        return [check for check in check_images(self.paths) if check.error is not None]

    def in_memory(self) -> ArrayInputs:
        """Decode everything now, on all cores: len(self) * 3 * height * width bytes, and no file read again.

        Worth it whenever that fits, for decoding costs more than the training step of a small network.

        Raises:
            InputError: If a file cannot be read.

        >>> import tempfile
        >>> from PIL import Image
        >>> path = Path(tempfile.mkdtemp()) / "red.png"
        >>> Image.new("RGB", (40, 20), "red").save(path)
        >>> ImageFileInputs([path], image_size=8).in_memory().shape
        (3, 8, 8)
        """
        images = np.empty((len(self), *self.shape), dtype=np.uint8)
        start = 0
        for chunk in map_chunks(self.__getitems__, range(len(self))):
            images[start : start + len(chunk)] = chunk.numpy()
            start += len(chunk)
        return ArrayInputs(images, layout="NCHW", ids=self.ids)


def height_and_width(image_size: ImageSize) -> tuple[int, int]:
    """Height and width in pixels of an ``image_size`` given as one number or as a pair.

    >>> height_and_width(32), height_and_width((32, 48))
    ((32, 32), (32, 48))
    """
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise InputError(
            f"{argument('image_size')} must be a positive number of pixels, or height and width; got {image_size!r}."
        )
    return size[0], size[1]


def common_size(checks: Sequence[ImageCheck]) -> tuple[int, int]:
    """The one (height, width) that all readable files share.

    >>> common_size([ImageCheck(Path("a.png"), (32, 48), None), ImageCheck(Path("b.png"), None, "truncated")])
    (32, 48)
    """
    sizes = sorted({check.size for check in checks if check.size is not None})
    if not sizes:
        raise InputError(f"none of the {len(checks):,} image files can be read.")
    if len(sizes) > 1:
        seen = list_some((f"{height} x {width}" for height, width in sizes), limit=4)
        raise InputError(
            f"the images have different sizes (height x width: {seen}); say with {argument('image_size')} which one to "
            "bring them to."
        )
    return sizes[0]


def read_images(
    paths: Sequence[Path],
    ids: Sequence[str],
    image_size: ImageSize | None,
    image_fit: ImageFit,
    skip_unreadable: bool,
) -> tuple[ImageFileInputs, list[int], tuple[str, ...]]:
    """Inputs of the files that can be read, their positions in ``paths``, and the ids of those left out.

    >>> read_images([Path("nowhere.png")], ["nowhere.png"], 8, "squash", skip_unreadable=False)
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: 1 of 1 images cannot be read: nowhere.png (no such file). Mend or
    remove it, or leave it out with skip_unreadable.
    """
    checks = indexed_checks(paths)
    bad = [(name, check.error) for name, check in zip(ids, checks, strict=True) if check.error is not None]
    kept = [index for index, check in enumerate(checks) if check.error is None]
    listed = list_some((f"{name} ({error})" for name, error in bad), limit=20)
    if bad and (not skip_unreadable or not kept):
        it = "it" if len(bad) == 1 else "them"
        mend = (
            f"Mend or remove {it}, or leave {it} out with {argument('skip_unreadable')}."
            if kept or not skip_unreadable
            else ""
        )
        raise InputError(f"{len(bad):,} of {len(paths):,} images cannot be read: {listed}. {mend}".rstrip())
    if bad:
        warnings.warn(
            f"{len(bad):,} of {len(paths):,} images cannot be read and are skipped: {listed}.", stacklevel=2
        )
    size = common_size(checks) if image_size is None else image_size
    inputs = ImageFileInputs(
        [paths[index] for index in kept], size, ids=[ids[index] for index in kept], fit=image_fit
    )
    return inputs, kept, tuple(name for name, _ in bad)

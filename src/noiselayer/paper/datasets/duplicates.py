"""Find the images of one set that stand in another, by cross-correlation (§4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from noiselayer.data.inputs import Inputs
from noiselayer.errors import InputError
from noiselayer.files.decode import map_chunks
from noiselayer.paper.datasets.image_set import ImageSet, Labels, Pixels

_READ = 1024
_LUMA = (0.299, 0.587, 0.114)

Pictures = ImageSet | Inputs | Pixels


class Duplicates(NamedTuple):
    """What :func:`remove_duplicates` found.

    Attributes:
        keep: Indices of the second set's images that are like none of the first, ascending.
        pairs: Shape (M, 2): index into the first set, index into the second, sorted.
        correlations: Shape (M,), of each pair.
    """

    keep: Labels
    pairs: Labels
    correlations: npt.NDArray[np.float32]


def remove_duplicates(
    first: Pictures,
    second: Pictures,
    *,
    threshold: float = 0.95,
    pixels: int = 16,
    block: int = 4096,
    device: torch.device | str = "cpu",
) -> Duplicates:
    """Find the images of ``second`` that show the same picture as one of ``first``.

    Both are shrunk to grey thumbnails a and b, and the same picture is one with

    sum (a - mean a)(b - mean b) / (|a - mean a| |b - mean b|) >= threshold.

    Brightness, contrast, size and compression make little difference to that; a mirrored copy or a closer crop
    is not found. A picture of one colour is a copy of nothing. What the threshold finds on photographs of
    32 x 32 pixels, and what it takes for a copy by mistake: ``docs/datasets.md``.

    Memory: both sets of thumbnails, 4 * pixels^2 bytes an image, and blocks of ``block^2`` correlations. Time:
    pixels^2 multiplications for every pair of images.

    Args:
        first: The set to compare with: images of shape (N, H, W, C), or inputs of image files, which are
            decoded in batches.
        second: The set to clean, its images of any size.
        threshold: Correlation from which two pictures are the same.
        pixels: Height and width of the thumbnails.
        block: Thumbnails of each set that are compared at once.
        device: Where the correlations are computed.

    Returns:
        The indices to keep and the pairs found.

    Raises:
        InputError: If the threshold is not in (0, 1], or a number is below 1.

    >>> rng = np.random.default_rng(0)
    >>> first, other = rng.integers(0, 256, (2, 5, 32, 32, 3), dtype=np.uint8)
    >>> darker = (first[3] * 0.7).astype(np.uint8)
    >>> found = remove_duplicates(first, np.stack([*other, darker]))
    >>> found.keep.tolist(), found.pairs.tolist()
    ([0, 1, 2, 3, 4], [[3, 5]])
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold must be a correlation above 0 and at most 1; got {threshold}.")
    if block < 1:
        raise InputError(f"block must be 1 or more; got {block}.")
    a, b = (thumbnails(pictures, pixels) for pictures in (first, second))
    found: list[tuple[Tensor, Tensor]] = []
    # Rounding must not hide an exact copy from a threshold of 1.
    limit = threshold - 1e-5
    for i in range(0, len(a), block):
        left = a[i : i + block].to(device)
        for j in range(0, len(b), block):
            correlation = left @ b[j : j + block].to(device).T
            where = (correlation >= limit).nonzero()
            if len(where):
                values = correlation[where[:, 0], where[:, 1]].cpu()
                found.append((where.cpu() + torch.tensor([i, j]), values))
    pairs = torch.cat([where for where, _ in found] or [torch.empty(0, 2, dtype=torch.int64)]).numpy()
    correlations = torch.cat([value for _, value in found] or [torch.empty(0)]).numpy()
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    keep = np.ones(len(b), dtype=np.bool_)
    keep[pairs[:, 1]] = False
    return Duplicates(keep.nonzero()[0], pairs[order], correlations[order].clip(max=1.0))


def thumbnails(pictures: Pictures, pixels: int = 16) -> Tensor:
    """Grey images of mean 0 and length 1, or zeros if of one colour, (N, pixels²): products are correlations."""
    if pixels < 2:
        raise InputError(f"pixels must be 2 or more; got {pixels}.")
    small = torch.empty(len(pictures), pixels * pixels)
    start = 0
    for batch in _batches(pictures):
        shrunk = F.interpolate(_grey(batch)[:, None], (pixels, pixels), mode="bilinear", antialias=True)
        flat = shrunk.flatten(1)
        flat = flat - flat.mean(dim=1, keepdim=True)
        length = flat.norm(dim=1, keepdim=True)
        # Below a hundredth of a grey level there is rounding and no picture.
        small[start : start + len(flat)] = torch.where(length > 0.01 * pixels, flat / length, 0.0)
        start += len(flat)
    return small


def _batches(pictures: Pictures) -> Iterator[Tensor]:
    """Shape (B, C, H, W) each; files are decoded in a few threads."""
    if isinstance(pictures, Inputs):
        yield from map_chunks(pictures.__getitems__, range(len(pictures)))
        return
    images = pictures.images if isinstance(pictures, ImageSet) else pictures
    for start in range(0, len(images), _READ):
        yield torch.from_numpy(np.array(images[start : start + _READ])).permute(0, 3, 1, 2)


def _grey(batch: Tensor) -> Tensor:
    """Shape (B, H, W), float32, 0..255."""
    channels = batch.shape[1]
    weights = torch.tensor(_LUMA) if channels == 3 else torch.full((channels,), 1 / channels)
    return torch.einsum("bchw,c->bhw", batch.to(torch.float32), weights)

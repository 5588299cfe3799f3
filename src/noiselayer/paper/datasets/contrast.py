"""Local contrast normalisation, the paper's preprocessing of SVHN."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def local_contrast_normalization(images: Tensor, *, sigma: float = 2.0, radius: int = 4) -> Tensor:
    """Subtract the local mean of every channel and divide by its local standard deviation.

    With Gaussian weights w that sum to 1 over a window around each pixel, cut off at the image's border:

    v = x - w * x;  s = sqrt(w * v^2);  y = v / max(s, mean of s over the image's channel).

    The floor keeps flat areas flat instead of making their noise large; an image of one colour becomes 0. This is
    the normalisation of Sermanet, Chintala and LeCun (2012) with every channel for itself. The paper names contrast
    normalisation without its window; a Gaussian of two pixels in a window of 9 x 9 is our choice.

    Args:
        images: Shape (N, C, H, W), integers or floats in any units; the result does not depend on them.
        sigma: Standard deviation of the weights in pixels.
        radius: The window is ``2 * radius + 1`` pixels wide and high.

    Returns:
        Same shape; float32, or the dtype of ``images`` if that is a floating-point one.

    Raises:
        ValueError: If ``images`` have another number of dimensions, ``sigma`` is not positive or ``radius`` is
            below 1.

    >>> images = torch.rand(2, 3, 32, 32)
    >>> normalized = local_contrast_normalization(images)
    >>> torch.allclose(normalized, local_contrast_normalization(50 + 200 * images), atol=1e-3)
    True
    """
    if images.ndim != 4:
        raise ValueError(f"images must have the shape (N, C, H, W); got {tuple(images.shape)}.")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive; got {sigma}.")
    if radius < 1:
        raise ValueError(f"radius must be 1 or more; got {radius}.")
    x = images if images.is_floating_point() else images.to(torch.float32)
    eps, tiny = torch.finfo(x.dtype).eps, torch.finfo(x.dtype).tiny
    rounding = 16 * eps * x.abs().amax(dim=(2, 3), keepdim=True)
    # Away from 0 a float's digits would go to the offset; the result is the same without it.
    x = x - x.mean(dim=(2, 3), keepdim=True)
    distance = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    weights = torch.exp(-0.5 * (distance / sigma) ** 2)
    # At the border the weights inside the image count alone, so that no edge appears there.
    inside = _blur(torch.ones_like(x[:1, :1]), weights)
    v = x - _blur(x, weights) / inside
    spread = (_blur(v * v, weights) / inside).clamp_min(0).sqrt()
    floor = spread.mean(dim=(2, 3), keepdim=True)
    # Where rounding alone is left, in an image of one colour, nothing is enlarged.
    return torch.where(floor > rounding, v / torch.maximum(spread, floor).clamp_min(tiny), 0.0)


def _blur(x: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums over a window, zeros outside: along the height, then along the width."""
    N, C, H, W = x.shape
    radius = len(weights) // 2
    flat = x.reshape(N * C, 1, H, W)
    flat = F.conv2d(flat, weights.reshape(1, 1, -1, 1), padding=(radius, 0))
    flat = F.conv2d(flat, weights.reshape(1, 1, 1, -1), padding=(0, radius))
    return flat.reshape(N, C, H, W)

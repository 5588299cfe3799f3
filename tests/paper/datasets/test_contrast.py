from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torch import Tensor

from noiselayer.paper.datasets import local_contrast_normalization


def naive(images: Tensor, sigma: float, radius: int) -> Tensor:
    """The formula, pixel by pixel."""
    N, C, H, W = images.shape

    def blur(x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        for i in range(H):
            for j in range(W):
                total = weight = 0.0
                for a in range(max(0, i - radius), min(H, i + radius + 1)):
                    for b in range(max(0, j - radius), min(W, j + radius + 1)):
                        w = math.exp(-((a - i) ** 2 + (b - j) ** 2) / (2 * sigma**2))
                        total, weight = total + w * float(x[a, b]), weight + w
                out[i, j] = total / weight
        return out

    result = torch.empty(N, C, H, W, dtype=torch.float64)
    for n in range(N):
        for c in range(C):
            x = images[n, c].double()
            v = x - blur(x)
            s = blur(v * v).sqrt()
            result[n, c] = v / torch.maximum(s, s.mean())
    return result


@pytest.mark.parametrize(("sigma", "radius"), [(2.0, 4), (0.8, 2)])
def test_it_is_the_formula(generator: torch.Generator, sigma: float, radius: int) -> None:
    images = torch.randint(0, 256, (2, 2, 9, 7), generator=generator, dtype=torch.uint8)
    ours = local_contrast_normalization(images, sigma=sigma, radius=radius)
    assert (ours.dtype, ours.shape) == (torch.float32, images.shape)
    torch.testing.assert_close(ours.double(), naive(images, sigma, radius), atol=1e-4, rtol=1e-4)
    exact = local_contrast_normalization(images.double(), sigma=sigma, radius=radius)
    torch.testing.assert_close(exact, naive(images, sigma, radius), atol=1e-10, rtol=1e-10)


def test_the_local_mean_is_scipy_s_away_from_the_border(generator: torch.Generator) -> None:
    # With a spot of contrast far away the divisor is the same everywhere here: differences are those of v.
    image = torch.rand(1, 1, 40, 40, generator=generator, dtype=torch.float64)
    ours = local_contrast_normalization(image, sigma=1.5, radius=6)[0, 0].numpy()
    x = image[0, 0].numpy()
    v = x - gaussian_filter(x, 1.5, truncate=4.0)
    s = gaussian_filter(v * v, 1.5, truncate=4.0) ** 0.5
    inner = (slice(12, -12), slice(12, -12))
    large = s[inner] > 1.05 * s.mean()
    assert large.sum() > 20
    assert abs(ours[inner] - v[inner] / s[inner])[large].max() < 1e-9


@given(st.floats(0.1, 50), st.floats(-100, 100), st.integers(0, 5))
def test_brightness_and_contrast_make_no_difference(scale: float, offset: float, seed: int) -> None:
    images = torch.rand(1, 2, 12, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(
        local_contrast_normalization(images),
        local_contrast_normalization(offset + scale * images),
        atol=1e-7,
        rtol=1e-7,
    )


@pytest.mark.parametrize("value", [0, 7, 255])
def test_an_image_of_one_colour_becomes_zero(value: int) -> None:
    for dtype in (torch.uint8, torch.float32, torch.float64):
        flat = torch.full((1, 3, 32, 32), value, dtype=dtype)
        assert bool((local_contrast_normalization(flat) == 0).all())
    # A mean of 899 floats is not exactly each of them: what rounding leaves must not be enlarged.
    odd = torch.full((1, 1, 31, 29), 0.1 + value)
    assert bool((local_contrast_normalization(odd) == 0).all())
    # ... beside others that do not.
    images = torch.full((2, 1, 32, 32), value, dtype=torch.float32)
    images[1, 0, :16] += 1
    assert bool((local_contrast_normalization(images)[0] == 0).all())
    assert float(local_contrast_normalization(images)[1].abs().max()) > 0.5


def test_a_dark_corner_gets_the_contrast_of_a_bright_one(generator: torch.Generator) -> None:
    pattern = torch.rand(1, 1, 32, 16, generator=generator)
    image = torch.cat([0.3 * pattern, pattern], dim=3)
    left, right = local_contrast_normalization(image).split(16, dim=3)
    assert float(image[..., 16:].std() / image[..., :16].std()) > 3
    assert 1 <= float(right[..., 5:].std() / left[..., :-5].std()) < 2.5


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (torch.zeros(3, 8, 8), {}, r"images must have the shape \(N, C, H, W\); got \(3, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8), {"sigma": 0.0}, r"sigma must be positive; got 0\.0"),
        (torch.zeros(1, 3, 8, 8), {"radius": 0}, "radius must be 1 or more; got 0"),
    ],
)
def test_what_is_refused(images: Tensor, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        local_contrast_normalization(images, **options)  # type: ignore[arg-type]

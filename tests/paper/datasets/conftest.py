"""Small pictures that the tests of the readers write in each data set's own format."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

MakePixels = Callable[..., npt.NDArray[np.uint8]]


@pytest.fixture
def make_pixels() -> MakePixels:
    """Random images, uint8, of any shape."""

    def make(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return make

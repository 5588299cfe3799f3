"""Small real files: images in several formats, whole and damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeImage = Callable[..., Path]


@pytest.fixture
def make_image() -> MakeImage:
    """Write a random image; ``keep`` < 1 cuts the file off after that share of its bytes."""

    def make(path: Path, size: tuple[int, int] = (8, 8), *, seed: int = 0, keep: float = 1.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        if keep < 1:
            content = path.read_bytes()
            path.write_bytes(content[: int(keep * len(content))])
        return path

    return make


@pytest.fixture
def class_folder(tmp_path: Path, make_image: MakeImage) -> Path:
    """Three cats and two dogs of 8 x 8 pixels in ``tmp_path/animals``."""
    for index in range(3):
        make_image(tmp_path / "animals" / "cat" / f"{index}.png", seed=index)
    for index in range(2):
        make_image(tmp_path / "animals" / "dog" / f"{index}.jpg", seed=10 + index)
    return tmp_path / "animals"

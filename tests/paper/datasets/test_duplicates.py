from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from noiselayer.data import ImageFileInputs
from noiselayer.errors import InputError
from noiselayer.paper.datasets import ImageSet, remove_duplicates
from noiselayer.paper.datasets.duplicates import thumbnails


def photographs(N: int, size: int = 48, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth random pictures: noise of a few pixels, enlarged."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC)) for c in coarse]
    )


def jpeg(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())))


def resized(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("block", [1, 3, 4096])
def test_copies_are_found_however_they_were_changed(block: int) -> None:
    first, other = photographs(7), photographs(5, seed=1)
    second = np.stack(
        [
            other[0],
            jpeg(first[2], 40),
            other[1],
            (first[2] * 0.5 + 20).astype(np.uint8),
            other[2],
            resized(resized(first[6], 20), 48),
            first[0],
            other[3],
            other[4],
        ]
    )
    found = remove_duplicates(first, second, block=block)
    assert found.keep.tolist() == [0, 2, 4, 7, 8]
    assert found.pairs.tolist() == [[0, 6], [2, 1], [2, 3], [6, 5]]
    assert found.correlations.min() >= 0.95
    assert found.correlations.max() <= 1


def test_correlations_are_numpy_s() -> None:
    first, second = photographs(6), photographs(4, seed=1)
    a, b = thumbnails(first).numpy(), thumbnails(second).numpy()
    ours = a @ b.T
    np.testing.assert_allclose(ours, np.corrcoef(a, b)[:6, 6:], atol=1e-5)
    # With a threshold among these values the pairs are those a loop finds.
    threshold = float(np.sort(ours.ravel())[-5]) - 1e-4
    found = remove_duplicates(first, second, threshold=threshold)
    assert found.pairs.tolist() == [[i, j] for i in range(6) for j in range(4) if ours[i, j] >= threshold]
    for (i, j), value in zip(found.pairs, found.correlations, strict=True):
        assert value == pytest.approx(ours[i, j], abs=1e-5)
    assert set(found.keep.tolist()) == set(range(4)) - set(found.pairs[:, 1].tolist())


def test_thumbnails_are_block_means_of_grey() -> None:
    images = photographs(3, size=32)
    small = thumbnails(images, 16)
    grey = images @ np.array([0.299, 0.587, 0.114])
    # Halving with antialiasing weighs a pixel's neighbours too: alike, not equal, to the mean of 2 x 2.
    blocks = grey.reshape(3, 16, 2, 16, 2).mean((2, 4)).reshape(3, -1)
    blocks -= blocks.mean(1, keepdims=True)
    blocks /= np.linalg.norm(blocks, axis=1, keepdims=True)
    assert ((small.numpy() * blocks).sum(1) > 0.99).all()
    torch.testing.assert_close(small.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(small.mean(dim=1), torch.zeros(3), atol=1e-6, rtol=0)


def test_a_picture_of_one_colour_is_a_copy_of_nothing() -> None:
    flat = np.full((2, 32, 32, 3), 100, dtype=np.uint8)
    flat[1] = 0
    assert not thumbnails(flat).any()
    assert remove_duplicates(flat, flat).keep.tolist() == [0, 1]


def test_an_exact_copy_passes_a_threshold_of_one() -> None:
    images = photographs(20)
    assert remove_duplicates(images, images[::-1], threshold=1.0).pairs.tolist() == [
        [k, 19 - k] for k in range(20)
    ]


def test_files_against_arrays_of_another_size(tmp_path: Path) -> None:
    images = photographs(3)
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    small = np.stack([resized(images[1], 32), photographs(1, 32, seed=9)[0]])
    second = ImageSet(small, np.zeros(2, dtype=np.int64), ("a",))
    assert remove_duplicates(ImageFileInputs(paths, 48), second).pairs.tolist() == [[1, 0]]


def test_grey_images_and_empty_sets() -> None:
    grey = photographs(3)[..., :1]
    assert remove_duplicates(grey, grey[1:]).pairs.tolist() == [[1, 0], [2, 1]]
    nothing = remove_duplicates(grey[:0], grey)
    assert (nothing.keep.tolist(), nothing.pairs.shape, nothing.correlations.shape) == (
        [0, 1, 2],
        (0, 2),
        (0,),
    )
    assert remove_duplicates(grey, grey[:0]).keep.tolist() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, r"threshold must be a correlation above 0 and at most 1; got 0\.0"),
        ({"threshold": 1.5}, r"got 1\.5"),
        ({"pixels": 1}, "pixels must be 2 or more; got 1"),
        ({"block": 0}, "block must be 1 or more; got 0"),
    ],
)
def test_what_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        remove_duplicates(photographs(1), photographs(1), **options)  # type: ignore[arg-type]

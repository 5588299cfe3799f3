from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noiselayer.errors import InputError
from noiselayer.paper.datasets import ImageSet, LooseSet

PIXELS = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)


def test_a_subset_takes_everything_of_a_sample_along() -> None:
    loose = LooseSet(
        PIXELS,
        np.array([0, 1, 1, 0]),
        ("cat", "dog"),
        true_labels=np.array([0, -1, 1, 1]),
        origin=np.array(["name", "guess", "name", "guess"]),
    )
    part = loose.subset([3, 1])
    assert type(part) is LooseSet
    assert part.images.tolist() == PIXELS[[3, 1]].tolist()
    assert (part.labels.tolist(), part.true_labels.tolist()) == ([0, 1], [1, -1])
    assert part.origin.tolist() == ["guess", "guess"]
    assert part.class_names == ("cat", "dog")
    assert loose.subset(loose.labels == 1).true_labels.tolist() == [-1, 1]


def test_a_subset_of_nothing_is_empty() -> None:
    assert len(ImageSet(PIXELS, np.zeros(4, dtype=np.int64), ("a",)).subset([])) == 0


def test_labels_of_any_integer_type_become_int64() -> None:
    pictures = ImageSet(PIXELS, np.array([0, 1, 1, 0], dtype=np.uint8), ["cat", "dog"])  # type: ignore[arg-type]
    assert pictures.labels.dtype == np.int64
    assert pictures.class_names == ("cat", "dog")


def test_a_memory_map_stays_on_the_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", PIXELS)
    pictures = ImageSet(np.load(tmp_path / "x.npy", mmap_mode="r"), np.zeros(4, dtype=np.int64), ("a",))
    assert isinstance(pictures.images, np.memmap)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (PIXELS[0], [0], r"images must be uint8 of shape \(N, H, W, C\); got uint8 of shape \(2, 2, 3\)"),
        (PIXELS.astype(float), [0] * 4, r"must be uint8 .* got float64"),
        (PIXELS, [0, 1], r"labels must be integers, one for each of the 4 images; got int64 of shape \(2,\)"),
        (PIXELS, [0.0] * 4, r"labels must be integers, .* got float64"),
        (PIXELS, [0, 1, 2, 0], r"labels must lie in 0\.\.1 for 2 class names, or be -1 for none; got 0\.\.2"),
        (PIXELS, [0, -2, 1, 0], r"got -2\.\.1"),
    ],
)
def test_what_is_no_image_set(images: np.ndarray, labels: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageSet(images, np.array(labels), ("cat", "dog"))


def test_what_is_no_loose_set() -> None:
    def make(true_labels: list[int], origin: list[str]) -> LooseSet:
        return LooseSet(PIXELS, np.zeros(4, dtype=int), ("a",), np.array(true_labels), np.array(origin))

    with pytest.raises(InputError, match=r"true_labels must lie in 0\.\.0 for 1 class names"):
        make([0, 0, 0, 1], ["name"] * 4)
    with pytest.raises(InputError, match=r"origin must be one word for each of the 4 images; .* \(2,\)"):
        make([0] * 4, ["name"] * 2)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([4], r"indices must lie in 0\.\.3 for 4 images; got 4\.\.4"),
        ([-1, 2], r"got -1\.\.2"),
        ([0.5], "indices must be integers, or 4 booleans, in one dimension; got float64"),
        ([True, False], r"got bool of shape \(2,\)"),
    ],
)
def test_indices_that_are_none(indices: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageSet(PIXELS, np.zeros(4, dtype=int), ("a",)).subset(indices)

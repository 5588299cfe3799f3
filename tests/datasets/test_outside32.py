from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noiselayer.datasets import load_outside32
from noiselayer.datasets.outside_names import OUTSIDE_NAMES
from noiselayer.errors import InputError


def test_images_stay_on_the_disk(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "outside32_x.npy", pixels)
    table = {
        "label": np.array([1, 0, 1, 1], dtype=np.uint8),
        "wnid": ["n1", "n2"],
        "name": ["abacus", "tabby, cat"],
    }
    np.savez(tmp_path / "outside32.npz", **table)  # type: ignore[arg-type]
    outside = load_outside32(tmp_path)
    assert isinstance(outside.images, np.memmap)
    assert (outside.images == pixels).all()
    assert outside.labels.tolist() == [1, 0, 1, 1]
    assert outside.class_names == ("abacus", "tabby, cat")


def test_half_of_it_is_not_enough(tmp_path: Path) -> None:
    np.save(tmp_path / "outside32_x.npy", np.zeros((1, 32, 32, 3), dtype=np.uint8))
    with pytest.raises(
        InputError, match=r"should hold outside32_x\.npy and outside32\.npz\. docs/datasets\.md"
    ):
        load_outside32(tmp_path)


def test_every_name_of_the_table_is_one_of_the_real_ones(data_folder: Path) -> None:
    if not (data_folder / "outside32.npz").exists():
        pytest.skip("needs outside32 in NOISELAYER_DATA")
    first_words = [name.split(",")[0] for name in load_outside32(data_folder).class_names]
    assert len(set(first_words)) == len(first_words) == 200
    assert set(first_words) >= set(OUTSIDE_NAMES)

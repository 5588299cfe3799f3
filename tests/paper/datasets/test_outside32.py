from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noiselayer.errors import InputError
from noiselayer.paper.datasets import load_outside32, make_outside32
from noiselayer.paper.datasets.outside_names import OUTSIDE_NAMES


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
        InputError,
        match=r"should hold outside32_x\.npy and outside32\.npz\. noiselayer\.paper\.datasets\.make_outside32",
    ):
        load_outside32(tmp_path)


def test_every_name_of_the_table_is_one_of_the_real_ones(data_folder: Path) -> None:
    if not (data_folder / "outside32.npz").exists():
        pytest.skip("needs outside32 in NOISELAYER_DATA")
    first_words = [name.split(",")[0] for name in load_outside32(data_folder).class_names]
    assert len(set(first_words)) == len(first_words) == 200
    assert set(first_words) >= set(OUTSIDE_NAMES)


def test_it_is_made_from_tiny_imagenet(tmp_path: Path) -> None:
    source, out = tmp_path / "tiny-imagenet-200", tmp_path / "data"
    for red, wnid in [(40, "n02123045"), (200, "n03126707")]:
        folder = source / "train" / wnid / "images"
        folder.mkdir(parents=True)
        (folder.parent / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t62\t62\n")
        for k in range(3):
            image = Image.new("RGB", (64, 64), (red, 10 * k, 0))
            image.paste((red, 10 * k, 250), (32, 0, 64, 64))  # the right half
            image.save(folder / f"{wnid}_{k}.JPEG", quality=95)
    (source / "words.txt").write_text("n00001740\tentity\nn02123045\ttabby, tabby cat\nn03126707\tcrane\n")
    make_outside32(source, out)
    outside = load_outside32(out)
    assert outside.class_names == ("tabby, tabby cat", "crane")
    assert outside.images.shape == (6, 32, 32, 3)
    assert outside.labels.tolist() == [0, 0, 0, 1, 1, 1]
    expected = [[40, 0, 0], [40, 10, 0], [40, 20, 0], [200, 0, 0], [200, 10, 0], [200, 20, 0]]
    assert np.abs(outside.images[:, 25, 5].astype(int) - expected).max() < 6
    assert outside.images[:, 5, 25, 2].min() > 240
    assert sorted(path.name for path in out.iterdir()) == ["outside32.npz", "outside32_x.npy"]


def test_tiny_imagenet_that_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*words\.txt, .* tiny-imagenet-200\.zip"):
        make_outside32(tmp_path, tmp_path / "out")
    (tmp_path / "train" / "n2" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(tmp_path / "train" / "n2" / "images" / "a.JPEG")
    (tmp_path / "words.txt").write_text("n1\tcat\n")
    with pytest.raises(InputError, match=r"class folder 'n2' of .* has no line in words\.txt"):
        make_outside32(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()

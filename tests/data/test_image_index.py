"""The index of image files: what has not changed is not decoded again."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noiselayer.data import image_index
from noiselayer.data.image_index import cache_folder, indexed_checks
from noiselayer.files.decode import ImageCheck, check_images


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the files that are decoded from here on; the cache is a folder of this test's."""
    names: list[str] = []

    def watched(paths: Sequence[Path]) -> list[ImageCheck]:
        names.extend(path.name for path in paths)
        return check_images(paths)

    monkeypatch.setenv("NOISELAYER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(image_index, "check_images", watched)
    return names


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    paths = [folder / f"{k} ü\n.png" for k in range(20)]
    for k, path in enumerate(paths):
        Image.fromarray(generator.integers(0, 255, (4 + k, 5, 3), dtype=np.uint8)).save(path)
    paths[7].write_bytes(paths[7].read_bytes()[:40])
    return paths


def test_an_unchanged_file_is_decoded_once(images: list[Path], decoded: list[str]) -> None:
    straight = check_images(images)
    assert straight[7].error is not None
    assert straight[3].size == (7, 5)
    assert indexed_checks(images, worth=10) == straight
    assert len(decoded) == 20
    assert indexed_checks(images, worth=10) == straight
    assert len(decoded) == 20


def test_what_has_changed_is_decoded_again(images: list[Path], decoded: list[str]) -> None:
    indexed_checks(images, worth=10)
    decoded.clear()
    Image.new("RGB", (9, 8)).save(images[2])  # another size
    os.utime(images[4], ns=(1, 1))  # another time
    images[5].unlink()
    added = images[0].parent / "new.png"
    Image.new("RGB", (3, 3)).save(added)
    now = [*images, added]
    assert indexed_checks(now, worth=10) == check_images(now)
    assert decoded == [images[k].name for k in (2, 4, 5)] + ["new.png"]
    decoded.clear()
    assert indexed_checks(now[::-1], worth=10) == check_images(now)[::-1]
    assert decoded == [images[5].name]  # a missing file is looked for every time


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04half", b"\x80\x04N."])
def test_a_damaged_index_is_made_anew(images: list[Path], decoded: list[str], content: bytes) -> None:
    first = indexed_checks(images, worth=10)
    (kept,) = cache_folder().iterdir()
    kept.write_bytes(content)
    assert indexed_checks(images, worth=10) == first
    assert len(decoded) == 40
    indexed_checks(images, worth=10)
    assert len(decoded) == 40


def test_another_version_of_the_decoder_looks_again(
    images: list[Path], decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed_checks(images, worth=10)
    monkeypatch.setattr(image_index.PIL, "__version__", "0")
    indexed_checks(images, worth=10)
    assert len(decoded) == 40


def test_without_a_cache_nothing_is_lost(
    images: list[Path], decoded: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NOISELAYER_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        assert indexed_checks(images, worth=10) == check_images(images)
    assert len(decoded) == 40
    assert indexed_checks(images[:5], worth=10) == check_images(images[:5])

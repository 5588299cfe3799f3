from __future__ import annotations

from pathlib import Path

import pytest

import noiselayer.paper.datasets.tiny_images as module
from noiselayer.errors import InputError
from noiselayer.paper.datasets import load_tiny_images
from noiselayer.paper.datasets.tiny_images import (
    METADATA,
    open_tiny_images,
    open_tiny_metadata,
    tiny_image_search,
)

WORDS = ["aardvark", "cat", "cat", "cathedral", "tabby_cat", "dog", "cat", "zoo"]


def pixel(image: int, row: int, column: int, channel: int) -> int:
    return (image * 11 + row * 5 + column * 3 + channel * 101) % 256


def record(number: int, keyword: str) -> bytes:
    """One image's metadata, written field after field at its documented width."""
    text = (
        f"{keyword:<80}"
        + f"{f'{keyword}_s_{number:06d}.png':<95}"
        + "32"
        + "32"
        + "3"
        + f"{'15 May 2006 12:39:30 +0000':<32}"
        + f"{'altavista':<10}"
        + f"{'http://example.org/thumb.jpg':<200}"
        + f"{'http://example.org/source.jpg':<328}"
        + f"{7:<4d}{number:<4d}{number + 1:<4d}{number + 2:<4d}"
        + "-1"
    )
    assert len(text) == 768
    return text.encode()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    binary, metadata = tmp_path / "tiny_images.bin", tmp_path / "tiny_metadata.bin"
    with binary.open("wb") as file:
        for image in range(len(WORDS)):
            for channel in range(3):
                for column in range(32):  # columns before rows, as MATLAB writes
                    file.write(bytes(pixel(image, row, column, channel) for row in range(32)))
    metadata.write_bytes(b"".join(record(k, word) for k, word in enumerate(WORDS)))
    return binary, metadata


def test_pixels_are_planes_of_columns(files: tuple[Path, Path]) -> None:
    images = open_tiny_images(files[0])
    assert images.shape == (8, 32, 32, 3)
    assert not images.flags.owndata
    for image, row, column, channel in [(0, 1, 0, 0), (3, 2, 31, 1), (7, 30, 4, 2)]:
        assert images[image, row, column, channel] == pixel(image, row, column, channel)


def test_metadata_field_by_field(files: tuple[Path, Path]) -> None:
    records = open_tiny_metadata(files[1])
    assert METADATA.itemsize == 768
    assert {name: bytes(records[4][name]).decode().strip() for name in METADATA.names or ()} == {
        "keyword": "tabby_cat",
        "filename": "tabby_cat_s_000004.png",
        "width": "32",
        "height": "32",
        "colors": "3",
        "date": "15 May 2006 12:39:30 +0000",
        "engine": "altavista",
        "thumb_url": "http://example.org/thumb.jpg",
        "source_url": "http://example.org/source.jpg",
        "page": "7",
        "ind_page": "4",
        "ind_engine": "5",
        "ind_overall": "6",
        "label": "-1",
    }


@pytest.mark.parametrize("records", [1, 3, 1000])
def test_search_finds_whole_words_in_any_piece(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    monkeypatch.setattr(module, "_RECORDS", records)
    found = tiny_image_search(files[1], ["zoo", "cat", "dog"])
    assert {word: positions.tolist() for word, positions in found.items()} == {
        "zoo": [7],
        "cat": [1, 2, 6],
        "dog": [5],
    }
    assert tiny_image_search(files[1], []) == {}


def test_images_of_keywords(files: tuple[Path, Path]) -> None:
    pictures = load_tiny_images(*files, keywords={"dog": ["dog"], "cat": ["cat", "tabby_cat"]})
    assert pictures.class_names == ("dog", "cat")
    assert pictures.labels.tolist() == [1, 1, 1, 0, 1]
    assert pictures.images[:, 0, 0, 0].tolist() == [pixel(k, 0, 0, 0) for k in (1, 2, 4, 5, 6)]
    some = load_tiny_images(*files, keywords={"dog": ["dog"], "cat": ["cat"]}, indices=[6, 5, 0])
    assert some.labels.tolist() == [0, 1]
    assert some.images[:, 3, 2, 1].tolist() == [pixel(k, 3, 2, 1) for k in (5, 6)]


def test_images_at_positions_and_at_random(files: tuple[Path, Path]) -> None:
    pictures = load_tiny_images(files[0], indices=[7, 0])
    assert pictures.labels.tolist() == [-1, -1]
    assert pictures.images[:, 0, 0, 0].tolist() == [pixel(k, 0, 0, 0) for k in (0, 7)]
    draws = {
        tuple(load_tiny_images(files[0], limit=3, seed=seed).images[:, 0, 0, 0].tolist())
        for seed in (0, 0, 1, 2, 3)
    }
    assert 2 <= len(draws) <= 4
    assert all(len(set(draw)) == 3 for draw in draws)
    few = load_tiny_images(*files, keywords={"cat": ["cat"]}, limit=2)
    assert (len(few), few.labels.tolist()) == (2, [0, 0])


def test_the_whole_file_is_not_read(files: tuple[Path, Path]) -> None:
    pictures = load_tiny_images(*files)
    assert len(pictures) == 8
    assert not pictures.images.flags.owndata


def test_refusals(files: tuple[Path, Path], tmp_path: Path) -> None:
    binary, metadata = files
    with pytest.raises(InputError, match=r"no image of .*tiny_metadata\.bin has the keyword 'tab'"):
        load_tiny_images(binary, metadata, keywords={"cat": ["cat", "tab"]})
    with pytest.raises(InputError, match="keywords must differ; 'cat' is there twice"):
        load_tiny_images(binary, metadata, keywords={"cat": ["cat"], "pet": ["cat"]})
    with pytest.raises(
        InputError, match="keywords must be 1 to 80 bytes without spaces around them; got 'cat '"
    ):
        tiny_image_search(metadata, ["cat "])
    with pytest.raises(InputError, match=r"indices must lie in 0\.\.7 for the 8 images of .* got 3\.\.8"):
        load_tiny_images(binary, indices=[8, 3])
    with pytest.raises(InputError, match=r"limit must be 0 or more; got -1"):
        load_tiny_images(binary, limit=-1)
    with pytest.raises(
        InputError, match=r"there is no file .*absent\.bin, which should hold the pixels .* withdrawn"
    ):
        load_tiny_images(tmp_path / "absent.bin")
    (tmp_path / "short.bin").write_bytes(metadata.read_bytes()[:-768])
    with pytest.raises(InputError, match=r"holds 8 images, .*short\.bin 7 records; they must be of the same"):
        load_tiny_images(binary, tmp_path / "short.bin")
    (tmp_path / "cut.bin").write_bytes(binary.read_bytes()[:-1])
    with pytest.raises(
        InputError, match=r"records of 3,072 bytes; its 24,575 bytes are no multiple\. Is it whole"
    ):
        open_tiny_images(tmp_path / "cut.bin")

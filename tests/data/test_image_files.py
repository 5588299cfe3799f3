from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from noiselayer.data import ImageFileInputs
from noiselayer.errors import InputError
from noiselayer.files.decode import check_images, decode_image, map_chunks

MakeImage = Callable[..., Path]


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "tiff"])
def test_a_lossless_image_of_the_right_size_comes_out_as_it_went_in(tmp_path: Path, ending: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if ending == "webp" else {}))
    inputs = ImageFileInputs([path], (6, 9))
    assert (inputs.kind, inputs.shape, inputs.dtype) == ("image", (3, 6, 9), torch.uint8)
    assert inputs[0].permute(1, 2, 0).tolist() == pixels.tolist()


def test_cropping_keeps_proportions_and_the_centre(tmp_path: Path) -> None:
    pixels = np.zeros((40, 120, 3), dtype=np.uint8)
    pixels[:, 40:80] = 200  # the middle third of a wide image
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    wide = decode_image(tmp_path / "wide.png", (10, 10), "crop")
    assert wide[:, 1:-1].min() == 200  # the outermost columns are smoothed across the edge
    assert wide.min() > 150
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "high.png")
    assert decode_image(tmp_path / "high.png", (10, 10), "crop").tolist() == wide.transpose(1, 0, 2).tolist()


def test_scaling_cuts_nothing_off(tmp_path: Path) -> None:
    pixels = np.zeros((40, 120, 3), dtype=np.uint8)
    pixels[:, :12] = 200  # what tells the class stands at the left edge
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    squashed = decode_image(tmp_path / "wide.png", (10, 10))
    assert squashed[:, 0].min() > 150
    assert squashed[:, 2:].max() == 0
    padded = decode_image(tmp_path / "wide.png", (30, 30), "pad")
    assert padded[10:20, :2].min() > 150
    assert padded[:9].min() == padded[21:].min() == 255  # white above and below
    assert decode_image(tmp_path / "wide.png", (10, 10), "crop").max() == 0
    with pytest.raises(InputError, match="image_fit must be one of squash, pad, crop; got 'stretch'"):
        ImageFileInputs([tmp_path / "wide.png"], 10, fit="stretch")  # type: ignore[arg-type]


def test_a_large_jpeg_is_close_to_full_decoding(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    Image.fromarray(np.stack([np.tile(ramp, (480, 1))] * 3, axis=-1)).save(tmp_path / "a.jpg", quality=95)
    small = decode_image(tmp_path / "a.jpg", (24, 32)).astype(int)
    with Image.open(tmp_path / "a.jpg") as image:
        full = np.asarray(image.convert("RGB")).astype(int)
    blocks = full.reshape(24, 20, 32, 20, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() < 8


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:, :16] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise: the left becomes the top
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert check_images([tmp_path / "a.jpg"])[0].size == (32, 16)
    upright = decode_image(tmp_path / "a.jpg", (32, 16))
    assert upright[:14].min() > 240
    assert upright[18:].max() < 15


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), dtype=np.uint8)  # black, and on the left half opaque
    rgba[:, :2, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    palette = Image.fromarray(rgba).convert("RGBA").quantize(4)
    palette.save(tmp_path / "palette.png")
    for name in ("rgba.png", "palette.png"):
        out = decode_image(tmp_path / name, (4, 4))
        assert (out[:, :2].max(), out[:, 2:].min()) == (0, 255), name


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257], [257 * 128, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png", (2, 2))[..., 0].tolist() == [[0, 1], [128, 255]]


def test_floating_point_pixels_are_refused_with_a_reason(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"cannot read image .*a\.tiff: floating-point pixels"):
        decode_image(tmp_path / "a.tiff", (4, 4))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (4, 4), "white").convert(mode).save(path)
    assert decode_image(path, (2, 2)).tolist() == np.full((2, 2, 3), 255).tolist()


def test_damaged_files_are_found_up_front_by_path(tmp_path: Path, make_image: MakeImage) -> None:
    good = make_image(tmp_path / "good.png")
    cut_jpeg = make_image(tmp_path / "cut.jpg", (64, 64), keep=0.6)
    cut_png = make_image(tmp_path / "cut.png", (64, 64), keep=0.6)
    text = tmp_path / "text.png"
    text.write_text("not an image")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    missing = tmp_path / "missing.png"
    inputs = ImageFileInputs([cut_jpeg, good, cut_png, text, empty, missing], 8)
    found = {check.path: check.error for check in inputs.verify()}
    assert list(found) == [cut_jpeg, cut_png, text, empty, missing]
    assert "truncated" in str(found[cut_jpeg])
    assert "truncated" in str(found[cut_png])
    assert found[text] == found[empty] == "not an image, or of an unknown format"
    assert found[missing] == "no such file"
    with pytest.raises(InputError, match=r"cannot read image .*cut\.jpg: image file is truncated"):
        inputs[0]
    with pytest.raises(InputError, match=r"cut\.jpg"):
        inputs.in_memory()


def test_in_memory_holds_the_same_images(tmp_path: Path, make_image: MakeImage) -> None:
    paths = [make_image(tmp_path / f"{index}.png", (9, 12), seed=index) for index in range(70)]
    inputs = ImageFileInputs(paths, (4, 6), ids=[path.name for path in paths])
    memory = inputs.in_memory()
    assert (memory.ids, memory.shape, memory.dtype) == (inputs.ids, inputs.shape, inputs.dtype)
    order = [69, 3, 3, 64]
    assert torch.equal(memory.__getitems__(order), inputs.__getitems__(order))


def test_chunks_keep_their_order() -> None:
    assert [n for chunk in map_chunks(list, range(1000)) for n in chunk] == list(range(1000))


@pytest.mark.parametrize("size", [0, -3, (4, 0), (4, 4, 4), (2.5, 2)])
def test_image_sizes_that_are_none(tmp_path: Path, size: object) -> None:
    with pytest.raises(InputError, match="image_size must be a positive number of pixels"):
        ImageFileInputs([tmp_path / "a.png"], size)  # type: ignore[arg-type]


def test_no_paths_and_wrong_ids(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one image file; got none"):
        ImageFileInputs([], 8)
    with pytest.raises(InputError, match="1 paths, 2 ids"):
        ImageFileInputs(["a.png"], 8, ids=["a", "b"])

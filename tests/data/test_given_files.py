"""Files and folders as people have them: pipes, loops, links to what is read, damaged arrays, names too long."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noiselayer.data import read_data
from noiselayer.data.label_files import read_labels
from noiselayer.data.probabilities import read_probabilities
from noiselayer.errors import InputError
from noiselayer.files.given import check_not_read

MakeImage = Callable[..., Path]
READERS = {"data": read_data, "labels": read_labels, "probabilities": read_probabilities}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "name", ["pipe.csv", "pipe.npy", "pipe.npz", "pipe.jsonl", "pipe.xlsx", "pipe.parquet"]
)
def test_a_pipe_is_refused_at_once(tmp_path: Path, reader: str, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"must be a regular file; it is a pipe, socket or device"):
        READERS[reader](str(tmp_path / name))


def test_a_pipe_among_images_is_an_image_that_cannot_be_read(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "cat" / "a.png")
    make_image(tmp_path / "dog" / "a.png")
    os.mkfifo(tmp_path / "dog" / "b.png")
    with pytest.raises(InputError, match=r"1 of 3 images cannot be read: dog/b\.png \(no regular file\)"):
        read_data(tmp_path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", [f"{'x' * 300}.csv", f"{'x' * 300}.npy"])
def test_names_that_are_too_long_name_no_file(reader: str, name: str) -> None:
    with pytest.raises(InputError, match="there is no file"):
        READERS[reader](name)


@pytest.mark.parametrize("to", [".", "..", "cat"])
def test_a_folder_is_read_once_however_many_links_lead_to_it(
    tmp_path: Path, make_image: MakeImage, to: str
) -> None:
    animals = tmp_path / "animals"
    make_image(tmp_path / "beside" / "mine.png", seed=9)
    for name in ("cat", "dog"):
        for number in range(3):
            make_image(animals / name / f"{number}.png", seed=number)
    (animals / "dog" / "again").symlink_to((animals / to).resolve(), target_is_directory=True)
    data = read_data(animals)
    assert data.labels is not None
    assert (len(data), data.labels.tolist()) == (6, [0, 0, 0, 1, 1, 1])
    assert data.inputs.ids == tuple(f"{name}/{number}.png" for name in ("cat", "dog") for number in range(3))
    assert "links to folders that are read already or hold this one, not followed: dog/again" in data.origin


def test_a_class_may_be_a_link_to_another_place(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "animals" / "cat" / "a.png")
    make_image(tmp_path / "elsewhere" / "b.png", seed=1)
    (tmp_path / "animals" / "dog").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert read_data(tmp_path / "animals").inputs.ids == ("cat/a.png", "dog/b.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_class_folder_that_cannot_be_read_is_named(class_folder: Path) -> None:
    (class_folder / "dog").chmod(0)
    try:
        with pytest.raises(InputError, match=r"cannot read .*dog \(Permission denied\)"):
            read_data(class_folder)
    finally:
        (class_folder / "dog").chmod(0o755)


def npy(header: bytes, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


DAMAGED = {
    "no dictionary": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,\n"),
    "terabytes": npy(
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n", b"\0" * 80
    ),
    "beyond 64 bits": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }\n"),
    "negative": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-3, 2), }\n", b"\0" * 80),
    "unknown type": npy(b"{'descr': 'zz9', 'fortran_order': False, 'shape': (3,), }\n"),
    "unknown version": b"\x93NUMPY\x09\x00" + b"\0" * 80,
    "empty": b"",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("reader", READERS)
def test_damaged_arrays_are_named(tmp_path: Path, damage: str, reader: str, packed: bool) -> None:
    path = tmp_path / ("a.npz" if packed else "a.npy")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", DAMAGED[damage])
    else:
        path.write_bytes(DAMAGED[damage])
    with pytest.raises(InputError, match=r"cannot read .*a\.np.: it is damaged or not a NumPy file"):
        READERS[reader](str(path))


@pytest.mark.parametrize("kind", ["encrypted", "unknown method", "lzma"])
def test_archives_that_cannot_be_opened(tmp_path: Path, kind: str) -> None:
    content, path = io.BytesIO(), tmp_path / "a.npz"
    np.save(content, np.arange(300))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA if kind == "lzma" else zipfile.ZIP_STORED) as archive:
        archive.writestr("x.npy", content.getvalue())
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    if kind == "encrypted":
        raw[6] |= 1
        raw[central + 8] |= 1
    elif kind == "unknown method":
        raw[8], raw[central + 10] = 77, 77
    else:
        raw[45:60] = b"\xff" * 15
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"array 'x' of .*a\.npz: it is damaged or not a NumPy file"):
        read_labels(str(path))


def test_a_single_image_can_be_predicted_on(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), "red").save(tmp_path / "a.png")
    data = read_data(tmp_path / "a.png", with_labels=False, image_size=8, class_names=["cat", "dog"])
    assert (len(data), data.inputs.shape, data.inputs.ids) == (1, (3, 8, 8), ("a.png",))
    with pytest.raises(InputError, match="is a single image, which has no label; give the folder"):
        read_data(tmp_path / "a.png")


def test_what_is_read_is_never_written(tmp_path: Path) -> None:
    data, folder = tmp_path / "data.csv", tmp_path / "images"
    data.write_text("x")
    folder.mkdir()
    (tmp_path / "hard.csv").hardlink_to(data)
    (tmp_path / "soft.csv").symlink_to(data)
    (tmp_path / "way").symlink_to(folder, target_is_directory=True)
    for out in (
        data,
        tmp_path / "hard.csv",
        tmp_path / "soft.csv",
        folder / ".." / "data.csv",
        tmp_path / "way",
    ):
        with pytest.raises(
            InputError, match="is read here, so it cannot be written too; name another with out"
        ):
            check_not_read([tmp_path / "other.csv", out], [None, data, folder])
    for out in (folder / "new.csv", tmp_path / "way" / "new.csv", folder / "deep" / "run"):
        with pytest.raises(InputError, match="lies in .*images, which is read here"):
            check_not_read([out], [data, folder])
    check_not_read([tmp_path / "other.csv", tmp_path / "images.csv"], [data, folder, "random"])

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import noiselayer.paper.datasets.fashion_mnist as module
from noiselayer.errors import InputError
from noiselayer.paper.datasets import load_fashion_mnist

SIZES = {"train": 5, "t10k": 3}


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEBIAN_FASHION_MNIST", tmp_path / "debian")


def pixels_of(part: str) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(SIZES[part]).integers(0, 256, (SIZES[part], 28, 28), dtype=np.uint8)


def write_idx(folder: Path, *, packed: bool) -> None:
    """The four files: a big-endian header of magic number and sizes, then bytes row by row."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, size in SIZES.items():
        images = struct.pack(">IIII", 0x00000803, size, 28, 28) + pixels_of(part).tobytes()
        labels = struct.pack(">II", 0x00000801, size) + bytes(range(9, 9 - size, -1))
        for name, content in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            path = folder / f"{part}-{name}"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("where", ["data/FashionMNIST/raw", "data", "debian"])
def test_wherever_the_files_lie(tmp_path: Path, where: str, packed: bool) -> None:
    write_idx(tmp_path / where, packed=packed)
    sets = load_fashion_mnist(tmp_path / "data")
    assert sets["train"].images.shape == (5, 28, 28, 1)
    assert (sets["train"].images[..., 0] == pixels_of("train")).all()
    assert (sets["test"].images[..., 0] == pixels_of("t10k")).all()
    assert sets["train"].labels.tolist() == [9, 8, 7, 6, 5]
    assert sets["test"].labels.tolist() == [9, 8, 7]
    assert sets["test"].class_names[9] == "Ankle boot"


def test_a_file_that_is_lacking_is_not_taken_from_elsewhere(tmp_path: Path) -> None:
    write_idx(tmp_path / "data", packed=False)
    (tmp_path / "data" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError) as raised:
        load_fashion_mnist(tmp_path / "data")
    message = str(raised.value)
    assert message.startswith(f"folder {tmp_path / 'data'} should hold train-images-idx3-ubyte, ")
    assert f'torchvision.datasets.FashionMNIST("{tmp_path / "data"}", download=True)' in message
    assert "apt-get install dataset-fashion-mnist" in message


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content", [b"", b"not an IDX file", struct.pack(">IIII", 0x803, 5, 28, 28) + b"12"])
def test_damaged_files(tmp_path: Path, packed: bool, content: bytes) -> None:
    write_idx(tmp_path, packed=packed)
    name = "train-images-idx3-ubyte"
    if packed:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content) if content else b"")
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"cannot read .*{name}.*: it is damaged or not an IDX file"):
        load_fashion_mnist(tmp_path)

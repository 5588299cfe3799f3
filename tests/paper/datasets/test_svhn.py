from __future__ import annotations

import builtins
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
from torchvision.datasets import SVHN

from noiselayer.errors import InputError
from noiselayer.paper.datasets import load_svhn

LABELS = {"train": [1, 10, 9, 2], "extra": [10, 10], "test": [5, 6, 7]}


def pixels_of(split: str) -> npt.NDArray[np.uint8]:
    shape = (len(LABELS[split]), 32, 32, 3)
    return np.random.default_rng(len(LABELS[split])).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MATLAB files as SVHN has them: X of rows, columns, channels, images; y a column, where 10 is the digit 0."""
    split_list = {}
    for split, labels in LABELS.items():
        path = tmp_path / f"{split}_32x32.mat"
        X = np.asfortranarray(pixels_of(split).transpose(1, 2, 3, 0))
        scipy.io.savemat(path, {"X": X, "y": np.array(labels, dtype=np.uint8)[:, None]}, do_compression=True)
        split_list[split] = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(SVHN, "split_list", split_list)
    return tmp_path


def test_all_splits(folder: Path) -> None:
    sets = load_svhn(folder)
    assert list(sets) == ["train", "extra", "test"]
    for split, pictures in sets.items():
        assert (pictures.images == pixels_of(split)).all()
        assert pictures.labels.tolist() == [label % 10 for label in LABELS[split]]
        assert pictures.class_names == tuple("0123456789")


def test_one_split_asks_for_its_file_alone(folder: Path) -> None:
    (folder / "extra_32x32.mat").unlink()
    assert list(load_svhn(folder, ["test"])) == ["test"]
    with pytest.raises(InputError) as raised:
        load_svhn(folder)
    assert str(raised.value) == (
        f"folder {folder} should hold extra_32x32.mat. To download it: "
        f'torchvision.datasets.SVHN("{folder}", split="extra", download=True).'
    )


def test_damaged_and_unknown(folder: Path) -> None:
    with (folder / "test_32x32.mat").open("ab") as file:
        file.write(b"x")
    with pytest.raises(
        InputError, match=r"test_32x32\.mat is not whole: its checksum is another\. To download"
    ):
        load_svhn(folder, ["test"])
    with pytest.raises(InputError, match="splits of SVHN are train, extra, test; got 'valid'"):
        load_svhn(folder, ["train", "valid"])


def test_without_scipy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_scipy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_scipy)
    with pytest.raises(
        InputError, match=r"to read test_32x32\.mat SciPy must be installed: pip install scipy"
    ):
        load_svhn(folder, ["test"])

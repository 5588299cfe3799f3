from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from torchvision.datasets import CIFAR10

from noiselayer.errors import InputError
from noiselayer.paper.datasets import CIFAR10_CLASSES, load_cifar10


def pixel(image: int, row: int, column: int, channel: int) -> int:
    """What every pixel of the written batches is, so that no transposition can hide."""
    return (image * 7 + row * 5 + column * 3 + channel * 101) % 256


def write_batches(folder: Path, monkeypatch: pytest.MonkeyPatch, *, names: tuple[str, ...]) -> None:
    """Two images per batch in CIFAR-10's own format, and their checksums in place of the real ones."""
    base = folder / "cifar-10-batches-py"
    base.mkdir(parents=True)

    def write(name: str, content: object) -> str:
        data = pickle.dumps(content, protocol=2)
        (base / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    sums = []
    for number, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        rows = [
            [
                pixel(2 * number + k, row, column, channel)
                for channel in range(3)
                for row in range(32)
                for column in range(32)
            ]
            for k in range(2)
        ]
        content = {
            "data": np.array(rows, dtype=np.uint8),
            "labels": [number, (number + 1) % 10],
            "filenames": ["a.png", "b.png"],
        }
        sums.append([name, write(name, content)])
    meta = {"filename": "batches.meta", "key": "label_names"}
    meta["md5"] = write("batches.meta", {"label_names": list(names), "num_vis": 3072})
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(CIFAR10, "meta", meta)


def test_python_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_batches(tmp_path, monkeypatch, names=CIFAR10_CLASSES)
    sets = load_cifar10(tmp_path)
    train, test = sets["train"], sets["test"]
    assert (train.images.shape, test.images.shape) == ((10, 32, 32, 3), (2, 32, 32, 3))
    for image, row, column, channel in [(0, 0, 0, 0), (3, 31, 2, 1), (9, 4, 30, 2)]:
        assert train.images[image, row, column, channel] == pixel(image, row, column, channel)
    assert test.images[1, 5, 6, 2] == pixel(11, 5, 6, 2)
    assert train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert test.labels.tolist() == [5, 6]
    assert train.class_names == test.class_names == CIFAR10_CLASSES
    assert sets["cifar10n"] == {}


def test_a_damaged_batch_is_refused_before_it_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batches(tmp_path, monkeypatch, names=CIFAR10_CLASSES)
    with (tmp_path / "cifar-10-batches-py" / "data_batch_3").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"cifar-10-batches-py are not whole\. To download .*CIFAR10\("):
        load_cifar10(tmp_path)


def write_npz(folder: Path, **more: npt.NDArray[np.generic]) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8),
        "y_train": np.array([9, 8, 7, 0, 1, 2], dtype=np.uint8),
        "x_test": rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8),
        "y_test": np.array([4, 4], dtype=np.uint8),
    }
    np.savez(folder / "cifar10.npz", **arrays, **more)


def test_npz_with_human_labels(tmp_path: Path) -> None:
    worse = np.array([9, 1, 7, 0, 1, 5], dtype=np.uint8)
    write_npz(tmp_path, cifar10n_worse=worse)
    sets = load_cifar10(str(tmp_path))
    assert sets["train"].labels.tolist() == [9, 8, 7, 0, 1, 2]
    assert sets["train"].class_names == CIFAR10_CLASSES
    assert {name: labels.tolist() for name, labels in sets["cifar10n"].items()} == {"worse": worse.tolist()}
    assert sets["cifar10n"]["worse"].dtype == np.int64
    with np.load(tmp_path / "cifar10.npz") as file:
        assert (sets["test"].images == file["x_test"]).all()


def test_npz_may_name_the_classes(tmp_path: Path) -> None:
    names = np.array([f"class {k}" for k in range(10)])
    write_npz(tmp_path, class_names=names)
    assert load_cifar10(tmp_path)["test"].class_names == tuple(names)


def test_npz_that_lacks_arrays_or_labels(tmp_path: Path) -> None:
    write_npz(tmp_path, cifar10n_aggre=np.zeros(5, dtype=np.uint8))
    with pytest.raises(InputError, match=r"cifar10n_aggre of .* each of the 6 training images; .* \(5,\)"):
        load_cifar10(tmp_path)
    np.savez(tmp_path / "cifar10.npz", x_train=np.zeros(2))
    with pytest.raises(InputError, match="it lacks y_train, x_test, y_test"):
        load_cifar10(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        load_cifar10(tmp_path)
    assert str(raised.value) == (
        f"folder {tmp_path} should hold cifar10.npz or cifar-10-batches-py. To download it: "
        f'torchvision.datasets.CIFAR10("{tmp_path}", download=True).'
    )


def test_the_real_one(data_folder: Path) -> None:
    if not (data_folder / "cifar10.npz").exists() and not (data_folder / "cifar-10-batches-py").exists():
        pytest.skip("needs CIFAR-10 in NOISELAYER_DATA")
    sets = load_cifar10(data_folder)
    assert (len(sets["train"]), len(sets["test"])) == (50_000, 10_000)
    assert np.bincount(sets["train"].labels).tolist() == [5000] * 10
    for labels in sets["cifar10n"].values():
        assert 0.05 < (labels != sets["train"].labels).mean() < 0.45

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from noiselayer.data import read_data
from noiselayer.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "animals.npz"
    np.savez(
        path,
        x_train=IMAGES,
        y_train=np.array([0, 1, 1, 0], dtype=np.uint8),
        crowd=np.array([1, 1, 0, 0]),
        x_test=IMAGES[:2],
        y_test=np.array([1, 0]),
        class_names=np.array(["cat", "dog"]),
    )
    return path


def test_usual_names_are_found(npz: Path) -> None:
    data = read_data(npz)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 1, 0]
    assert data.class_names == ("cat", "dog")
    assert data.inputs[3].permute(1, 2, 0).tolist() == IMAGES[3].tolist()
    assert data.origin == f"array 'x_train' of {npz}, labels from array 'y_train'"


def test_arrays_are_chosen_by_name(npz: Path) -> None:
    noisy = read_data(str(npz), labels="crowd")
    assert noisy.labels is not None
    assert noisy.labels.tolist() == [1, 1, 0, 0]
    by_key = read_data(npz, inputs_key="x_test", labels="y_test")
    by_address = read_data(f"{npz}:x_test", labels="y_test")
    for test in (by_key, by_address):
        assert test.labels is not None
        assert (len(test), test.labels.tolist()) == (2, [1, 0])
    with pytest.raises(InputError, match="names the array 'x_test', inputs_key the array 'x_train'"):
        read_data(f"{npz}:x_test", inputs_key="x_train")


def test_names_of_the_file_are_matched_with_names_of_the_model(npz: Path) -> None:
    data = read_data(npz, class_names=["bird", "dog", "cat"])
    assert data.labels is not None
    assert (data.labels.tolist(), data.class_names) == ([2, 1, 1, 2], ("bird", "dog", "cat"))
    with pytest.raises(InputError, match="of class 'dog', which is not one of the 2 classes cat, bird"):
        read_data(npz, class_names=["cat", "bird"])


def test_without_labels(npz: Path) -> None:
    data = read_data(npz, with_labels=False, class_names=["cat", "dog"])
    assert (data.labels, data.class_names, len(data)) == (None, ("cat", "dog"), 4)


def test_a_missing_array_is_answered_with_all_names_and_shapes(npz: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_data(npz, labels="crwod")
    message = str(caught.value)
    assert "has no array 'crwod'. Did you mean 'crowd'?" in message
    assert "x_train (4, 6, 6, 3) uint8" in message
    assert "crowd (4,) int64" in message
    with pytest.raises(InputError, match="has no array 'pictures'"):
        read_data(npz, inputs_key="pictures")


def test_unclear_arrays_are_not_guessed(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", x=np.eye(2), images=np.eye(2), y=[0, 1])
    with pytest.raises(
        InputError, match=r"more than one array of .* could be the inputs; name one with inputs_key"
    ):
        read_data(tmp_path / "two.npz")
    np.savez(tmp_path / "none.npz", a=np.eye(2))
    with pytest.raises(InputError, match=r"no array of .* usual name for the inputs.*a \(2, 2\) float64"):
        read_data(tmp_path / "none.npz")
    with pytest.raises(InputError, match=r"usual name for the labels; name one with labels"):
        read_data(tmp_path / "none.npz", inputs_key="a")


def save_labels(folder: Path, form: str) -> str:
    labels = np.array(["dog", "cat", "dog", "cat"])
    if form == "npy":
        np.save(folder / "y.npy", labels)
        return str(folder / "y.npy")
    if form.startswith("npz"):
        np.savez(folder / "y.npz", truth=labels, **({} if form == "npz" else {"other": labels[::-1]}))
        return str(folder / "y.npz") + ("" if form == "npz" else ":truth")
    (folder / "y.csv").write_text(
        "name,label\n" + "".join(f"{n},{label}\n" for n, label in enumerate(labels))
    )
    return str(folder / "y.csv")


@pytest.mark.parametrize("form", ["npy", "npz", "npz:key", "csv"])
def test_labels_from_a_file_of_their_own(tmp_path: Path, form: str) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    np.savez(tmp_path / "x.npz", x=IMAGES)
    labels = save_labels(tmp_path, form)
    for name in ("x.npy", "x.npz"):
        data = read_data(tmp_path / name, labels=labels)
        assert data.labels is not None
        assert (data.labels.tolist(), data.class_names) == ([1, 0, 1, 0], ("cat", "dog"))
    assert read_data(tmp_path / "x.npy", with_labels=False).labels is None


def test_a_column_of_a_label_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(2))
    (tmp_path / "y.csv").write_text("first,second\na,b\nb,a\n")
    where = {"labels": str(tmp_path / "y.csv")}
    data = read_data(tmp_path / "x.npy", label_column="second", **where)
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0]
    with pytest.raises(
        InputError, match=r"not clear which column .* label_column\. Its columns are: first, second"
    ):
        read_data(tmp_path / "x.npy", **where)
    with pytest.raises(InputError, match=r"no column 'secnd'\. Did you mean 'second'"):
        read_data(tmp_path / "x.npy", label_column="secnd", **where)


def test_numbers_of_labels_and_inputs_must_agree(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(4))
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    with pytest.raises(InputError, match=r"x\.npy has 4 samples, .*y\.npy 2 labels\.$"):
        read_data(tmp_path / "x.npy", labels=str(tmp_path / "y.npy"))
    (tmp_path / "y.csv").write_text("a\nb\na\nb\n")
    with pytest.raises(InputError, match=r"3 labels\. The first line of a \.csv file is its header"):
        read_data(tmp_path / "x.npy", labels=str(tmp_path / "y.csv"))


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_python_objects_are_not_loaded(tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    array = np.array([Trap()], dtype=object)
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=array)
    with pytest.raises(InputError, match=r"holds Python objects.*array\.astype\(float\)"):
        read_data(tmp_path / name, with_labels=False)
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError):
        read_data(tmp_path / name, with_labels=False)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_damaged_files(tmp_path: Path, name: str, keep: float) -> None:
    np.save(tmp_path / "x.npy", np.ones((50, 50)))
    np.savez(tmp_path / "x.npz", x=np.ones((50, 50)))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(InputError, match=r"cannot read .*: it is damaged or not a NumPy file"):
        read_data(tmp_path / name, with_labels=False)


def test_damage_inside_an_archive_is_found(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((50, 50)))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[5000:5010] = b"\xff" * 10
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read array 'x' of .*Bad CRC-32"):
        read_data(tmp_path / "x.npz", with_labels=False)


def test_large_arrays_stay_on_the_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    data = read_data(tmp_path / "x.npy", with_labels=False)
    assert isinstance(data.inputs._array, np.memmap)  # type: ignore[attr-defined]
    assert torch.equal(data.inputs[1], torch.from_numpy(IMAGES[1]).permute(2, 0, 1))


def test_arrays_are_not_resized(npz: Path) -> None:
    assert read_data(npz, image_size=6).inputs.shape == (3, 6, 6)
    with pytest.raises(InputError, match=r"image_size is 8, but the samples of .* have shape \(3, 6, 6\)"):
        read_data(npz, image_size=8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"labels": "y"},
            "labels must be a file .npy, .npz:KEY or a table (.csv, .tsv, .csv.gz, .tsv.gz, .jsonl, .xlsx, .parquet); "
            "got 'y'.",
        ),
        ({"labels": "nowhere.npy"}, "there is no file of labels nowhere.npy"),
        ({}, "holds inputs only; name the file of their labels with labels"),
        ({"labels": "LABELS", "label_column": "a"}, "label_column is for tables, and the labels are in"),
    ],
)
def test_labels_that_cannot_be_found(tmp_path: Path, options: dict[str, str], message: str) -> None:
    np.save(tmp_path / "x.npy", np.eye(2))
    np.save(tmp_path / "LABELS.npy", np.array([0, 1]))
    if options.get("labels") == "LABELS":
        options = {**options, "labels": str(tmp_path / "LABELS.npy")}
    with pytest.raises(InputError, match=re.escape(message)):
        read_data(tmp_path / "x.npy", **options)


def test_a_label_archive_of_several_arrays_needs_a_key(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(2))
    np.savez(tmp_path / "y.npz", a=[0, 1], b=[1, 0])
    with pytest.raises(
        InputError, match=r"holds 2 arrays; say which one are the labels as .*y\.npz:KEY.*a \(2,\)"
    ):
        read_data(tmp_path / "x.npy", labels=str(tmp_path / "y.npz"))


def test_nan_is_named_with_its_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([[0.0], [np.nan]]), y=[0, 1])
    with pytest.raises(InputError, match=r"array 'x' of .*x\.npz must be finite.*row 1 .* holds nan"):
        read_data(tmp_path / "x.npz")


def test_a_single_value_is_no_array_of_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.eye(2), y=np.array(1))
    with pytest.raises(InputError, match="one label per sample: array 'y' holds a single value"):
        read_data(tmp_path / "data.npz")

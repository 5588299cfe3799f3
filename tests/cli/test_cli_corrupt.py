"""``noiselayer corrupt``: the noise asked for, in the form of the labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result

from noiselayer.noise import pair_flip
from noiselayer.storage.matrix_file import read_noise_matrix, write_noise_matrix

Run = Callable[..., Result]


@pytest.mark.parametrize("noise", ["symmetric", "pair-flip", "random"])
def test_the_noise_made_is_that_of_the_matrix_written(run: Run, tmp_path: Path, noise: str) -> None:
    true = np.repeat(np.arange(3, dtype=np.uint8), 4000)
    np.save(tmp_path / "y.npy", true)
    out = tmp_path / "noisy.npy"
    result = run("corrupt", tmp_path / "y.npy", "--out", out, "--noise", noise, "--rate", 0.3)
    assert result.exit_code == 0, result.output
    noisy = np.load(out)
    assert noisy.dtype == np.uint8
    Q = read_noise_matrix(tmp_path / "noisy.noise_matrix.csv", ["0", "1", "2"])
    counted = np.zeros((3, 3))
    np.add.at(counted, (noisy, true), 1 / 4000)
    assert np.abs(counted - Q.numpy()).max() < 0.03
    assert Q.diagonal().tolist() == pytest.approx([0.7] * 3)
    assert f"{(noisy != true).sum():,} of 12,000 labels" in result.stderr


def test_a_seed_is_a_seed(run: Run, vectors: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("corrupt", f"{vectors}:y_true", "--out", tmp_path / f"{name}.npy", "--seed", seed)
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    assert (a == b).all()
    assert (a != c).any()


def test_a_table_keeps_its_other_columns_letter_by_letter(run: Run, table: Path, tmp_path: Path) -> None:
    Q = pair_flip(2, 1.0)
    write_noise_matrix(tmp_path / "q.csv", Q, ["old", "young"])
    result = run("corrupt", table, "--out", tmp_path / "noisy.csv", "--noise", tmp_path / "q.csv")
    assert result.exit_code == 0, result.output
    before, after = (pd.read_csv(path, dtype=str) for path in (table, tmp_path / "noisy.csv"))
    pd.testing.assert_frame_equal(before.drop(columns="label"), after.drop(columns="label"))
    swapped = {"old": "young", "young": "old"}
    assert after["label"].tolist() == [swapped[label] for label in before["label"]]


def test_what_it_writes_is_what_train_takes(run: Run, vectors: Path, tmp_path: Path) -> None:
    result = run("corrupt", f"{vectors}:y_true", "--class-names", "cat,dog,bird", "--out", tmp_path / "n.npz")
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "n.npz") as arrays:
        Q = read_noise_matrix(tmp_path / "n.noise_matrix.csv", ["cat", "dog", "bird"])
        assert torch.equal(torch.from_numpy(arrays["noise_matrix"]), Q)
        assert arrays["labels"].dtype == np.int64
    arguments = ("--labels", f"{tmp_path / 'n.npz'}:labels", "--method", "known")
    matrix = ("--noise-matrix", tmp_path / "n.noise_matrix.csv")
    result = run("train", vectors, *arguments, *matrix, "--epochs", 1, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--noise", "symetric"), "Did you mean 'symmetric'?"),
        (("--rate", 1.5), "from 0 to 1; got 1.5"),
        (("--out", "n.mat"), "must end with .npy, .npz or as a table does (.csv"),
        (("--out", "people.csv"), "is read here, so it cannot be written too; name another with --out"),
        (("--out", "people.csv", "--force"), "is read here, so it cannot be written too"),
        (("--label-column", "lable"), "Did you mean 'label'?"),
        (("--class-names", "old,yung"), "'young' (row "),
    ],
)
def test_bad_input(
    run: Run,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = table.read_bytes()
    result = run("corrupt", "people.csv", "--out", "noisy.csv", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert table.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]

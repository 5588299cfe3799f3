"""``noiselayer predict``: classes by name, on the screen and in files."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import noiselayer

Run = Callable[..., Result]
SHORT = ("--epochs", 2, "--warm-up-epochs", 1, "--batch-size", 16)


@pytest.fixture
def trained(run: Run, vectors: Path, tmp_path: Path) -> Path:
    result = run("train", vectors, "--labels", "y", "--method", "normal", "--out", tmp_path / "run", *SHORT)
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def test_the_screen_gets_a_table_and_nothing_else(run: Run, trained: Path, vectors: Path) -> None:
    result = run("predict", trained, vectors, "--probs")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    with np.load(vectors) as arrays:
        predictions = noiselayer.load_run(trained).predict(arrays["x"])
    assert [row["id"] for row in rows] == [str(k) for k in range(90)]
    assert [row["label"] for row in rows] == predictions.labels
    for row, probs in zip(rows, predictions.probs.tolist(), strict=True):
        assert [float(row[f"p({name})"]) for name in ("cat", "dog", "bird")] == pytest.approx(probs, abs=1e-5)
        assert float(row["probability"]) == pytest.approx(max(probs), abs=1e-5)


def test_files(run: Run, trained: Path, vectors: Path, tmp_path: Path) -> None:
    for name in ("p.csv", "p.parquet"):
        result = run("predict", trained, vectors, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert "90 predictions written" in result.stderr
    one = pd.read_csv(tmp_path / "p.csv", dtype={"id": str})
    other = pd.read_parquet(tmp_path / "p.parquet")
    assert list(one.columns) == ["id", "label", "probability"]
    assert one["label"].tolist() == other["label"].tolist()
    assert one["probability"].tolist() == pytest.approx(other["probability"].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "data.npz"), "there is no run in"),
        (("run", "data.np"), "Did you mean 'data.npz'?"),
        (("run", "data.npz:y_true"), "must be vectors"),
        (("run", "wide.npy"), "takes samples of shape (2,)"),
        (("run", "data.npz", "--out", "p.xlsx"), "must end with .csv or .parquet"),
        (("run", "data.npz", "--out", "data.csv"), "--force"),
        (("run", "data.npz", "--out", "no/where.csv"), "there is no folder"),
    ],
)
def test_bad_input(
    run: Run,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "wide.npy", np.zeros((3, 5)))
    (tmp_path / "data.csv").write_text("mine")
    before = {path.name for path in tmp_path.iterdir()}
    result = run("predict", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert {path.name for path in tmp_path.iterdir()} == before
    assert (tmp_path / "data.csv").read_text() == "mine"


@pytest.mark.parametrize("embed", [(), ("--embed", "patches")], ids=["network", "patches"])
def test_pixels_of_other_units_than_in_training_are_refused(
    run: Run, tmp_path: Path, embed: tuple[str, ...]
) -> None:
    images = np.random.default_rng(0).integers(256, size=(30, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(30) % 2)
    np.savez(tmp_path / "scaled.npz", images=images / 255, labels=np.arange(30) % 2)
    how = ("--method", "normal", *(embed or ("--from-scratch", "--epochs", 1)))
    named = ("--labels", "labels")
    assert run("train", tmp_path / "data.npz", *named, *how, "--out", tmp_path / "run").exit_code == 0
    assert run("predict", tmp_path / "run", tmp_path / "data.npz").exit_code == 0
    result = run("predict", tmp_path / "run", tmp_path / "scaled.npz")
    assert result.exit_code == 2
    assert "in the units of the run in" in result.stderr
    assert "largest pixel was 255; got 1 at most. Multiply by 255." in result.stderr
    how = (*how, "--test", tmp_path / "data.npz", "--out", tmp_path / "other", "--dry-run")
    result = run("train", tmp_path / "scaled.npz", *named, *how)
    assert result.exit_code == 2
    assert "the test set must hold images in the units of the noisy set" in result.stderr

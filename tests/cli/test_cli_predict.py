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

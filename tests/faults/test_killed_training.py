"""Kill -9 at any moment: the next run with --resume ends as if nothing had happened, to the last bit."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from killing import KILLS, run_killed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs processes that fork")

# Seconds differ; a run that was killed keeps the record of the last try.
_OF_THE_CLOCK = ("seconds",)


@pytest.fixture
def command(tmp_path: Path) -> list[object]:
    """Two folds of a warm-up and a main stage with dropout, a few epochs of 8 steps each."""
    generator = np.random.default_rng(0)
    true = np.arange(120) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[true] + generator.normal(size=(120, 2))
    noisy = np.where(generator.random(120) < 0.2, (true + 1) % 3, true)
    np.savez(tmp_path / "data.npz", x=x, y=noisy, class_names=["cat", "dog", "bird"])
    return [
        *("train", tmp_path / "data.npz", "--labels", "y", "--method", "learned", "--accelerator", "cpu"),
        *(
            "--start",
            "confusion",
            "--noise-trainable",
            "--epochs",
            4,
            "--warm-up-epochs",
            2,
            "--batch-size",
            16,
        ),
    ]


def without_clock(content: Any) -> Any:
    if isinstance(content, dict):
        return {k: without_clock(v) for k, v in content.items() if k not in _OF_THE_CLOCK}
    return [without_clock(v) for v in content] if isinstance(content, list) else content


def assert_same_run(one: Path, other: Path) -> None:
    """All files of two runs are the same, but for the seconds they took."""
    assert {f.name for f in one.iterdir()} == {f.name for f in other.iterdir()}
    exact = ("weights.safetensors", "noise_matrix.csv", "start_matrix.csv", "sample_counts.csv", "splits.npz")
    for name in exact:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for name in ("metrics.json", "config.json"):
        left, right = (without_clock(json.loads((f / name).read_text())) for f in (one, other))
        assert left == right, name
    curves = [pd.read_csv(f / "curves.csv").drop(columns="seconds") for f in (one, other)]
    pd.testing.assert_frame_equal(*curves, check_exact=True)


def check(tmp_path: Path, command: list[object], *, kills: int, way: str, seed: int) -> None:
    records = run_killed(tmp_path, command, kills=kills, way=way, seed=seed)
    assert sum(len(record["kills"]) for record in records) >= kills
    for record in records:
        assert_same_run(tmp_path / "straight", Path(record["folder"]))


def test_a_kill(tmp_path: Path, command: list[object]) -> None:
    check(tmp_path, command, kills=1, way="time", seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["time", "file"])
def test_many_kills(tmp_path: Path, command: list[object], way: str) -> None:
    check(tmp_path, command, kills=KILLS, way=way, seed=2)

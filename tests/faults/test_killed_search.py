"""Kill -9 a search: the trial that was killed is counted as failed and done again, and the rest is as it would be."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from killing import KILLS, run_killed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs processes that fork")


def ended(folder: Path) -> list[Any]:
    """Value and objective of every trial that has ended, in order."""
    table = pd.read_csv(folder / "trials.csv")
    assert set(table["state"]) <= {"complete", "failed"}
    table = table[table["state"] == "complete"]
    return table[["alpha", "objective", "error", "loss"]].to_numpy().tolist()  # type: ignore[no-any-return]


def check(tmp_path: Path, kills: int, seed: int) -> None:
    generator = np.random.default_rng(0)
    true = np.arange(90) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[true] + generator.normal(size=(90, 2))
    np.savez(tmp_path / "data.npz", x=x, y=np.where(generator.random(90) < 0.2, (true + 1) % 3, true))
    command = [
        *("tune", tmp_path / "data.npz", "--labels", "y", "--method", "top-down", "--accelerator", "cpu"),
        *("--grid", "0.25,0.5,0.75,1", "--epochs", 2, "--batch-size", 32, "--no-prune"),
        *("--heartbeat", 1),
    ]
    records = run_killed(tmp_path, command, kills=kills, way="time", seed=seed)
    straight = ended(tmp_path / "straight")
    assert len(straight) == 4
    for record in records:
        assert sorted(ended(Path(record["folder"]))) == sorted(straight), record


@pytest.mark.slow
def test_a_grid_that_was_killed(tmp_path: Path) -> None:
    check(tmp_path, kills=KILLS, seed=6)

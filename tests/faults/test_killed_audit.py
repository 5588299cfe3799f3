"""Kill -9 an audit while it cross-fits, judges or writes: the next one with --resume finds what it would have found."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from killing import KILLS, run_killed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs processes that fork")

# The page carries its folder's name, which differs.
_SAME = ("labels.parquet", "noise_matrix.csv", "noise_matrix_standard_error.csv", "audit_plan.json")


def check(tmp_path: Path, *, kills: int, way: str, seed: int) -> None:
    generator = np.random.default_rng(0)
    true = np.arange(120) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[true] + generator.normal(size=(120, 2))
    noisy = np.where(generator.random(120) < 0.2, (true + 1) % 3, true)
    np.savez(tmp_path / "data.npz", x=x, y=noisy, class_names=["cat", "dog", "bird"])
    command = [
        *("audit", tmp_path / "data.npz", "--labels", "y", "--accelerator", "cpu"),
        *("--folds", 3, "--epochs", 3, "--batch-size", 16),
    ]
    records = run_killed(tmp_path, command, kills=kills, way=way, seed=seed)
    straight = tmp_path / "straight"
    assert not (straight / "folds").exists()
    assert sum(len(record["kills"]) for record in records) >= kills
    for record in records:
        resumed = Path(record["folder"])
        assert {f.name for f in straight.iterdir()} == {f.name for f in resumed.iterdir()}, record
        for name in _SAME:
            assert (straight / name).read_bytes() == (resumed / name).read_bytes(), (name, record)
        found = [json.loads((folder / "audit.json").read_text()) for folder in (straight, resumed)]
        assert found[0] == found[1], record


@pytest.mark.slow
@pytest.mark.parametrize("way", ["time", "file"])
def test_an_audit_that_was_killed(tmp_path: Path, way: str) -> None:
    check(tmp_path, kills=KILLS, way=way, seed=2)

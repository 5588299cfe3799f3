"""Kill -9 an experiment's grid: finished cells stay as they are, the one that was killed is run again, none is half."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from killing import KILLS, run_killed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs processes that fork")

CELLS = [f"dataset-digits_size-800_rate-0.5_{method}_seed-0" for method in ("normal", "true")]
_OF_THE_CLOCK = ("seconds", "seconds_on_the_clock", "versions", "hardware")


def results(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """Rows without their times, and the table without its last line, which sums them."""
    rows = json.loads((folder / "table1.json").read_text())
    table = (folder / "table1.md").read_text().rstrip().rpartition("\n")[0]
    return [{k: v for k, v in row.items() if k not in _OF_THE_CLOCK} for row in rows], table


def check(tmp_path: Path, *, kills: int, way: str, seed: int) -> None:
    command = [
        *("reproduce", "table1", "--scale", "small", "--accelerator", "cpu"),
        *("--precision", "32-true", "--cells", ",".join(CELLS)),
    ]
    records = run_killed(tmp_path, command, kills=kills, way=way, seed=seed)
    straight, (rows, table) = tmp_path / "straight", results(tmp_path / "straight")
    assert len(rows) == len(CELLS)
    assert "| 50 %" in table or "| 0.5" in table, table
    for record in records:
        resumed = Path(record["folder"])
        assert results(resumed) == (rows, table), record
        for name in CELLS:
            cell = json.loads((resumed / "cells" / "table1" / f"{name}.json").read_text())
            whole = json.loads((straight / "cells" / "table1" / f"{name}.json").read_text())
            assert set(cell) == set(whole), record
    assert sum(len(record["kills"]) for record in records) >= kills


@pytest.mark.slow
@pytest.mark.parametrize("way", ["time", "file"])
def test_a_grid_of_cells_that_was_killed(tmp_path: Path, way: str) -> None:
    check(tmp_path, kills=KILLS, way=way, seed=4)

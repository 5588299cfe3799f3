"""Cells are whole or not there, a stopped grid goes on, and several processes share one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from noiselayer.errors import InputError
from noiselayer.paper import Budget, Cell, reproduce
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import Experiment
from noiselayer.paper.grid import run_grid

CELLS = [Cell({"size": size}, "normal", 0) for size in (1, 2, 3)]


class Stub:
    """An experiment whose cells take no time; it counts them."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.experiment = Experiment(
            name="stub",
            title="",
            paper="",
            cells=lambda scale, seeds: CELLS,
            budgets={"small": Budget()},
            run=self.run,
            table=lambda rows: "",
        )

    def run(self, cell, data, budget):
        self.ran.append(cell.name)
        if cell.settings["size"] == 13:
            raise RuntimeError("stopped")
        return {"dataset": "none", "test_error": float(cell.settings["size"]), "noise_matrix_error": None}

    def go(self, out: Path, cells=CELLS, budget=None, say=lambda message: None):
        return run_grid(
            self.experiment, cells, DataFolder(None), out, scale="small", budget=budget or Budget(), say=say
        )


def test_a_stopped_grid_goes_on(tmp_path: Path) -> None:
    stub = Stub()
    failing = [CELLS[0], Cell({"size": 13}, "normal", 0), CELLS[2]]
    with pytest.raises(RuntimeError, match="stopped"):
        stub.go(tmp_path, failing)
    folder = tmp_path / "cells" / "stub"
    assert [path.name for path in folder.glob("*.json")] == ["size-1_normal_seed-0.json"]
    rows = stub.go(tmp_path)
    assert stub.ran == [
        "size-1_normal_seed-0",
        "size-13_normal_seed-0",
        "size-2_normal_seed-0",
        "size-3_normal_seed-0",
    ]
    assert [row["test_error"] for row in rows] == [1.0, 2.0, 3.0]
    assert json.loads((tmp_path / "stub.json").read_text()) == rows
    assert not list(folder.glob("*.part*"))


def test_a_cell_that_another_process_runs_is_left_to_it(tmp_path: Path) -> None:
    stub, said = Stub(), []
    folder = tmp_path / "cells" / "stub"
    folder.mkdir(parents=True)
    with FileLock(folder / f".{CELLS[1].name}.lock"):
        rows = stub.go(tmp_path, say=said.append)
    assert [row["test_error"] for row in rows] == [1.0, 3.0]
    assert any("size-2_normal_seed-0 is being run by another process" in line for line in said)
    assert len(stub.go(tmp_path)) == 3  # the lock is free again


def test_results_of_another_budget_are_not_taken_for_these(tmp_path: Path) -> None:
    stub = Stub()
    stub.go(tmp_path)
    with pytest.raises(InputError, match=r"was made otherwise: budget.epochs was 20, now 3"):
        stub.go(tmp_path, budget=replace(Budget(), epochs=3))


def test_errors_name_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no experiment 'fig9'; there are fig4a, "):
        reproduce("fig9", tmp_path)
    with pytest.raises(InputError, match="there is no cell 'x'; there are dataset-digits_size-"):
        reproduce("fig4a", tmp_path, scale="small", cells=["x"])
    with pytest.raises(InputError, match="scale must be one of small, reduced, paper; got 'tiny'"):
        reproduce("fig4a", tmp_path, scale="tiny")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="CIFAR-10 needs real data: name their folder with --data"):
        reproduce("table1", tmp_path, seeds=1)
    with pytest.raises(InputError, match="threads must be at least 1; got 0"):
        reproduce("fig4a", tmp_path, scale="small", threads=0)
    with pytest.raises(InputError, match="there is no data set 'mnist'; there are cifar10, "):
        reproduce("fig4a", tmp_path, scale="small", dataset="mnist")
    assert list(tmp_path.rglob("*.json")) == []


def test_later_methods_need_an_interpreter_with_cleanlab(tmp_path: Path) -> None:
    cell = "dataset-digits_size-800_rate-0.5_prune-and-retrain_seed-0"
    with pytest.raises(InputError, match="needs an interpreter that has cleanlab: --cleanlab PYTHON"):
        reproduce("later", tmp_path, scale="small", cells=[cell])
    with pytest.raises(InputError, match="does not run cleanlab"):
        reproduce("later", tmp_path, scale="small", cells=[cell], cleanlab=str(tmp_path / "python"))

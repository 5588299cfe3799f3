"""The cells of a grid and what is made of them: each cell leaves one file, whole or not at all.

Several processes may share a grid. Rows, table and figure are made from the cells that are done.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from noiselayer.errors import InputError
from noiselayer.files.differences import differences
from noiselayer.files.whole_file import read_json, whole_file
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import section
from noiselayer.report.pictures import save_figure
from noiselayer.storage.environment import describe_hardware, versions
from noiselayer.training.options import Hardware


def run_grid(
    experiment: Experiment,
    cells: Sequence[Cell],
    data: DataFolder,
    out: Path,
    *,
    scale: Scale,
    budget: Budget,
    say: Callable[[str], None] = lambda message: None,
) -> list[Row]:
    """Run the cells that have no result yet in ``out/cells/NAME/``, each under a lock, and gather ``out/NAME.json``.

    The system frees the lock of a process that dies, and its cell is run again. A cell run in another way is an error.
    """
    folder = _folder(experiment, out)
    folder.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(cells, start=1):
        path = folder / f"{cell.name}.json"
        lock = FileLock(folder / f".{cell.name}.lock")
        try:
            with lock.acquire(blocking=False):
                if path.exists():
                    _check_same(path, cell, scale, budget)
                    continue
                say(f"{experiment.name} {number}/{len(cells)}: {cell.name}")
                row = _run(experiment, cell, data, scale, budget)
                _write_json(path, row)
                for warning in row["warnings"]:
                    say(f"  Note: {warning}")
                say(f"  test error {row['test_error']:.2f} %, {row['seconds']:.0f} s of processor time")
        except Timeout:
            say(f"{experiment.name} {number}/{len(cells)}: {cell.name} is being run by another process")
        finally:
            # A process that still waits for this file holds it open; the next one makes a new file.
            if path.exists():
                Path(lock.lock_file).unlink(missing_ok=True)
    return _collect(experiment, cells, out)


def write_results(experiment: Experiment, cells: Sequence[Cell], out: Path) -> list[Row]:
    """Write ``NAME.json``, ``NAME.md`` and, for a figure, ``NAME.png`` and ``NAME.svg``; gives back the rows."""
    rows = _collect(experiment, cells, out)
    with whole_file(out / f"{experiment.name}.md") as beside:
        beside.write_text(section(experiment, rows), encoding="utf-8")
    if experiment.figure is not None and rows:
        figure = experiment.figure(rows)
        for ending in ("svg", "png"):
            with whole_file(out / f"{experiment.name}.{ending}") as beside:
                save_figure(figure, beside)
    return rows


def rows_of(experiment: Experiment, cells: Sequence[Cell], out: Path) -> list[Row]:
    """The rows of the cells that are done, in the grid's order."""
    paths = [_folder(experiment, out) / f"{cell.name}.json" for cell in cells]
    return [{**read_json(path), "experiment": experiment.name} for path in paths if path.exists()]


def _collect(experiment: Experiment, cells: Sequence[Cell], out: Path) -> list[Row]:
    rows = rows_of(experiment, cells, out)
    with FileLock(out / f".{experiment.name}.lock"):
        _write_json(out / f"{experiment.name}.json", rows)
    (out / f".{experiment.name}.lock").unlink(missing_ok=True)
    return rows


def _write_json(path: Path, content: Any) -> None:
    with whole_file(path) as beside:
        beside.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _folder(experiment: Experiment, out: Path) -> Path:
    """Of the cells' files."""
    return out / "cells" / (experiment.cells_of or experiment.name)


def _run(experiment: Experiment, cell: Cell, data: DataFolder, scale: Scale, budget: Budget) -> Row:
    began, wall = time.process_time(), time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        figures = experiment.run(cell, data, budget)
    for warning in caught:
        if not _is_ours(warning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return {
        "experiment": experiment.name,
        "scale": scale,
        "settings": cell.settings,
        "method": cell.method,
        "seed": cell.seed,
        **figures,
        "warnings": list(dict.fromkeys(str(warning.message) for warning in caught if _is_ours(warning))),
        "seconds": round(time.process_time() - began, 1),
        "seconds_on_the_clock": round(time.monotonic() - wall, 1),
        "budget": _budget(budget),
        "hardware": describe_hardware(Hardware(accelerator=budget.accelerator, precision=budget.precision)),
        "versions": versions(),
    }


def _is_ours(warning: warnings.WarningMessage) -> bool:
    """A warning about the data or the method: part of the result."""
    return "noiselayer" in warning.filename and issubclass(warning.category, UserWarning)


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        name: getattr(budget, name)
        for name in ("model", "model_options", "epochs", "warm_up_epochs", "steps")
    }


def _check_same(path: Path, cell: Cell, scale: Scale, budget: Budget) -> None:
    row = read_json(path)
    now = {"scale": scale, "settings": cell.settings, "budget": _budget(budget)}
    differing = differences({name: row.get(name) for name in now}, now)
    if differing:
        raise InputError(
            f"{path} was made otherwise: {differing}. Name another folder with --out, or remove the file to run the "
            "cell again."
        )

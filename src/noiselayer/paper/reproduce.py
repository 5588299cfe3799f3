"""One call from an experiment's name to its rows, table and figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from noiselayer.errors import InputError
from noiselayer.paper import fig4a, fig4b, fig4c, fig5a, fig5b, fig7, table1, table2, table3
from noiselayer.paper.beyond import gold_set, later, small_network
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import SCALES, Cell, Experiment, Row, Scale
from noiselayer.paper.grid import run_grid, write_results
from noiselayer.training.machine import check_hardware
from noiselayer.training.options import Hardware
from noiselayer.training.precision import best_precision

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        *(fig4a, fig4b, fig4c, fig5a, fig5b, table1, table2, fig7, table3),
        *(gold_set, later, small_network),
    )
}
"""Name -> experiment; each is a file of its name. The last three, in ``beyond``, are not in the paper: its second
situation with human labels, a comparison with methods that came after it, and the library's own network without a
GPU."""


def load_experiment(name: str) -> Experiment:
    """The experiment of this name.

    Args:
        name: One of :data:`EXPERIMENTS`.

    Raises:
        InputError: If there is none.

    >>> load_experiment("table1").title
    'CIFAR-10, 30,000 images with wrong labels: no, true, learned and estimated Q'
    """
    if name not in EXPERIMENTS:
        raise InputError(f"there is no experiment {name!r}; there are {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]


def reproduce(
    name: str,
    out: Path,
    *,
    data: Path | None = None,
    scale: Scale = "reduced",
    seeds: int | None = None,
    dataset: str | None = None,
    cells: list[str] | None = None,
    epochs: int | None = None,
    accelerator: str = "auto",
    precision: str | None = None,
    cleanlab: str | None = None,
    threads: int = 1,
    say: Callable[[str], None] = lambda message: None,
) -> list[Row]:
    """Run an experiment, or what is left of it, and write its rows, table and figure.

    Args:
        name: One of :data:`EXPERIMENTS`.
        out: Folder of results. Cells that are there already are not run again.
        data: Folder of real data sets; docs/datasets.md says what it holds. The scale "small" needs none.
        scale: "small" (seconds, stand-in data), "reduced" (hours on two cores) or "paper" (the paper's own sizes).
        seeds: How many; the experiment's own number if None.
        dataset: Another data set than the scale's own; see :data:`noiselayer.paper.data_folder.DATASETS`.
        cells: Names of the cells to run; all if None. The results are those of all cells either way.
        epochs: Other than the scale's own; half as many for the stages before the main one.
        accelerator: "auto", "cpu", "gpu", ...
        precision: As Lightning names them; if None, mixed bfloat16 where the machine computes in it.
        cleanlab: An interpreter with cleanlab, for the experiment "later".
        threads: Of a process. Two processes with one each finish more cells than one with two; where the time of a
            single cell is the question, give it all.
        say: Called with a line when a cell begins and when it ends.

    Returns:
        The rows of all cells that are done.

    Raises:
        InputError: If something is unknown, data are missing or the folder holds other results of the same names.

    >>> import tempfile
    >>> cell = "dataset-digits_size-800_rate-0.5_true_seed-0"
    >>> rows = reproduce("table1", Path(tempfile.mkdtemp()), scale="small", cells=[cell])
    >>> rows[0]["method"], rows[0]["noise_matrix_error"]
    ('true', 0.0)
    """
    experiment = load_experiment(name)
    if scale not in SCALES:
        raise InputError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}.")
    if seeds is not None and seeds < 1:
        raise InputError(f"seeds must be at least 1; got {seeds}.")
    grid = experiment.cells(scale, range(seeds or experiment.default_seeds[scale]))
    if dataset is not None:
        grid = [replace(cell, settings={**cell.settings, "dataset": dataset}) for cell in grid]
    budget = replace(experiment.budgets[scale], accelerator=accelerator, cleanlab=cleanlab)
    check_hardware(Hardware(accelerator=accelerator, precision=precision or budget.precision))
    if epochs is not None:
        if epochs < 1:
            raise InputError(f"epochs must be at least 1; got {epochs}.")
        budget = replace(budget, epochs=epochs, warm_up_epochs=max(1, epochs // 2))
    budget = replace(budget, precision=precision or best_precision(accelerator))
    if threads < 1:
        raise InputError(f"threads must be at least 1; got {threads}.")
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        run_grid(experiment, _chosen(grid, cells), DataFolder(data), out, scale=scale, budget=budget, say=say)
    finally:
        torch.set_num_threads(usual)
    return write_results(experiment, grid, out)


def _chosen(grid: list[Cell], names: list[str] | None) -> list[Cell]:
    if names is None:
        return grid
    known = {cell.name: cell for cell in grid}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"there is no cell {missing[0]!r}; there are {', '.join(known)}.")
    return [known[name] for name in names]

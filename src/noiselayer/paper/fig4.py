"""Both curves of Fig. 4: test error of several methods on images labelled wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import corrupted, train_on
from noiselayer.paper.drawing import error_lines
from noiselayer.paper.experiment import TRY_OUT, Budget, Cell, Experiment, Row, Scale, every_cell
from noiselayer.paper.markdown import side_by_side

Grid = tuple[str, Sequence[int], Sequence[float]]
"""The data set, the numbers of training samples, the shares of wrong labels."""


def error_curve(
    name: str,
    *,
    title: str,
    paper: str,
    methods: Sequence[str],
    grids: Mapping[Scale, Grid],
    x: Callable[[Row], float],
    heading: str,
    show: Callable[[float], str],
    xlabel: str,
    logarithmic: bool = False,
) -> Experiment:
    """Test error over ``x``, which ``show`` writes into the table under ``heading``, the figure under ``xlabel``."""

    def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
        dataset, sizes, rates = grids[scale]
        settings = [{"dataset": dataset, "size": size, "rate": rate} for size in sizes for rate in rates]
        return every_cell(settings, methods, seeds)

    def table(rows: Sequence[Row]) -> str:
        return side_by_side(rows, x, [heading], lambda value: [show(value)], learned_matrix=True)

    def figure(rows: Sequence[Row]) -> Figure:
        return error_lines(rows, x, xlabel=xlabel, logarithmic=logarithmic)

    return Experiment(
        name=name,
        title=title,
        paper=paper,
        cells=cells,
        budgets={
            "small": TRY_OUT,
            "reduced": Budget(epochs=12, warm_up_epochs=6, steps=700),
            "paper": Budget(epochs=20, warm_up_epochs=10),
        },
        run=run,
        table=table,
        figure=figure,
    )


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Train on so many images at this noise level; no clean ones."""
    settings = cell.settings
    images = data.images(settings["dataset"])
    sample = corrupted(images, size=settings["size"], rate=settings["rate"], seed=cell.seed)
    return train_on(sample, method=cell.method, seed=cell.seed, budget=budget)

"""Both halves of Fig. 5: exactly so many right labels and so many wrong ones, without and with a learned Q."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import right_and_wrong, train_on
from noiselayer.paper.drawing import contours
from noiselayer.paper.experiment import TRY_OUT, Budget, Cell, Experiment, Row, Scale, every_cell
from noiselayer.paper.markdown import side_by_side

METHODS = ("normal", "learned")
Grid = tuple[str, tuple[int, ...], tuple[int, ...]]
"""The data set, the numbers of right labels, the numbers of wrong ones."""


def error_surface(
    name: str, *, title: str, paper: str, grids: Mapping[Scale, Grid], reduced: Budget, full: Budget
) -> Experiment:
    """The experiment on one data set; networks train for ``reduced`` or, at the paper's scale, for ``full``."""

    def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
        dataset, rights, wrongs = grids[scale]
        settings = [
            {"dataset": dataset, "right": right, "wrong": wrong} for right in rights for wrong in wrongs
        ]
        return every_cell(settings, METHODS, seeds)

    return Experiment(
        name=name,
        title=title,
        paper=paper,
        cells=cells,
        budgets={"small": TRY_OUT, "reduced": reduced, "paper": full},
        run=run,
        table=table,
        figure=figure,
    )


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Train on the right and the wrong labels together."""
    settings = cell.settings
    images = data.images(settings["dataset"])
    sample = right_and_wrong(images, right=settings["right"], wrong=settings["wrong"], seed=cell.seed)
    return train_on(sample, method=cell.method, seed=cell.seed, budget=budget)


def table(rows: Sequence[Row]) -> str:
    """A row per pair of numbers."""
    return side_by_side(
        rows,
        lambda row: (row["settings"]["right"], row["settings"]["wrong"]),
        ["right labels", "wrong labels"],
        lambda numbers: [f"{number:,}" for number in numbers],
    )


def figure(rows: Sequence[Row]) -> Figure:
    """A panel per method."""
    return contours(rows, METHODS)

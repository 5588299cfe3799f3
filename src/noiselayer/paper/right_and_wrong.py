"""Both halves of Fig. 5: exactly so many right labels and exactly so many wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import train_on_right_and_wrong
from noiselayer.paper.drawing import contours
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import grouped, markdown, spread

__all__ = ["right_and_wrong"]

METHODS = ("normal", "learned")
Grid = tuple[str, tuple[int, ...], tuple[int, ...]]
"""The data set, the numbers of right labels, the numbers of wrong ones."""


def right_and_wrong(
    name: str, *, title: str, paper: str, grids: Mapping[Scale, Grid], budgets: Mapping[Scale, Budget]
) -> Experiment:
    """The experiment on one data set.

    Args:
        name: On the command line.
        title: One line.
        paper: What the paper found.
        grids: Scale -> data set and numbers.
        budgets: Scale -> how long networks train.
    """

    def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
        dataset, rights, wrongs = grids[scale]
        return [
            Cell({"dataset": dataset, "right": right, "wrong": wrong}, method, seed)
            for seed in seeds
            for right in rights
            for wrong in wrongs
            for method in METHODS
        ]

    return Experiment(
        name=name, title=title, paper=paper, cells=cells, budgets=budgets, run=run, table=table, figure=figure
    )


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Train on the right and the wrong labels together."""
    settings = cell.settings
    return train_on_right_and_wrong(
        data.images(settings["dataset"]),
        right=settings["right"],
        wrong=settings["wrong"],
        method=cell.method,
        seed=cell.seed,
        budget=budget,
    )


def table(rows: Sequence[Row]) -> str:
    """A row per pair of numbers."""

    def errors(chosen: Sequence[Row], method: str) -> str:
        return spread([row["test_error"] for row in chosen if row["method"] == method])

    def numbers(row: Row) -> tuple[int, int]:
        return row["settings"]["right"], row["settings"]["wrong"]

    return markdown(
        ["right labels", "wrong labels", *METHODS],
        [
            [f"{right:,}", f"{wrong:,}", *(errors(chosen, method) for method in METHODS)]
            for (right, wrong), chosen in grouped(rows, numbers).items()
        ],
    )


def figure(rows: Sequence[Row]) -> Figure:
    """A panel per method."""
    return contours(rows, METHODS)

"""Fig. 4b: test error against the share of wrong labels, at a fixed number of training samples."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import train_on_corrupted
from noiselayer.paper.drawing import error_lines
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import grouped, markdown, methods_of, spread

__all__ = ["EXPERIMENT"]

METHODS = ("normal", "learned", "true")
GRIDS: dict[Scale, tuple[str, int, tuple[float, ...]]] = {
    "small": ("digits", 1_300, (0.3, 0.6)),
    "reduced": ("fashion-mnist", 5_000, (0.1, 0.3, 0.5, 0.7)),
    "paper": ("svhn", 100_000, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
}


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Every noise level and method."""
    dataset, size, rates = GRIDS[scale]
    return [
        Cell({"dataset": dataset, "size": size, "rate": rate}, method, seed)
        for seed in seeds
        for rate in rates
        for method in METHODS
    ]


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Train at this noise level."""
    settings = cell.settings
    return train_on_corrupted(
        data.images(settings["dataset"]),
        size=settings["size"],
        rate=settings["rate"],
        method=cell.method,
        seed=cell.seed,
        budget=budget,
    )


def table(rows: Sequence[Row]) -> str:
    """A row per noise level, a column per method."""
    methods = methods_of(rows)
    return markdown(
        ["wrong labels", *methods, "relative L1 error of the learned Q"],
        [
            [
                f"{100 * rate:.0f} %",
                *(spread([r["test_error"] for r in of_rate if r["method"] == m]) for m in methods),
                spread([r["noise_matrix_error"] for r in of_rate if r["method"] == "learned"], 3),
            ]
            for rate, of_rate in grouped(rows, lambda row: row["settings"]["rate"]).items()
        ],
    )


def figure(rows: Sequence[Row]) -> Figure:
    """Lines over the noise level."""
    return error_lines(rows, lambda row: 100 * row["settings"]["rate"], xlabel="Wrong labels, %")


EXPERIMENT = Experiment(
    name="fig4b",
    title="Test error against the share of wrong labels",
    paper="SVHN, 100k samples: the network with a learned Q is always better than the one without, and as good as "
    "with the true Q.",
    cells=cells,
    budgets={
        "small": Budget(epochs=2, warm_up_epochs=1),
        "reduced": Budget(epochs=12, warm_up_epochs=6, steps=700),
        "paper": Budget(epochs=20, warm_up_epochs=10),
    },
    run=run,
    table=table,
    figure=figure,
)

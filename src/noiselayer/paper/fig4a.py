"""Fig. 4a: test error against the number of training samples, half of the labels wrong."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import train_on_corrupted
from noiselayer.paper.drawing import error_lines
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import grouped, markdown, methods_of, spread

__all__ = ["EXPERIMENT"]

RATE = 0.5
METHODS = ("normal", "learned", "true", "top-down")
GRIDS: dict[Scale, tuple[str, tuple[int, ...]]] = {
    "small": ("digits", (400, 1300)),
    "reduced": ("fashion-mnist", (1_000, 3_000, 10_000)),
    "paper": ("svhn", (30_000, 100_000, 300_000, 600_000)),
}


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Every size and method."""
    dataset, sizes = GRIDS[scale]
    return [
        Cell({"dataset": dataset, "size": size, "rate": RATE}, method, seed)
        for seed in seeds
        for size in sizes
        for method in METHODS
    ]


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Train on so many images."""
    images = data.images(cell.settings["dataset"])
    return train_on_corrupted(
        images, size=cell.settings["size"], rate=RATE, method=cell.method, seed=cell.seed, budget=budget
    )


def table(rows: Sequence[Row]) -> str:
    """A row per size, a column per method."""
    methods = methods_of(rows)
    return markdown(
        ["training samples", *methods, "relative L1 error of the learned Q"],
        [
            [
                f"{size:,}",
                *(spread([r["test_error"] for r in of_size if r["method"] == m]) for m in methods),
                spread([r["noise_matrix_error"] for r in of_size if r["method"] == "learned"], 3),
            ]
            for size, of_size in grouped(rows, lambda row: row["training_samples"]).items()
        ],
    )


def figure(rows: Sequence[Row]) -> Figure:
    """Lines over the number of samples."""
    return error_lines(rows, lambda row: row["training_samples"], xlabel="Training samples", logarithmic=True)


EXPERIMENT = Experiment(
    name="fig4a",
    title="Test error against training size, 50 % of the labels wrong",
    paper="SVHN: the network with a learned Q is always better than the one without, and as good as with the true Q; "
    "top-down does not work for any alpha.",
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

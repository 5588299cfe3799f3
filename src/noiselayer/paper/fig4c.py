"""Fig. 4c: the true noise matrix of 50 % noise beside the learned and the estimated one. Its cells are Table 1's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure

from noiselayer.paper.datasets import CIFAR10_CLASSES
from noiselayer.paper.experiment import Cell, Experiment, Row, Scale, every_cell
from noiselayer.paper.markdown import errors, grouped, markdown, spread
from noiselayer.paper.table1 import BUDGETS, GRIDS, run
from noiselayer.report.matrix_drawing import draw_noise_matrices

METHODS = ("learned", "estimated")
_DIGITS = tuple(str(k) for k in range(10))


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Those of Table 1 that find a matrix, at 50 % noise."""
    dataset, size = GRIDS[scale]
    return every_cell([{"dataset": dataset, "size": size, "rate": 0.5}], METHODS, seeds)


def table(rows: Sequence[Row]) -> str:
    """How far each matrix is from the true one."""
    lines = [
        [
            method,
            errors(chosen, 3, column="noise_matrix_error"),
            spread([_largest_difference(row) for row in chosen], 3),
            errors(chosen, 3, column="mean_diagonal"),
            str(len(chosen)),
        ]
        for method, chosen in grouped(rows, lambda row: row["method"]).items()
    ]
    return markdown(
        ["Q", "relative L1 error", "largest error of an entry", "mean diagonal (true: 0.5)", "seeds"], lines
    )


def figure(rows: Sequence[Row]) -> Figure:
    """The matrices of the first seed, side by side."""
    first = [row for row in rows if row["seed"] == min(row["seed"] for row in rows)]
    matrices = {"true": _matrix(first[0]["true_matrix"]).numpy()}
    matrices |= {row["method"]: _matrix(row["noise_matrix"]).numpy() for row in first}
    names = CIFAR10_CLASSES if first[0]["dataset"] == "CIFAR-10" else _DIGITS
    return draw_noise_matrices(matrices, names)


def _matrix(entries: list[list[float]]) -> torch.Tensor:
    """Entries were rounded: columns sum to 1 again."""
    Q = torch.tensor(entries, dtype=torch.float64)
    return Q / Q.sum(dim=0)


def _largest_difference(row: Row) -> float:
    return float((torch.tensor(row["noise_matrix"]) - torch.tensor(row["true_matrix"])).abs().max())


EXPERIMENT = Experiment(
    name="fig4c",
    title="True, learned and estimated noise matrix, 50 % noise",
    paper="The difference between the learned, the estimated and the true Q is negligible.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
    figure=figure,
    cells_of="table1",
    default_seeds={"small": 1, "reduced": 5, "paper": 5},
)

"""Fig. 7: test error against gamma, the weight of the loosely labelled images. Its cells are Table 2's, and more."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from noiselayer.paper.drawing import error_lines
from noiselayer.paper.experiment import Cell, Experiment, Row, Scale, every_cell
from noiselayer.paper.markdown import side_by_side
from noiselayer.paper.table2 import BUDGETS, NAMES, run, settings_of

METHODS = ("normal", "top-down")
WEIGHTS: dict[Scale, tuple[float, ...]] = {
    "small": (0.2, 1.0),
    "reduced": (0.05, 0.2, 0.4, 1.0),
    "paper": (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
}


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Every weight, with the labels as they are and top-down."""
    return every_cell([settings_of(scale, "loose", weight) for weight in WEIGHTS[scale]], METHODS, seeds)


def table(rows: Sequence[Row]) -> str:
    """A row per weight."""
    return side_by_side(rows, _weight, ["γ"], lambda weight: [f"{weight:g}"], label=_label)


def figure(rows: Sequence[Row]) -> Figure:
    """Lines over gamma."""
    return error_lines(rows, _weight, xlabel="γ, the weight of a loosely labelled image", label=_label)


def _weight(row: Row) -> float:
    return float(row["settings"]["weight"])


def _label(method: str) -> str:
    return NAMES.get(method, method)


EXPERIMENT = Experiment(
    name="fig7",
    title="Test error against the weight of loosely labelled images",
    paper="In most cases a weight of 0.2 on the noisy labels helps.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
    figure=figure,
    cells_of="table2",
)

"""What an experiment is: a grid of cells, a function that runs one, and what is made of the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from noiselayer.paper.data_folder import DataFolder

Scale = Literal["small", "reduced", "paper"]
SCALES: tuple[Scale, ...] = ("small", "reduced", "paper")
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training of one method.

    Attributes:
        settings: What distinguishes the cell besides method and seed, name -> value.
        method: As the tables call it.
        seed: Of the split, the noise and the training.

    >>> Cell({"rate": 0.5, "size": 1000}, "learned", 0).name
    'rate-0.5_size-1000_learned_seed-0'
    """

    settings: dict[str, Any]
    method: str
    seed: int

    @property
    def name(self) -> str:
        """For a file's name: letters, digits, dots and dashes."""
        parts = [f"{name}-{value}" for name, value in self.settings.items()]
        return "_".join(re.sub(r"[^\w.-]+", "-", part) for part in (*parts, self.method, f"seed-{self.seed}"))


def every_cell(
    settings: Sequence[dict[str, Any]], methods: Sequence[str], seeds: Sequence[int]
) -> list[Cell]:
    """All settings with all methods, seed by seed."""
    return [Cell(each, method, seed) for seed in seeds for each in settings for method in methods]


@dataclass(frozen=True)
class Budget:
    """How long the networks of an experiment train, and in which precision.

    Attributes:
        epochs: Passes over the training samples in the main stage.
        warm_up_epochs: In every stage before it.
        steps: The least number of batches in the main stage; half as many in every stage before it. A small set
            is passed over more often for it.
        precision: As Lightning names them.
        accelerator: "auto", "cpu", "gpu", ...
        model: Base network.
        model_options: Its options.
        cleanlab: An interpreter with cleanlab, for the comparison with it; None where there is none.
    """

    epochs: int = 20
    warm_up_epochs: int = 10
    steps: int = 0
    precision: str = "32-true"
    accelerator: str = "auto"
    model: str = "paper"
    model_options: dict[str, Any] = field(default_factory=dict)
    cleanlab: str | None = None


TRY_OUT = Budget(epochs=2, warm_up_epochs=1)
"""Of the scale "small": enough to see the whole path, not to learn much."""


@dataclass(frozen=True)
class Experiment:
    """A table or figure of the paper.

    Attributes:
        name: On the command line.
        title: One line.
        paper: What the paper found, in words and figures.
        cells: Scale and seeds -> the grid.
        budgets: Scale -> how long networks train.
        run: A cell, its data and its budget -> figures of the row: at least ``test_error`` (percent) and
            ``noise_matrix_error`` (relative L1; None where there is no truth to compare with).
        table: Rows -> Markdown.
        figure: Rows -> picture; None if the experiment is a table only.
        cells_of: The experiment whose cells these are, where two show the same trainings; None for its own.
        default_seeds: How many seeds at each scale.
    """

    name: str
    title: str
    paper: str
    cells: Callable[[Scale, Sequence[int]], list[Cell]]
    budgets: Mapping[Scale, Budget]
    run: Callable[[Cell, DataFolder, Budget], Row]
    table: Callable[[Sequence[Row]], str]
    figure: Callable[[Sequence[Row]], Figure] | None = None
    cells_of: str | None = None
    default_seeds: dict[Scale, int] = field(default_factory=lambda: {"small": 1, "reduced": 1, "paper": 3})

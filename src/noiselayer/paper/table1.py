"""Table 1: 30,000 noisy images of CIFAR-10; no, the true, the learned and the estimated noise matrix.

The paper's protocol (§4.1): 20,000 clean images serve the estimate alone, 10,000 to train a normal network and 10,000
to measure it (here crossed over, so that both halves do both); then a new network is trained on the noisy ones only.
"""

from __future__ import annotations

from collections.abc import Sequence

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import corrupted, train_on
from noiselayer.paper.experiment import TRY_OUT, Budget, Cell, Experiment, Row, Scale, every_cell
from noiselayer.paper.markdown import FIGURES, figures, grouped, markdown

RATES = (0.5, 0.7)
METHODS = ("normal", "true", "learned", "estimated", "paper's recipe", "recipe, fresh network")
PAPER = {
    0.5: {"normal": 38, "true": 28, "learned": 30, "estimated": 29, "paper's recipe": 30},
    0.7: {"normal": 60, "true": 35, "learned": 40, "estimated": 35, "paper's recipe": 40},
}
GRIDS: dict[Scale, tuple[str, int]] = {
    "small": ("digits", 800),
    "reduced": ("cifar10", 30_000),
    "paper": ("cifar10", 30_000),
}
BUDGETS: dict[Scale, Budget] = {
    "small": TRY_OUT,
    "reduced": Budget(epochs=20, warm_up_epochs=10),
    "paper": Budget(epochs=120, warm_up_epochs=50),
}


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Both noise levels, every method."""
    dataset, size = GRIDS[scale]
    return every_cell([{"dataset": dataset, "size": size, "rate": rate} for rate in RATES], METHODS, seeds)


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Noisy images to train on; all others are clean and serve the estimate."""
    s = cell.settings
    sample = corrupted(data.images(s["dataset"]), size=s["size"], rate=s["rate"], seed=cell.seed)
    clean = sample.images.train.labeled(sample.rest) if cell.method == "estimated" else None
    return {
        **train_on(sample, method=cell.method, seed=cell.seed, budget=budget, clean=clean),
        "true_matrix": [[round(q, 4) for q in row] for row in sample.noise_matrix.tolist()],
        "clean_samples": 0 if clean is None else len(clean),
    }


def table(rows: Sequence[Row]) -> str:
    """A row per noise level and method, the paper's figure beside ours."""
    lines = [
        [f"{100 * rate:.0f} %", _noted(method, chosen), f"{PAPER[rate].get(method, '–')}", *figures(chosen)]
        for (rate, method), chosen in grouped(rows, rate_and_method).items()
    ]
    return markdown(["noise", "method", "paper, %", *FIGURES], lines)


def _noted(method: str, rows: Sequence[Row]) -> str:
    """The method, and in brackets what the rows' files say of a run that is out of date."""
    notes = dict.fromkeys(row["note"] for row in rows if "note" in row)
    return f"{method} ({'; '.join(notes)})" if notes else method


def rate_and_method(row: Row) -> tuple[float, str]:
    """What a line of the table stands for."""
    return row["settings"]["rate"], row["method"]


EXPERIMENT = Experiment(
    name="table1",
    title="CIFAR-10, 30,000 images with wrong labels: no, true, learned and estimated Q",
    paper="Test error normal / true / learned / estimated: 38 / 28 / 30 / 29 % at 50 % noise, 60 / 35 / 40 / 35 % at "
    "70 %.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
    default_seeds={"small": 1, "reduced": 5, "paper": 5},
)

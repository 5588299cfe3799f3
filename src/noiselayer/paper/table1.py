"""Table 1: 30,000 noisy images of CIFAR-10; no, the true, the learned and the estimated noise matrix.

The paper's protocol (§4.1): 20,000 clean images serve the estimate alone, 10,000 to train a normal network and 10,000
to measure it (here crossed over, so that both halves do both); then a new network is trained on the noisy ones only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import grouped, markdown, methods_of, spread
from noiselayer.paper.trial import corrupt, deliberate_noise, outcome, train

__all__ = ["BUDGETS", "EXPERIMENT", "GRIDS", "RATES", "run"]

RATES = (0.5, 0.7)
METHODS = ("normal", "true", "learned", "estimated", "paper's recipe")
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
    "small": Budget(epochs=2, warm_up_epochs=1),
    "reduced": Budget(epochs=20, warm_up_epochs=10),
    "paper": Budget(epochs=120, warm_up_epochs=50),
}


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Both noise levels, every method."""
    dataset, size = GRIDS[scale]
    return [
        Cell({"dataset": dataset, "size": size, "rate": rate}, method, seed)
        for seed in seeds
        for rate in RATES
        for method in METHODS
    ]


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Noisy images to train on; all others are clean and serve the estimate."""
    images = data.images(cell.settings["dataset"])
    size, method = cell.settings["size"], cell.method
    generator = torch.Generator().manual_seed(cell.seed)
    order = torch.randperm(len(images.y_train), generator=generator).numpy()
    Q = deliberate_noise(cell.settings["rate"], images.num_classes, generator)
    noisy, rest = order[:size], order[size:]
    trained = train(
        images.labeled(noisy, corrupt(images.y_train[noisy], Q, generator)),
        method=method,
        budget=budget,
        seed=cell.seed,
        clean=images.labeled(rest) if method == "estimated" else None,
        noise_matrix=Q if method == "true" else None,
    )
    return {
        **outcome(trained, images.test(), Q, dataset=images.name),
        "true_matrix": [[round(q, 4) for q in row] for row in Q.tolist()],
        "training_samples": size,
        "clean_samples": len(rest) if method == "estimated" else 0,
    }


def table(rows: Sequence[Row]) -> str:
    """A row per noise level and method, the paper's figure beside ours."""
    lines = []
    for rate, of_rate in grouped(rows, lambda row: row["settings"]["rate"]).items():
        for method in methods_of(of_rate):
            chosen = [row for row in of_rate if row["method"] == method]
            lines.append(
                [
                    f"{100 * rate:.0f} %",
                    method,
                    f"{PAPER[rate][method]}",
                    spread([row["test_error"] for row in chosen]),
                    spread([row["noise_matrix_error"] for row in chosen], 3),
                    str(len(chosen)),
                ]
            )
    return markdown(
        ["noise", "method", "paper, %", "test error, %", "relative L1 error of Q", "seeds"], lines
    )


EXPERIMENT = Experiment(
    name="table1",
    title="CIFAR-10, 30,000 images with wrong labels: no, true, learned and estimated Q",
    paper="Test error normal / true / learned / estimated: 38 / 28 / 30 / 29 % at 50 % noise, 60 / 35 / 40 / 35 % at "
    "70 %.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
    default_seeds={"small": 1, "reduced": 3, "paper": 3},
)

"""The gold-set story: 20,000 images with labels by hurried people, 40 % of them wrong, and 500 that somebody checked.

CIFAR-10N "worse" (Wei et al. 2022). The first three methods are what one would do without a noise model: train on the
500 alone, on the 20,000 alone, on both plainly mixed. "auto" is one call with both sets: it measures the noise matrix
(§3.2) and trains through it on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from noiselayer.errors import InputError
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.paper.trial import corrupt, count_matrix, deliberate_noise, outcome, train

__all__ = ["EXPERIMENT"]

METHODS = ("clean only", "noisy only", "plain mixture", "auto")
GRIDS: dict[Scale, tuple[str, int, int]] = {
    "small": ("digits", 100, 1_000),
    "reduced": ("cifar10", 500, 20_000),
    "paper": ("cifar10", 500, 20_000),
}
# 500 images make 3 steps an epoch: as many epochs as for 20,000 would be no training at all.
_EPOCHS_ON_CLEAN = 15


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Every method."""
    dataset, num_clean, num_noisy = GRIDS[scale]
    settings = {"dataset": dataset, "clean": num_clean, "noisy": num_noisy}
    return [Cell(settings, method, seed) for seed in seeds for method in METHODS]


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Checked images and images labelled by people in a hurry (for the stand-in: labelled wrong on purpose)."""
    images = data.images(cell.settings["dataset"])
    num_clean, num_noisy = cell.settings["clean"], cell.settings["noisy"]
    generator = torch.Generator().manual_seed(cell.seed)
    order = torch.randperm(len(images.y_train), generator=generator).numpy()
    gold, crowd = order[:num_clean], order[num_clean : num_clean + num_noisy]
    if images.human_labels is not None:
        given = torch.from_numpy(images.human_labels["worse"][crowd])
    elif images.name == "digits":
        Q = deliberate_noise(0.4, images.num_classes, generator)
        given = corrupt(images.y_train[crowd], Q, generator)
    else:
        raise InputError(
            f"{images.name} in this folder has no human labels; docs/datasets.md says where they are."
        )
    clean, noisy = images.labeled(gold), images.labeled(crowd, given)
    if cell.method == "clean only":
        long = replace(budget, epochs=_EPOCHS_ON_CLEAN * budget.epochs)
        trained = train(clean, method="normal", budget=long, seed=cell.seed)
    else:
        trained = train(
            noisy,
            method="auto" if cell.method == "auto" else "normal",
            clean=None if cell.method == "noisy only" else clean,
            budget=budget,
            seed=cell.seed,
        )
    truth = count_matrix(given, images.y_train[crowd], images.num_classes)
    row = outcome(trained, images.test(), truth, dataset=images.name)
    if cell.method != "auto":
        row["noise_matrix_error"] = None
    return row


def table(rows: Sequence[Row]) -> str:
    """A row per method."""
    lines = []
    for method, chosen in grouped(rows, lambda row: row["method"]).items():
        errors = [row["noise_matrix_error"] for row in chosen if row["noise_matrix_error"] is not None]
        figures = [spread([row["test_error"] for row in chosen]), spread(errors, 3)]
        lines.append([method, *figures, str(len(chosen))])
    return markdown(["trained on", "test error, %", "relative L1 error of Q", "seeds"], lines)


EXPERIMENT = Experiment(
    name="gold_set",
    title="500 checked and 20,000 hurried labels",
    paper='Not in the paper, but its second situation (§3.4, "Noisy and clean data").',
    cells=cells,
    budgets={
        "small": Budget(epochs=2, warm_up_epochs=1),
        "reduced": Budget(epochs=20, warm_up_epochs=10),
        "paper": Budget(epochs=120, warm_up_epochs=50),
    },
    run=run,
    table=table,
    default_seeds={"small": 1, "reduced": 3, "paper": 3},
)

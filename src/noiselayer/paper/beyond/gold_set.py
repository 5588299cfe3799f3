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
from noiselayer.paper.data_folder import DataFolder, Images
from noiselayer.paper.datasets.image_set import Labels
from noiselayer.paper.deliberate import deliberate_noise, draw
from noiselayer.paper.experiment import TRY_OUT, Budget, Cell, Experiment, Row, Scale, every_cell
from noiselayer.paper.markdown import FIGURES, figures, grouped, markdown
from noiselayer.paper.trial import corrupt, count_matrix, outcome, train

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
    return every_cell([{"dataset": dataset, "clean": num_clean, "noisy": num_noisy}], METHODS, seeds)


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Checked images and images labelled by people in a hurry (for the stand-in: labelled wrong on purpose)."""
    images = data.images(cell.settings["dataset"])
    num_clean, num_noisy = cell.settings["clean"], cell.settings["noisy"]
    generator, gold, rest = draw(images, num_clean, cell.seed)
    crowd = rest[:num_noisy]
    given = hurried_labels(images, crowd, generator)
    clean, noisy = images.train.labeled(gold), images.train.labeled(crowd, given)
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
    truth = count_matrix(given, images.train.labels[crowd], images.train.num_classes)
    row = outcome(trained, images.test.labeled(), truth, dataset=images.name)
    if cell.method != "auto":
        row["noise_matrix_error"] = None
    return row


def hurried_labels(images: Images, rows: Labels, generator: torch.Generator) -> torch.Tensor:
    """CIFAR-10N's "worse" labels of these training images; for the stand-in of digits, 40 % wrong ones."""
    if images.human_labels is not None:
        return torch.from_numpy(images.human_labels["worse"][rows])
    if images.name != "digits":
        raise InputError(
            f"{images.name} in this folder has no human labels; docs/datasets.md says where they are."
        )
    Q = deliberate_noise(0.4, images.train.num_classes, generator)
    return corrupt(images.train.labels[rows], Q, generator)


def table(rows: Sequence[Row]) -> str:
    """A row per method."""
    lines = [
        [method, *figures(chosen)] for method, chosen in grouped(rows, lambda row: row["method"]).items()
    ]
    return markdown(["trained on", *FIGURES], lines)


EXPERIMENT = Experiment(
    name="gold_set",
    title="500 checked and 20,000 hurried labels",
    paper='Not in the paper, but its second situation (§3.4, "Noisy and clean data").',
    cells=cells,
    budgets={
        "small": TRY_OUT,
        "reduced": Budget(epochs=20, warm_up_epochs=10),
        "paper": Budget(epochs=120, warm_up_epochs=50),
    },
    run=run,
    table=table,
    default_seeds={"small": 1, "reduced": 3, "paper": 3},
)

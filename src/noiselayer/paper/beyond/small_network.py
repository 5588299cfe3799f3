"""The small network of the library on CIFAR-10, on a CPU, with true labels and with human ones. Not in the paper.

How far people come without a GPU in a quarter of an hour of two cores: images mirrored and shifted, one-cycle schedule
with a higher peak rate and weight decay than the default ones, which are for longer trainings, and the mean of an image
and its mirror image in prediction. On clean labels without a noise model; on CIFAR-10N's "worse" labels (40 % wrong)
without one, and with a learned Q. experiments/small_network_choices.py compares the choices on images held out.

A row says how many images a second the main stage took in by the clock, and how many floating-point operations that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from noiselayer.paper.beyond.gold_set import hurried_labels
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import FIGURES, figures, markdown, matching
from noiselayer.paper.trial import count_matrix, outcome, train
from noiselayer.training.options import Optimization

ROWS: tuple[tuple[str, str], ...] = (("clean", "normal"), ("worse", "normal"), ("worse", "learned"))
EPOCHS = 10
WIDTHS = [64, 128, 192]
OPTIMIZATION = Optimization(learning_rate=0.07, weight_decay=2e-3)
BUDGETS: dict[Scale, int] = {"small": 2, "reduced": EPOCHS, "paper": 4 * EPOCHS}
NAMES = {"clean": "true", "worse": "noisy (of CIFAR-10: the human ones)"}


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Three trainings."""
    dataset = "digits" if scale == "small" else "cifar10"
    return [
        Cell({"dataset": dataset, "labels": labels}, method, seed)
        for seed in seeds
        for labels, method in ROWS
    ]


def operations_per_sample(network: nn.Module, images: torch.Tensor) -> float:
    """Floating-point operations of a training step, forward and backward, for one sample; a multiply-add is two.

    >>> operations_per_sample(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), torch.zeros(2, 1, 2, 2))
    48.0
    """
    with FlopCounterMode(display=False) as counter:
        loss: torch.Tensor = cross_entropy(network(images), torch.zeros(len(images), dtype=torch.long))
        loss.backward()  # type: ignore[no-untyped-call]
    network.zero_grad()
    return float(counter.get_total_flops()) / len(images)


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """All training images (a tenth of them held out for validation), and the speed of the main stage."""
    images = data.images(cell.settings["dataset"])
    everything = np.arange(len(images.train))
    generator = torch.Generator().manual_seed(cell.seed)
    truth = torch.from_numpy(images.train.labels)
    given = truth if cell.settings["labels"] == "clean" else hurried_labels(images, everything, generator)
    either_way = images.name == "CIFAR-10"  # digits and letters are not to be mirrored
    trained = train(
        images.train.labeled(everything, given),
        method=cell.method,
        budget=replace(budget, model_options={**budget.model_options, "mirrored": either_way}),
        seed=cell.seed,
        augmentation="flip-shift" if either_way else "shift",
        optimization=OPTIMIZATION,
    )
    Q = count_matrix(given, truth, images.train.num_classes)
    stage = trained.stages[-1]
    per_second = stage.epochs * len(trained.splits["train"]) / stage.seconds
    operations = operations_per_sample(
        trained.network.train(), images.train.labeled(everything[:8]).inputs.__getitems__(range(8))
    )
    trained.network.eval()
    return {
        **outcome(trained, images.test.labeled(), Q, dataset=images.name),
        "stage_seconds": {stage.name: round(stage.seconds, 1) for stage in trained.stages},
        "images_per_second": round(per_second, 1),
        "gigaflops": round(per_second * operations / 1e9, 1),
        "threads": torch.get_num_threads(),
    }


def table(rows: Sequence[Row]) -> str:
    """A row per labels and method."""
    lines = []
    for labels, method in ROWS:
        chosen = matching(rows, method, labels=labels)
        if not chosen:
            continue
        error, matrix_error, seeds = figures(chosen)
        speeds = [f"{row['images_per_second']:,.0f}" for row in chosen]
        lines.append(
            [
                NAMES[labels],
                method,
                " or ".join(dict.fromkeys(_size(row) for row in chosen)),
                error,
                matrix_error if method == "learned" else "–",
                ", ".join(f"{row['seconds'] / 60:.0f}" for row in chosen),
                ", ".join(speeds),
                ", ".join(f"{row['gigaflops']:,.0f}" for row in chosen),
                seeds,
            ]
        )
    header = ["labels", "method", "filters, epochs", *FIGURES[:2], "minutes of one processor", "images/s"]
    return markdown([*header, "GFLOP/s", "seeds"], lines)


def _size(row: Row) -> str:
    budget = row["budget"]
    return f"{', '.join(map(str, budget['model_options']['widths']))}; {budget['epochs']}"


EXPERIMENT = Experiment(
    name="small_network",
    title="The small network without a GPU, on true labels and on human ones",
    paper="Not in the paper.",
    cells=cells,
    budgets={
        scale: Budget(
            epochs=epochs,
            warm_up_epochs=epochs // 2,
            model="small",
            model_options={"widths": [8, 12, 16] if scale == "small" else WIDTHS},
        )
        for scale, epochs in BUDGETS.items()
    },
    run=run,
    table=table,
)

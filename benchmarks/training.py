"""The training loop beside a bare one, and what the C library's allocator costs.

    python benchmarks/training.py [--quick]

Both loops train the paper's network on images of 32 x 32 pixels in bytes, with the same noise matrix, batches,
optimizer and precision (32 bits, and bfloat16 where the CPU has it), each in a process of its own, in rounds that take
turns; images per second are those of the last epoch, without validation. The bare loop is what one writes by hand: a
permutation, an index, a step.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from measure import Row, arguments, in_fresh_process, row, write
from torch import Tensor, nn

from noiselayer import NoisyLabelLoss
from noiselayer.data.labeled import from_arrays
from noiselayer.models import build_model
from noiselayer.noise import symmetric
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, Optimization, TrainingOptions
from noiselayer.training.precision import best_precision

BATCH, K = 128, 10
RATE, DECAY = 0.01, 1e-3
# Of glibc: blocks that are freed stay with the process.
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}


def images(count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Random ones: the time does not depend on what they show."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), generator.integers(0, K, count)


class EpochClock(pl.Callback):
    """Images per second of every epoch, from its first batch to the end of its last."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin."""
        self.began, self.seen = time.perf_counter(), 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        """The time of the last batch is the one that stays."""
        self.seen += BATCH
        self.seconds = time.perf_counter() - self.began

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End."""
        self.rates.append(self.seen / self.seconds)


def with_noiselayer(count: int, epochs: int, precision: str) -> float:
    """Images per second of the package's own loop."""
    X, y = images(count)
    clock = EpochClock()
    options = TrainingOptions(
        method="known",
        model="paper",
        max_epochs=epochs,
        batch_size=BATCH,
        validation_fraction=0.1,
        patience=None,
        optimization=Optimization(learning_rate=RATE, weight_decay=DECAY),
    )
    fit_classifier(
        from_arrays(X, y),
        options,
        noise_matrix=symmetric(K, 0.3),
        hardware=Hardware(accelerator="cpu", devices=1, precision=precision),
        main_callbacks=lambda _: [clock],
    )
    return clock.rates[-1]


def by_hand(count: int, epochs: int, precision: str) -> float:
    """Images per second of a bare loop."""
    torch.manual_seed(0)
    X, y = images(count * 9 // 10)  # as many as the other trains on
    inputs, labels = torch.from_numpy(X).permute(0, 3, 1, 2), torch.from_numpy(y)
    model: nn.Module = build_model(
        "paper", num_classes=K, input_shape=(3, 32, 32), mean=[127.5] * 3, std=[74.0] * 3
    ).to(memory_format=torch.channels_last)
    criterion = NoisyLabelLoss(symmetric(K, 0.3))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    rate = 0.0
    for _ in range(epochs):
        order = torch.randperm(len(labels))
        began, seen = time.perf_counter(), 0
        for first in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            loss = batch_loss(model, criterion, inputs[rows], labels[rows], precision)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += BATCH
        rate = seen / (time.perf_counter() - began)
    return rate


def batch_loss(model: nn.Module, criterion: nn.Module, x: Tensor, y: Tensor, precision: str) -> Tensor:
    """In the precision asked for."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16-mixed"):
        loss: Tensor = criterion(model(x), y)
    return loss


def throughput(count: int, epochs: int, rounds: int, threads: int) -> list[Row]:
    """Images per second of both loops, with the allocator as it is and told to keep what is freed."""
    rows = []
    for precision in dict.fromkeys(("32-true", best_precision("cpu"))):
        kinds = {
            "noiselayer": {},
            "noiselayer, freed memory kept": KEPT,
            "bare loop": {},
            "bare loop, freed memory kept": KEPT,
        }
        rates: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, environment in kinds.items():
                rates[kind].append(
                    in_fresh_process(
                        "training.py",
                        *("--of", kind, str(count), str(epochs), precision, "--threads", str(threads)),
                        environment=environment,
                    )
                )
        for kind, values in rates.items():
            rows.append(row(f"{kind}, {precision}", values, "images/s"))
        for kind, against, target in (
            ("noiselayer", "bare loop", 0.95),
            ("noiselayer, freed memory kept", "bare loop, freed memory kept", 0.95),
            ("bare loop, freed memory kept", "bare loop", None),
        ):
            shares = [a / b for a, b in zip(rates[kind], rates[against], strict=True)]
            rows.append(row(f"{kind} / {against}, {precision}", shares, "x", at_least=target))
    return rows


def main() -> None:
    """Parse the options and run."""
    parser = arguments(__doc__)
    parser.add_argument("--of", nargs=4, metavar=("LOOP", "IMAGES", "EPOCHS", "PRECISION"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.of:
        loop, count, epochs, precision = options.of
        if loop.startswith("noiselayer"):
            rate = with_noiselayer(int(count), int(epochs), precision)
        else:
            rate = by_hand(int(count), int(epochs), precision)
        print(json.dumps(rate))
        return
    count, epochs, rounds = (640, 1, 1) if options.quick else (6_400, 2, 5)
    rows = throughput(count, epochs, rounds, options.threads)
    write("training", "Training beside a bare loop", rows, quick=options.quick)


if __name__ == "__main__":
    main()

"""What a training would do and for how long, found out without doing it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from noiselayer.data import LabeledData
from noiselayer.models import build_model
from noiselayer.training.measured import trained_on_clean
from noiselayer.training.options import TrainingOptions
from noiselayer.training.seeding import seeded
from noiselayer.training.start import by_patches


@dataclass(frozen=True)
class PlannedStage:
    """A stage of the training: at most so many epochs of so many samples."""

    name: str
    epochs: int
    samples: int


def planned_stages(
    options: TrainingOptions,
    num_noisy: int,
    num_clean: int = 0,
    num_outside: int = 0,
    *,
    shape: Sequence[int] = (),
    num_classes: int = 2,
) -> list[PlannedStage]:
    """The stages that :func:`noiselayer.training.methods.fit_classifier` would run.

    Where the warm-up finds that most labels are wrong it runs once more, and where few rows of a table say so by
    themselves not at all, which is not foreseen here. Samples held out are not counted. ``shape`` is that of a sample.

    >>> [stage.epochs for stage in planned_stages(TrainingOptions(max_epochs=5, warm_up_epochs=2), 100)]
    [2, 2, 5]
    >>> [stage.epochs for stage in planned_stages(TrainingOptions(start="joint", max_epochs=5, warm_up_epochs=2), 100)]
    [7, 5]
    >>> print(planned_stages(TrainingOptions("estimated"), 900, 90)[0])
    PlannedStage(name='measuring model 1 of 2, trained on noisy samples', epochs=10, samples=450)
    """
    # Without a clean set "auto" learns.
    learned = options.method in ("learned", "auto")
    identity, joint = options.start == "identity", options.start == "joint"
    clean, others = (num_clean if options.train_on_clean else 0), num_noisy + num_outside
    # Batches that alternate go through the smaller side again.
    samples = 2 * max(clean, others) if options.mixing == "alternating" and clean else clean + others
    two = options.max_epochs + options.warm_up_epochs
    stages = []
    if learned and joint:
        stages = [PlannedStage("joint learning, Q = I first, then Q learns", two, samples)]
    elif learned and not identity and not by_patches(shape, num_classes, num_noisy, options):
        part = num_noisy - num_noisy // options.folds
        stages = _folds("warm-up {} of {}, Q = I", part, options.warm_up_epochs, options.folds)
    if options.method in ("estimated", "refined"):
        of_clean = trained_on_clean(options, num_clean, num_noisy)
        base = num_clean if of_clean else num_noisy
        stages = _folds(
            f"measuring model {{}} of {{}}, trained on {'clean' if of_clean else 'noisy'} samples",
            base - base // options.folds,
            options.max_epochs if of_clean else options.warm_up_epochs,
            options.folds,
        )
    of_paper = learned and (identity or not options.fresh_network)
    what = {
        "normal": "Q = I",
        "known": "Q given",
        "estimated": "Q as measured",
        "refined": "Q as measured first, then it learns",
        "top-down": f"labels smoothed by {1 - options.alpha:g}",
    }.get(
        options.method,
        "Q from joint learning" if joint else "Q from the warm-up" if stages else "Q from patches",
    )
    if options.method == "learned" and options.noise_trainable:
        what += ", which goes on learning"
    if of_paper:
        what = "Q = I first, then Q joins"
    two_phases = of_paper or options.method == "refined"
    epochs = two if two_phases else options.max_epochs
    return [*stages, PlannedStage(f"main stage, {what}", epochs, samples)]


def _folds(name: str, samples: int, epochs: int, folds: int) -> list[PlannedStage]:
    return [PlannedStage(name.format(k + 1, folds), epochs, samples) for k in range(folds)]


def seconds_per_sample(
    data: LabeledData, options: TrainingOptions, device: torch.device, precision: Any
) -> float:
    """Time a few training steps, reading the samples included; a first one is not counted."""
    steps = 5
    with seeded(options.seed):
        shape = tuple(data.inputs.shape)
        network = build_model(
            options.model,
            num_classes=data.num_classes,
            input_shape=shape,
            mean=[0.0] * shape[0],
            std=[1.0] * shape[0],
            **options.model_options,
        )
        network.to(device).to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)
        size = min(options.batch_size, len(data))
        half = torch.bfloat16 if "bf16" in str(precision) else torch.float16
        began = time.perf_counter()
        for step in range(steps + 1):
            chosen = (torch.arange(size) + step * size) % len(data)
            x, y = data.inputs.__getitems__(chosen).to(device), data.given[chosen].to(device)
            with torch.autocast(device.type, half, enabled="mixed" in str(precision)):
                loss = cross_entropy(network(x).float(), y)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            float(loss.detach())  # waits for the device
            if step == 0:
                began = time.perf_counter()
    return (time.perf_counter() - began) / (steps * size)

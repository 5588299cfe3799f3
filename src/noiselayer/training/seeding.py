"""Random numbers that a run decides and the caller's program does not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback


class EpochSeed(Callback):
    """Seeds torch at the start of every epoch, so that a resumed run draws the same dropout masks.

    Checkpoints do not hold the state of the generators. Each process draws its own masks.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of all devices before the first step: making a loader's iterator draws too."""
        if batch_idx > 0:
            return
        entropy = (self.seed, trainer.current_epoch, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's generators inside; put the CPU's and CUDA's states back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield

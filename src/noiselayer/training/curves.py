"""A row of figures for every epoch."""

from __future__ import annotations

import time

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from noiselayer.training.kept_state import KeptState
from noiselayer.training.phases import find_noise_layer


class CurveRecorder(KeptState, Callback):
    """Collects losses and the state of Q after every epoch.

    ``noise_trace`` is tr(Q) / K, the mean share of right labels that Q believes in; ``noise_learning`` is 1 while Q
    learns.
    """

    kept = ("rows", "seconds")

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, and note whether Q learns in this epoch."""
        self._began = time.monotonic()
        self._learning = find_noise_layer(pl_module).noise_matrix.requires_grad

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row; validation has run by now."""
        seconds = time.monotonic() - self._began
        self.seconds += seconds
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k in ("train_loss", "val_loss")}
        layer = find_noise_layer(pl_module)
        self.rows.append(
            {
                "epoch": float(trainer.current_epoch),
                **logged,
                "noise_trace": float(layer.trace().detach()) / layer.num_classes,
                "noise_learning": float(self._learning),
                "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
                "seconds": seconds,
            }
        )

"""A row of figures for every epoch."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.training.phases import KeepBest

__all__ = ["CurveRecorder"]


class CurveRecorder(Callback):
    """Collects losses and the state of Q after every epoch.

    Each row has ``epoch``, ``train_loss``, ``val_loss``, ``noise_trace`` (tr(Q) / K, the mean share of right
    labels that Q believes in), ``noise_learning`` (1 while Q learns), ``learning_rate`` and ``seconds``.

    Args:
        stage: Its name, for messages.
        best: Knows the best epoch so far.

    >>> CurveRecorder("warm-up").rows
    []
    """

    def __init__(self, stage: str, *, best: KeepBest | None = None) -> None:
        self.stage = stage
        self.best = best
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        self._began = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, and note whether Q learns in this epoch."""
        self._began = time.monotonic()
        self._learning = any(
            layer.noise_matrix.requires_grad for layer in pl_module.modules() if isinstance(layer, NoiseLayer)
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row; validation has run by now."""
        seconds = time.monotonic() - self._began
        self.seconds += seconds
        row = {"epoch": float(trainer.current_epoch)}
        row |= {k: float(v) for k, v in trainer.callback_metrics.items() if k in ("train_loss", "val_loss")}
        for layer in pl_module.modules():
            if isinstance(layer, NoiseLayer):
                row["noise_trace"] = float(layer.trace().detach()) / layer.num_classes
        row["noise_learning"] = float(self._learning)
        row["learning_rate"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        row["seconds"] = seconds
        self.rows.append(row)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: a resumed run has the whole curve."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.rows, self.seconds = state_dict["rows"], state_dict["seconds"]

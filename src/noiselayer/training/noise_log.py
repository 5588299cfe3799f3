"""A row of figures for every epoch, the state of the noise matrix in Lightning's loggers, and those loggers by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning import loggers
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.noise.floor import noise_floor
from noiselayer.training.phases import KeptState, find_noise_layer


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


class NoiseLog(KeptState, Callback):
    r"""Logs the state of the noise matrix after every epoch, for any LightningModule with a noise layer.

    ==================  ======================================================================================
    ``noise_trace``     tr(Q) / K: the mean share of right labels that Q believes in
    ``noise_distance``  how far Q is from where it started: half the absolute difference, mean over columns, the
                        share of labels that would have to move; between 0 and 1
    ``noise_floor``     the mean loss, in nats, below which a network memorises (see
                        :func:`noiselayer.noise_floor`)
    ``noise_phase``     1 while Q is held, 2 while it learns
    ==================  ======================================================================================

    They go through ``log`` of Lightning, so that every logger gets them, and callbacks may monitor them.

    Args:
        class_prior: Shape (K,), the shares of the true classes, for the floor; all alike if None.

    Raises:
        RuntimeError: When training starts, if the module has no noise layer or several.

    >>> import torch
    >>> callback = NoiseLog()
    >>> callback.figures(NoiseLayer(2, torch.tensor([[0.8, 0.1], [0.2, 0.9]])))["noise_trace"]
    0.85
    """

    kept = ("start",)

    def __init__(self, class_prior: Tensor | None = None) -> None:
        self.class_prior = class_prior
        self.start: Tensor | None = None
        """Q when training began, shape (K, K), columns = true classes."""
        self._phase = 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember where Q starts; a resumed run knows it already."""
        layer = find_noise_layer(pl_module)
        if self.start is None:
            self.start = _dense(layer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the phase: validation at the end of the epoch may begin the next one."""
        self._phase = 2 if find_noise_layer(pl_module).parameter.requires_grad else 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the figures."""
        figures = self.figures(find_noise_layer(pl_module))
        pl_module.log_dict(figures, on_step=False, on_epoch=True, sync_dist=trainer.world_size > 1)

    def figures(self, layer: NoiseLayer) -> dict[str, float]:
        """What is logged of a layer."""
        Q = _dense(layer)
        start = Q if self.start is None else self.start
        # Of several matrices, one per annotator, the means.
        matrices = Q if Q.ndim == 3 else Q[None]
        floors = [noise_floor(matrix, self.class_prior) for matrix in matrices]
        return {
            "noise_trace": round(float(matrices.diagonal(dim1=1, dim2=2).mean()), 7),
            "noise_distance": float((Q - start).abs().sum(dim=-2).mean() / 2),
            "noise_floor": sum(floors) / len(floors),
            "noise_phase": float(self._phase),
        }


def _mlflow(folder: Path, name: str) -> Logger:
    # A file of its own: newer servers refuse the older folder of files.
    return loggers.MLFlowLogger("noiselayer", run_name=name, tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")


def _wandb(folder: Path, name: str) -> Logger:
    return loggers.WandbLogger(
        name=name, project="noiselayer", save_dir=folder, offline=True, reinit="create_new"
    )


_MAKERS: dict[str, tuple[Callable[[Path, str], Logger], str]] = {
    "csv": (lambda folder, name: loggers.CSVLogger(folder, name=name), ""),
    "tensorboard": (lambda folder, name: loggers.TensorBoardLogger(folder, name=name), "tensorboard"),
    "mlflow": (_mlflow, "mlflow"),
    "wandb": (_wandb, "wandb"),
}
LOGGERS = tuple(_MAKERS)
"""The loggers that :func:`make_logger` knows."""


def make_logger(name: str, folder: Path, stage: str) -> Logger:
    """One of Lightning's loggers, writing into a folder; nothing leaves the machine.

    ``stage`` names the run, or the folder inside. Weights & Biases is offline; ``wandb sync`` sends it later.
    """
    if name not in _MAKERS:
        raise InputError(f"logger must be one of {', '.join(LOGGERS)}; got {name!r}.")
    make, package = _MAKERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return make(folder, stage)
    except ModuleNotFoundError as error:
        raise InputError(
            f"logger {name!r} needs the package {package}, which is not installed: pip install {package}, or take "
            "logger 'csv', which needs nothing."
        ) from error


def end_log(logger: Logger, *, failed: bool = False) -> None:
    """Close a run of Weights & Biases, so that the next stage has one of its own; Lightning leaves it open."""
    if isinstance(logger, loggers.WandbLogger):
        logger.experiment.finish(exit_code=int(failed))


def _dense(layer: NoiseLayer) -> Tensor:
    """Q as one tensor, detached, on the CPU."""
    Q = layer.sparse.to_dense() if layer.sparse is not None else layer.noise_matrix
    return Q.detach().float().cpu().clone()

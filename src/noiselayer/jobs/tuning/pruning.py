"""Reports the objective after every epoch, and ends a trial that falls behind."""

from __future__ import annotations

import pytorch_lightning as pl
from optuna import Trial
from pytorch_lightning.callbacks import Callback

from noiselayer.choices import ObjectiveName
from noiselayer.jobs.tuning.criterion import HeldOut
from noiselayer.training.phases import find_noise_layer


class ReportObjective(Callback):
    """Tells a trial how it does; stops the training when the study's pruner says so.

    The validation loss would not do: it holds the very weights that are searched, so that a smaller one may
    mean no more than smaller weights.

    Args:
        trial: Told the objective after every epoch.
        held_out: Samples to measure on.
        objective: "error" or "loss".

    Attributes:
        pruned: Whether the training was stopped.
    """

    def __init__(self, trial: Trial, held_out: HeldOut, objective: ObjectiveName) -> None:
        self.trial = trial
        self.held_out = held_out
        self.objective = objective
        self.pruned = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, report, and stop if it is hopeless: the epoch that just ended is the last one then."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        layer = find_noise_layer(pl_module)
        found = self.held_out.score(pl_module.network, layer.noise_matrix)  # type: ignore[arg-type]
        self.trial.report(found.of(self.objective)[0], step=trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = True
            trainer.should_stop = True

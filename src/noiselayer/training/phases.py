"""When the noise matrix joins, and when training ends (§3.4, Fig. 2a)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from noiselayer.losses.noise_layer import NoiseLayer


class KeptState:
    """Put before ``Callback`` among the bases: the attributes named in ``kept`` survive a resumed run."""

    kept: ClassVar[tuple[str, ...]] = ()

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        values = {name.lstrip("_"): getattr(self, name) for name in self.kept}
        return {
            key: value.state_dict() if isinstance(value, KeptState) else value
            for key, value in values.items()
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        for name in self.kept:
            value, found = getattr(self, name), state_dict[name.lstrip("_")]
            if isinstance(value, KeptState):
                value.load_state_dict(found)
            else:
                setattr(self, name, found)


class Patience(KeptState):
    """Counts how long a loss has not improved by ``min_delta``; None epochs are never enough."""

    kept = ("best", "waited")

    def __init__(self, epochs: int | None, min_delta: float = 0.0) -> None:
        if epochs is not None and epochs < 1:
            raise ValueError(f"patience must be at least 1 epoch, or None for no limit; got {epochs}.")
        self.epochs = epochs
        self.min_delta = min_delta
        self.restart()

    def restart(self) -> None:
        """Forget what was seen."""
        self.best = float("inf")
        self.waited = 0

    def exhausted_by(self, loss: float) -> bool:
        """Take one epoch's loss; True if it is time to stop."""
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
            return False
        self.waited += 1
        return self.epochs is not None and self.waited >= self.epochs


class NoisePhases(KeptState, Callback):
    """The two phases of §3.4 for any LightningModule that has a :class:`~noiselayer.NoiseLayer`.

    Phase 1: Q stays as it is, the identity by default, until the validation loss on noisy labels stops
    improving. Phase 2: Q learns with the network, until the validation loss, measured through Q by the
    module's own ``validation_step``, stops improving; then training stops.

    A module that has ``restart_schedule(first_step, last_step=end)`` is told the steps of each phase, so that its
    learning rate rises and falls within both.

    Args:
        monitor: The logged validation loss, lower is better.
        patience: Epochs without improvement that end a phase; None leaves ``phase_epochs`` to do it.
        phase_epochs: At most so many epochs in phase 1; None for no limit of its own. The Trainer's
            ``max_epochs`` bounds both together.
        min_delta: What counts as an improvement.
        start: Called with the module when phase 2 begins; returns the noise matrix to start from, shape
            (K, K), columns = true classes; of a sparse matrix the values it stores. None leaves it as it is.

    Raises:
        RuntimeError: When training starts, if the module has no noise layer or several, or if its optimizer
            does not hold the noise matrix.

    >>> callback = NoisePhases(patience=3)
    >>> callback.phase
    1
    """

    kept = ("phase", "switched_at", "_switched_step", "patience")

    def __init__(
        self,
        *,
        monitor: str = "val_loss",
        patience: int | None = 5,
        phase_epochs: int | None = None,
        min_delta: float = 0.0,
        start: Callable[[pl.LightningModule], Tensor] | None = None,
    ) -> None:
        self.monitor = monitor
        self.patience = Patience(patience, min_delta)
        self.phase_epochs = phase_epochs
        self.start = start
        self.phase = 1
        self.switched_at: int | None = None
        """Epochs finished when phase 2 began."""
        self._switched_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freeze Q for phase 1, and make sure that it could learn in phase 2."""
        layer = find_noise_layer(pl_module)
        held = {id(p) for o in trainer.optimizers for group in o.param_groups for p in group["params"]}
        if id(layer.parameter) not in held:
            raise RuntimeError(
                "the optimizer does not hold the noise layer's matrix, so phase 2 would learn nothing. Add "
                "noise_layer.parameter_group(lr=...) to the groups in configure_optimizers."
            )
        layer.unfreeze() if self.phase == 2 else layer.freeze()
        # Making the optimizer has run the schedule over both phases, also when a run is resumed in the second.
        if self.phase == 2:
            self._restart_schedule(pl_module, self._switched_step)
        elif self.phase_epochs is not None and trainer.max_epochs is not None and trainer.max_epochs > 0:
            share = min(self.phase_epochs / trainer.max_epochs, 1.0)
            self._restart_schedule(pl_module, 0, round(trainer.estimated_stepping_batches * share))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Switch phases, or stop, by the validation loss."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        finished = trainer.current_epoch + 1
        over = self.patience.exhausted_by(_monitored(trainer, self.monitor))
        if self.phase == 1 and (over or (self.phase_epochs is not None and finished >= self.phase_epochs)):
            self._begin_second(trainer, pl_module, finished)
        elif self.phase == 2 and over:
            trainer.should_stop = True

    def _begin_second(self, trainer: pl.Trainer, pl_module: pl.LightningModule, finished: int) -> None:
        layer = find_noise_layer(pl_module)
        if self.start is not None:
            with torch.no_grad():
                start, Q = self.start(pl_module), layer.parameter
                if start.shape != Q.shape:
                    raise RuntimeError(
                        f"start must return what the noise layer learns, of shape {tuple(Q.shape)}; got "
                        f"{tuple(start.shape)}."
                    )
                Q.copy_(start)
                layer.project_()
        layer.unfreeze()
        self.phase, self.switched_at, self._switched_step = 2, finished, trainer.global_step
        self.patience.restart()
        self._restart_schedule(pl_module, self._switched_step)

    def _restart_schedule(self, pl_module: pl.LightningModule, *steps: int) -> None:
        """Tell a module that has a schedule which steps it spans: from one to another, or to the end."""
        restart: Any = getattr(pl_module, "restart_schedule", None)
        if restart is not None:
            restart(*steps)


class KeepBest(KeptState, Callback):
    """Keeps the weights of the epoch with the lowest validation loss in memory, and restores them at the end.

    Args:
        monitor: The logged validation loss, lower is better.
        patience: Stop after so many epochs without improvement; None never stops.
        phases: With two phases, only epochs of the second count once it has begun: the losses of the first
            are measured through another Q.

    >>> KeepBest().best_loss
    inf
    """

    kept = ("best_loss", "best_epoch", "best_weights", "_phase", "patience")

    def __init__(
        self, *, monitor: str = "val_loss", patience: int | None = None, phases: NoisePhases | None = None
    ) -> None:
        self.monitor = monitor
        self.patience = Patience(patience)
        self.phases = phases
        self.best_loss = float("inf")
        self.best_epoch: int | None = None
        self.best_weights: dict[str, Tensor] | None = None
        self._phase = 1

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the weights if this epoch is the best so far."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        loss = _monitored(trainer, self.monitor)
        # This epoch was trained in the phase before a switch that the same validation may just have made.
        phase = 1
        if self.phases is not None and self.phases.switched_at is not None:
            phase = 2 if trainer.current_epoch + 1 > self.phases.switched_at else 1
        if phase > self._phase:
            self.best_loss, self._phase = float("inf"), phase
            self.patience.restart()
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, trainer.current_epoch
            self.best_weights = copy.deepcopy(pl_module.state_dict())
        if self.patience.exhausted_by(loss):
            trainer.should_stop = True

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go back to the best epoch."""
        if self.best_weights is not None:
            pl_module.load_state_dict(self.best_weights)


def find_noise_layer(module: torch.nn.Module) -> NoiseLayer:
    """The one noise layer in a module."""
    layers = [m for m in module.modules() if isinstance(m, NoiseLayer)]
    if len(layers) != 1:
        raise RuntimeError(
            f"the module must have exactly one NoiseLayer; it has {len(layers)}. Make it an attribute of the "
            "LightningModule."
        )
    return layers[0]


def _monitored(trainer: pl.Trainer, monitor: str) -> float:
    if monitor not in trainer.callback_metrics:
        raise RuntimeError(
            f"validation logged no {monitor!r}; it logged {sorted(trainer.callback_metrics) or 'nothing'}. "
            f"Call self.log({monitor!r}, ...) in validation_step."
        )
    return float(trainer.callback_metrics[monitor])

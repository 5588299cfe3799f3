"""Ctrl-C in the middle of training: finish the batch, keep what there is, and let a later run go on."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class TrainingInterrupted(BaseException):
    """Carries a stop out of ``Trainer.fit``.

    Lightning ends the whole program when it sees a KeyboardInterrupt; this one it hands on. Like that one it
    is no Exception, so that nothing in between takes it for a failure.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        super().__init__("training was interrupted")
        self.at_once = at_once


class StopOnInterrupt(Callback):
    """Turns the first SIGINT into a stop after the running batch, and the second into a stop at once.

    Use it as a context around ``Trainer.fit`` and as one of its callbacks. With several processes all stop
    after the same batch, whichever of them got the signal: else the others would wait for it for ever.
    Signals reach the main thread only; in any other it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None
        self._installed = False

    def __enter__(self) -> StopOnInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before)
            self._installed = False

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop if asked to."""
        self._stop_if_requested(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop if asked to; the epoch counts as not finished."""
        self._stop_if_requested(trainer)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise TrainingInterrupted(at_once=True)
        self.requested = True

    def _stop_if_requested(self, trainer: pl.Trainer) -> None:
        requested = self.requested
        if trainer.world_size > 1:
            requested = trainer.strategy.reduce_boolean_decision(requested, all=False)
        if requested:
            raise TrainingInterrupted


def ignore_interrupts(worker: int) -> None:
    """For ``worker_init_fn``: Ctrl-C goes to every process of a terminal, and a loader's must live on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

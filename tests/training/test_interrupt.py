"""Ctrl-C keeps what there is, and a run that was stopped and resumed equals one that never was."""

import json
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from noiselayer.data import LabeledData, from_arrays
from noiselayer.training.interrupt import StopOnInterrupt, TrainingInterrupted
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import TrainingOptions, default_options
from noiselayer.training.stage import StageRunner
from noiselayer.training.trained import TrainedClassifier


class Interrupt(Callback):
    """Presses Ctrl-C in an epoch, after so many of its batches."""

    def __init__(self, epoch: int, batch: int = 0, times: int = 1, number: int = signal.SIGINT) -> None:
        self.epoch, self.batch, self.times, self.number = epoch, batch, times, number

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if (trainer.current_epoch, batch_idx) == (self.epoch, self.batch):
            for _ in range(self.times):
                signal.raise_signal(self.number)


@pytest.fixture
def data() -> LabeledData:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    centres = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, -2.0]])
    return from_arrays(centres[labels] + torch.randn(120, 2, generator=generator), labels)


def options(**changes: Any) -> TrainingOptions:
    small = default_options("vector", max_epochs=4, warm_up_epochs=3, batch_size=16, validation_fraction=0.2)
    # Dropout draws random numbers in every step: the hardest thing to resume exactly.
    return replace(small, model_options={"hidden": (8,), "dropout": 0.5}, **changes)


def interrupt_stage(monkeypatch: pytest.MonkeyPatch, stage: str, interruption: Interrupt) -> None:
    original = StageRunner.run

    def run(self: StageRunner, name: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["callbacks"] = [interruption] if name == stage else []
        return original(self, name, *args, **kwargs)

    monkeypatch.setattr(StageRunner, "run", run)


def assert_same(one: TrainedClassifier, other: TrainedClassifier) -> None:
    states = one.network.state_dict(), other.network.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, weight in states[0].items():
        assert torch.equal(weight, states[1][name]), name
    assert torch.equal(one.noise_matrix, other.noise_matrix)
    for left, right in zip(one.stages, other.stages, strict=True):
        rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in s.curves] for s in (left, right)]
        assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("stage", "epoch", "changes"),
    [
        ("main", 2, {"method": "normal", "patience": 2}),
        ("main", 0, {"method": "normal"}),
        ("warm-up-1", 1, {"start": "confusion"}),
        ("main", 5, {"start": "identity"}),  # in phase 2: its schedule began at the switch
    ],
)
def test_stopped_and_resumed_equals_never_stopped(
    data: LabeledData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    epoch: int,
    changes: dict[str, Any],
) -> None:
    straight = fit_classifier(data, options(**changes))
    with monkeypatch.context() as patch:
        interrupt_stage(patch, stage, Interrupt(epoch, batch=1))
        stopped = fit_classifier(data, options(**changes), folder=tmp_path)
    assert stopped.interrupted
    assert stopped.stages[-1].name == stage
    assert stopped.stages[-1].epochs == epoch
    assert (tmp_path / stage / "last.ckpt").exists() == (epoch > 0)
    resumed = fit_classifier(data, options(**changes), folder=tmp_path)
    assert not resumed.interrupted
    assert_same(resumed, straight)


def test_a_stopped_run_keeps_its_best_weights(
    data: LabeledData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_classifier(data, options(method="normal", max_epochs=2, optimization=constant_rate()))
    interrupt_stage(monkeypatch, "main", Interrupt(2))
    longer = options(method="normal", max_epochs=9, optimization=constant_rate())
    stopped = fit_classifier(data, longer, folder=tmp_path)
    assert stopped.stages[0].best_epoch == whole.stages[0].best_epoch
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, stopped.network.state_dict()[name])
    assert (tmp_path / "main" / "last.ckpt").exists()
    assert not (tmp_path / "main" / "result.json").exists()


def constant_rate() -> Any:
    return replace(default_options("vector").optimization, schedule="constant")


def test_a_signal_in_the_last_validation_lets_the_stage_end(
    data: LabeledData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Interrupt):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            if trainer.current_epoch == 2:
                signal.raise_signal(signal.SIGINT)

    interrupt_stage(monkeypatch, "warm-up-0", Late(epoch=-1))
    stopped = fit_classifier(data, options(), folder=tmp_path)
    assert stopped.interrupted
    assert [stage.name for stage in stopped.stages] == ["warm-up-0"]
    # The record on the disk is that of a whole stage: the next run does not think it was stopped.
    assert json.loads((tmp_path / "warm-up-0" / "result.json").read_text())["interrupted"] is False


def test_a_second_signal_stops_at_once(data: LabeledData, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_stage(monkeypatch, "main", Interrupt(0, times=2))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit_classifier(data, options(method="normal"))
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_goes_with_the_context() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopOnInterrupt() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(TrainingInterrupted):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_it_does_nothing() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with StopOnInterrupt():
                pass
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


def test_termination_is_no_success_and_can_be_resumed(
    data: LabeledData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_stage(monkeypatch, "main", Interrupt(2, number=signal.SIGTERM))
    with pytest.raises(SystemExit) as stopped:
        fit_classifier(data, options(method="normal"), folder=tmp_path)
    assert stopped.value.code == 143
    monkeypatch.undo()
    resumed = fit_classifier(data, options(method="normal"), folder=tmp_path)
    assert_same(resumed, fit_classifier(data, options(method="normal")))


def test_each_phase_has_a_schedule_of_its_own(data: LabeledData) -> None:
    stage = fit_classifier(data, options(method="learned", start="identity", patience=9)).stages[-1]
    rates = [row["learning_rate"] for row in stage.curves]
    peak = options().optimization.learning_rate
    assert stage.switched_at == 3
    assert rates[2] < 0.01 * peak  # phase 1 has cooled down
    assert max(rates[3:]) > 0.5 * peak  # phase 2 warms up again
    assert rates[-1] < 0.01 * peak

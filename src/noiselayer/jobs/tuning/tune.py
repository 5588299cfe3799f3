"""Search: train with many values, each on the same split and from the same start, and compare what is held out."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState
from torch import Tensor

from noiselayer.choices import ObjectiveName
from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError, argument
from noiselayer.files.whole_file import writing
from noiselayer.jobs.tuning.criterion import Objective, ReportObjective, choose_objective
from noiselayer.jobs.tuning.search import SearchRange, apply_values, default_search, with_grid
from noiselayer.jobs.tuning.study import (
    check_same,
    open_study,
    queue_again,
    queue_next,
    quiet,
    remaining,
    sampler_of,
    suggest,
    tried,
)
from noiselayer.jobs.tuning.tuning_files import check_kept, check_none_lost, save_report
from noiselayer.jobs.tuning.tuning_result import TuningResult, records
from noiselayer.storage.environment import evaluation_device
from noiselayer.storage.run_folder import RunFolder
from noiselayer.storage.run_sets import RunSets
from noiselayer.training.effects import check_effects
from noiselayer.training.frozen_head import HEAD
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, TrainingOptions
from noiselayer.training.set_checks import automatic_method, check_learnable, trainable
from noiselayer.training.trained import TrainedClassifier

_COMPARED = ("options", "data", "clean", "outside", "known_noise_matrix", "tuning")
_TRIALS = 20
_GO_ON = "Trials that have ended are kept: make room, and go on with --resume."


def tune(
    data: LabeledData,
    options: TrainingOptions,
    *,
    search: Sequence[SearchRange] = (),
    clean: LabeledData | None = None,
    outside: Inputs | None = None,
    overlapping: Literal["error", "drop"] = "error",
    noise_matrix: Tensor | None = None,
    trials: int | None = None,
    grid: Sequence[float] | None = None,
    objective: ObjectiveName | None = None,
    prune: bool = True,
    out: str | Path | None = None,
    storage: str | None = None,
    resume: bool = False,
    heartbeat: int = 20,
    hardware: Hardware | None = None,
    config: Mapping[str, Any] | None = None,
    train_arguments: Sequence[str] = ("noiselayer", "train"),
    on_event: Callable[[str], None] | None = None,
) -> TuningResult:
    """Choose options by samples held out: alpha, gamma, penalties on Q.

    Every trial trains on the same samples from the same initial weights, so that trials differ by the values
    alone, and is measured on the samples that training holds out (``validation_fraction``): the clean ones if
    there is a clean set (error and likelihood); else noisy ones, by their likelihood through Q, or for methods
    without Q by the error against them, which ranks values rightly if the noise is diagonally dominant. What
    comes before the main stage does not depend on what is searched, and is done once per worker.

    ``search`` is by default what the method has (:func:`default_search`), ``grid`` the values to try of one option in
    place of optuna's TPE, ``trials`` how many this call adds: 20 if None, or what is left of a grid; 0 only reports. Of
    ``options`` the ``seed`` is the search's too. Pruning stops trials that are worse than the median of the others at
    the same epoch, after a quarter of their epochs and once five have ended.

    ``out`` gets ``trials.csv``, ``best.json`` and ``curve.png``; trials are kept in ``storage``, else in its
    ``study.db``. Several processes may share one, each with ``resume`` and one device. A trial without a sign of life
    for two heartbeats (seconds) is done again. If the data, the search or the folder is unfit, an ``InputError`` is
    raised and nothing has been written.
    """
    say = on_event or (lambda message: None)
    if trials is not None and not 0 <= trials <= 1_000_000:
        raise InputError(f"{argument('trials')} must be from 0 to 1,000,000; got {trials}.")
    if options.model == HEAD:
        raise InputError(
            "a search has nothing to find for the head on features: it chooses its penalty and its matrix itself, by "
            f"labels held out. Train it as it is, or take {argument('model', 'linear')} or another network."
        )
    data, _ = trainable(data, clean, outside, overlapping=overlapping)
    if options.method == "auto":
        method, why = automatic_method(data, clean)
        say(f"Method {method}: {why}.")
        options = replace(options, method=method)
    check_learnable(options.method, data)
    ranges = tuple(search) or default_search(options, clean=clean is not None)
    names = [each.name for each in ranges]
    if len(set(names)) < len(names):
        raise InputError(f"each option can be searched once; got {', '.join(names)}.")
    if grid is not None:
        ranges = with_grid(ranges, grid)
    check_effects(
        replace(options, noisy_weight=1.0), names, clean=clean is not None, outside=outside is not None
    )
    criterion = choose_objective(options, clean=clean is not None, wanted=objective)
    trainer = _Trials(
        data,
        options,
        ranges,
        criterion,
        clean,
        outside,
        noise_matrix,
        _one_device(hardware or Hardware()),
        say,
    )
    described = {**(config or trainer.identity()), "tuning": trainer.description()}
    folder = None if out is None else RunFolder(out, resume=resume)
    if folder is not None and folder.config is not None and "tuning" not in folder.config:
        raise InputError(
            f"the folder {folder.path} holds a run of training, not a search; name another with {argument('out')}."
        )

    def do_again(study: optuna.Study, trial: FrozenTrial) -> None:
        queue_again(study, trial)
        say(f"Trial {trial.number} was killed; it is done again.")

    if storage is None and folder is not None and folder.config is not None:
        for sentence in check_kept(folder.path):
            say(sentence)
    # The folder has its description before its storage: another worker may look at any moment.
    if folder is not None and folder.config is None:
        folder.begin(described)
    try:
        if storage is None and folder is not None:
            storage = f"sqlite:///{folder.path / 'study.db'}"
        with quiet():
            study = open_study(
                storage,
                seed=options.seed,
                prune=prune,
                spared=options.max_epochs // 4,  # while the learning rate rises, nothing is settled
                heartbeat=heartbeat,
                resume=resume,
                on_dead=do_again,
            )
            check_same(study, {key: described.get(key) for key in _COMPARED})
            if folder is not None and folder.config is not None:
                check_none_lost(folder.path, len(study.trials))
            with writing(str(out or storage), _GO_ON):
                interrupted = trainer.run(study, trials, heartbeat)
    except BaseException:
        if folder is not None and folder.config is None and not (folder.path / "study.db").exists():
            folder.abandon()
        raise
    result = TuningResult(ranges, criterion, records(study), options, interrupted)
    if folder is not None:
        with writing(str(folder.path), _GO_ON):
            save_report(folder.path, result, train_arguments=train_arguments)
    return result


def _one_device(hardware: Hardware) -> Hardware:
    if hardware.num_nodes > 1 or hardware.devices not in ("auto", 1, "1"):
        raise InputError(
            f"a trial is trained on one device; got devices {hardware.devices}, nodes {hardware.num_nodes}. Start the "
            f"command once for each device, on one storage and with {argument('resume')}."
        )
    return replace(hardware, devices=1, strategy="auto")


@dataclass(frozen=True)
class _Trials:
    """Trains and measures one trial after another."""

    data: LabeledData
    options: TrainingOptions
    search: tuple[SearchRange, ...]
    objective: Objective
    clean: LabeledData | None
    outside: Inputs | None
    noise_matrix: Tensor | None
    hardware: Hardware
    say: Callable[[str], None]

    def identity(self) -> dict[str, Any]:
        """What tells this search from others, as plain types."""
        outside = None if self.outside is None else LabeledData(self.outside, None, (), "outside")
        Q = self.noise_matrix
        return {
            "options": asdict(self.options),
            **RunSets(self.data, self.clean, outside).identity(),
            "known_noise_matrix": None if Q is None else Q.tolist(),
        }

    def description(self) -> dict[str, Any]:
        """What is searched and by what."""
        return {
            "objective": asdict(self.objective),
            "search": {s.name: {"low": s.low, "high": s.high, "log": s.log} for s in self.search},
            "grid": list(self.search[0].values),
        }

    def run(self, study: optuna.Study, trials: int | None, heartbeat: int) -> bool:
        """Run trials until there are enough; True if the user stopped them."""
        with tempfile.TemporaryDirectory(prefix="noiselayer-") as scratch:
            begun: list[int] = []

            def objective(trial: optuna.Trial) -> float:
                begun.append(trial.number)
                if not self.search[0].values:  # a grid's value is settled by now
                    study.sampler = sampler_of(self.options.seed, tried(study, trial.number))
                return self._trial(trial, Path(scratch))

            try:
                while True:
                    if trials is not None and len(begun) >= trials:
                        return False
                    left = remaining(study, self.search, heartbeat=heartbeat)
                    if left == 0 or (left is None and trials is None and len(begun) >= _TRIALS):
                        return False
                    study.sampler = sampler_of(self.options.seed, tried(study))
                    queue_next(study, self.search, self.options.seed)
                    study.optimize(objective, n_trials=1)
            except KeyboardInterrupt:
                for trial in study.get_trials():
                    if trial.number in begun[-1:] and trial.state == TrialState.FAIL:
                        queue_again(study, trial)
                return True

    def _trial(self, trial: optuna.Trial, scratch: Path) -> float:
        values = suggest(trial, self.search)
        named = ", ".join(f"{s.title} {values[s.name]:.4g}" for s in self.search)
        began = time.monotonic()
        watch: list[ReportObjective] = []

        def callbacks(trained: TrainedClassifier) -> list[ReportObjective]:
            if self.clean is None:
                held_out = self.data.subset(trained.splits["validation"])
            else:
                held_out = self.clean.subset(trained.splits["clean_validation"])
            watch.append(ReportObjective(trial, self.objective, held_out))
            return watch

        shutil.rmtree(scratch / "main", ignore_errors=True)  # the stages before it are every trial's
        trained = fit_classifier(
            self.data,
            apply_values(self.options, values),
            clean=self.clean,
            outside=self.outside,
            noise_matrix=self.noise_matrix,
            hardware=self.hardware,
            folder=scratch,
            main_callbacks=callbacks,
        )
        if trained.interrupted:
            raise KeyboardInterrupt
        reporter = watch[0]
        device = evaluation_device(self.hardware)
        found = reporter.measure(trained.network, trained.noise_matrix, device)
        value, spread = found.of(self.objective.name)
        epochs = trained.stages[-1].epochs
        measured = {"objective": value, "standard_error": spread, "error": found.error, "loss": found.loss}
        finite = {name: number if math.isfinite(number) else None for name, number in measured.items()}
        seconds = round(time.monotonic() - began, 3)
        trial.set_user_attr(
            "measured", {**finite, "samples": found.samples, "epochs": epochs, "seconds": seconds}
        )
        stopped = reporter.pruned or not math.isfinite(value)
        words = "stopped early" if stopped else f"{self.objective.name} {value:.4f} ± {spread:.4f}"
        self.say(f"Trial {trial.number}: {named}: {words} ({epochs} epochs).")
        if stopped:
            raise optuna.TrialPruned
        return value

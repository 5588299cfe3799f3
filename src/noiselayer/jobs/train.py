"""A run whose input has been checked, and what it does."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from noiselayer.data import LabeledData
from noiselayer.data.inputs import rows_read
from noiselayer.data.reading import encoder_of
from noiselayer.errors import InputError
from noiselayer.files.whole_file import writing
from noiselayer.jobs.head_choice import in_words
from noiselayer.jobs.train_plan import planned_stages, seconds_per_sample
from noiselayer.report.from_run import content_from_run
from noiselayer.report.loss_drawing import save_curves
from noiselayer.report.matrix_drawing import save_noise_matrices
from noiselayer.report.page import save_report
from noiselayer.storage.environment import describe_hardware, evaluation_device, is_first_process, versions
from noiselayer.storage.loaded_run import load_run
from noiselayer.storage.run_folder import RunFolder
from noiselayer.storage.run_sets import RunSets
from noiselayer.storage.saved_run import save_run, summarize, trusted_error
from noiselayer.training.frozen_head import HEAD
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import THROUGH_Q, Hardware, TrainingOptions
from noiselayer.training.trained import TrainedClassifier


@dataclass(frozen=True)
class PreparedRun:
    """A run that has been checked; ``choice`` says what "auto" became and why, ``config`` identifies the run."""

    folder: RunFolder
    sets: RunSets
    options: TrainingOptions
    choice: str | None
    hardware: Hardware
    noise_matrix: Tensor | None
    config: dict[str, Any]
    parameters: int

    @property
    def data(self) -> LabeledData:
        """Samples and noisy labels."""
        return self.sets.noisy

    @property
    def finished(self) -> bool:
        """Whether this very run lies in the folder already, at its end."""
        return self.folder.config is not None and self.folder.finished

    def tidy(self, *, keep_checkpoints: bool = False) -> None:
        """Do what a finished run that was killed in its last moment has left undone: its page, its checkpoints."""
        if not (self.folder.path / "report.html").is_file():  # killed before it came to that
            self._report(evaluation_device(self.hardware))
        if not keep_checkpoints:
            self.folder.remove_stages()

    def plan(self) -> str:
        """What would run, in words, and for about how long; a few steps are timed for that."""
        options, sets = self.options, self.sets
        if options.model == HEAD:
            return self._plan_of_head()
        device = evaluation_device(self.hardware)
        seconds = seconds_per_sample(self.data, options, device, self.hardware.precision)
        noisy, noisy_held = _parted(sets.noisy, options)
        clean, clean_held = (0, 0) if sets.clean is None else _parted(sets.clean, options)
        outside = 0 if sets.outside is None else len(sets.outside)
        stages = planned_stages(
            options,
            *(noisy, clean, outside),
            shape=self.data.inputs.shape,
            num_classes=self.data.num_classes,
        )
        # Validation goes forward only: about a third of a step.
        total = (
            sum(stage.epochs * (stage.samples + (noisy_held + clean_held) / 3) for stage in stages) * seconds
        )
        counts = f"{noisy:,} samples to train on, {noisy_held:,} held out"
        if sets.clean is not None:
            use = "" if options.train_on_clean else ", for measuring only"
            counts += f"; of the clean ones {clean:,} and {clean_held:,}{use}"
        if outside:
            counts += f"; {outside:,} from outside the classes"
        lines = [
            sets.summary(),
            *([self.choice] if self.choice else []),
            f"Method {options.method}, model {options.model} with {self.parameters:,} parameters; {counts}.",
            *(
                f"{number}. {stage.name}: at most {stage.epochs} epochs of {stage.samples:,} samples."
                for number, stage in enumerate(stages, 1)
            ),
            f"About {in_words(total)} at {1 / seconds:,.0f} samples a second, timed on {device.type}"
            + (f"; patience {options.patience} may end a stage sooner." if options.patience else "."),
        ]
        if sets.test is not None:
            lines.append(f"Test error on {len(sets.test):,} trusted labels, for reading only.")
        lines.append(f"Nothing was written; the run would go to {self.folder.path}.")
        return "\n".join(lines)

    def _plan_of_head(self) -> str:
        lines = [self.sets.summary(), *([self.choice] if self.choice else [])]
        if self.sets.test is not None:
            lines.append(f"Test error on {len(self.sets.test):,} trusted labels, for reading only.")
        lines.append(f"Nothing was written; the run would go to {self.folder.path}.")
        return "\n".join(lines)

    def execute(
        self, *, on_stage: Callable[[str], None] | None = None, keep_checkpoints: bool = False
    ) -> dict[str, Any] | None:
        """Train, write the run's folder, and return its metrics; other processes than the first return None.

        If the data turn out to be unfit, what this run has made is removed, unless there are checkpoints to go on from.
        """
        first, sets = is_first_process(), self.sets
        if first:
            self.folder.begin(self.config)
        try:
            trained = fit_classifier(
                self.data,
                self.options,
                clean=sets.clean,
                clean_given=sets.clean_given,
                outside=None if sets.outside is None else sets.outside.inputs,
                noise_matrix=self.noise_matrix,
                hardware=self.hardware,
                folder=self.folder.stages,
                on_stage=on_stage,
            )
        except BaseException:
            if first:
                self.folder.abandon()
            raise
        if not first:
            return None
        device = evaluation_device(self.hardware)
        metrics = summarize(trained, sets, device)
        if sets.test is not None:
            metrics |= trusted_error(trained, sets.test, device)
        metrics |= {"versions": versions(), "hardware": describe_hardware(self.hardware)}
        # In the files' own numbering, where samples were dropped from the noisy set.
        rows = torch.from_numpy(rows_read(sets.noisy.inputs))
        trained.splits |= {name: rows[trained.splits[name]] for name in ("train", "validation")}
        with writing(
            str(self.folder.path), "The training is done and kept: make room, and run it again with --resume."
        ):
            save_run(
                self.folder.path,
                trained,
                config=self.config,
                metrics=metrics,
                encoder=encoder_of(self.data.inputs),
                draw=lambda folder: _draw(folder, trained, metrics),
            )
        if metrics["finished"]:
            self._report(device)
            if not keep_checkpoints:
                self.folder.remove_stages()
        return metrics

    def _report(self, device: torch.device) -> None:
        """The page of the run; it says what the folder holds, so that ``noiselayer report`` makes the same."""
        content = content_from_run(load_run(self.folder.path), self.sets.noisy, device=device)
        try:
            save_report(self.folder.path / "report.html", content)
        except InputError as error:  # the run itself is whole, and noiselayer report can be asked again
            warnings.warn(f"The report was not written: {error}", stacklevel=2)


def _draw(folder: Path, trained: TrainedClassifier, metrics: dict[str, Any]) -> None:
    """The pictures that lie beside ``noise_matrix.csv`` and ``curves.csv``."""
    method = trained.options.method
    title = "no noise matrix" if method in ("normal", "top-down") else f"noise matrix, {method}"
    save_noise_matrices(folder / "noise_matrix.png", {title: trained.noise_matrix}, trained.class_names)
    # The floor is one of noisy labels; a loss with clean or outside samples in it has another.
    if trained.head is not None:  # no epochs, no curves
        return
    floor = metrics["noise_floor"] if method in THROUGH_Q and not metrics["mixed"] else 0
    save_curves(folder / "curves.png", trained.stages, noise_floor=floor or None)


def _parted(data: LabeledData, options: TrainingOptions) -> tuple[int, int]:
    """Samples to train on and samples held out."""
    held_out = max(1, round(options.validation_fraction * len(data)))
    return len(data) - held_out, held_out

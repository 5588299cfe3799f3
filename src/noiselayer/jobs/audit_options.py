"""What ``noiselayer audit`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from noiselayer.choices import Method, ProbsPredict
from noiselayer.errors import InputError, argument, list_some
from noiselayer.jobs.option import Option, differing
from noiselayer.jobs.shared_options import CleanOptions, DataOptions, DeviceOptions, NetworkOptions

_PROBS, _MODEL, _AUDIT = "Where probabilities come from", "Model and training", "Audit"


@dataclass(frozen=True, kw_only=True)
class AuditJob(DeviceOptions, NetworkOptions, CleanOptions, DataOptions):
    """An audit as it is asked for."""

    devices: Annotated[int | str, Option("How many, or auto.", "Hardware")] = "auto"
    method: Annotated[
        Method,
        Option(
            "How models are trained. auto: normal, or what suits --clean. The others as in train.", _MODEL
        ),
    ] = "auto"
    folds: Annotated[int, Option("Models, each trained on all other folds.", _PROBS)] = 5
    probs: Annotated[
        str | None,
        Option(
            "FILE.npy, .npz:KEY, .csv or .parquet: out-of-sample probabilities instead of training.", _PROBS
        ),
    ] = None
    probs_predict: Annotated[
        ProbsPredict | None,
        Option(
            "Which label those are of: given (a model trained on such labels as usual) or true (noiselayer).",
            _PROBS,
        ),
    ] = None
    run: Annotated[
        Path | None, Option("A run that was trained on other data, instead of training.", _PROBS)
    ] = None
    in_sample: Annotated[bool, Option("Take a run that was trained on these very labels.", _PROBS)] = False
    out: Annotated[Path, Option("Folder of the audit.", _AUDIT, ("--out", "-o"))]
    noise_matrix: Annotated[
        Path | None, Option("FILE.csv; columns are true classes. Estimated if not given.", _AUDIT)
    ] = None
    threshold: Annotated[
        float | None,
        Option(
            "A label is called wrong above this error probability.", _AUDIT, default="the best expected F1"
        ),
    ] = None
    top: Annotated[int | None, Option("Keep so many rows, those most likely wrong.", _AUDIT, least=1)] = None
    reviewed: Annotated[
        Path | None,
        Option("Decisions of an earlier review, whose labels the report does not list again.", _AUDIT),
    ] = None
    resume: Annotated[bool, Option("Go on with a stopped audit.", _AUDIT)] = False
    progress: Annotated[bool, Option("No progress bars.", _AUDIT)] = True

    def __post_init__(self) -> None:
        probs, run, probs_predict = argument("probs"), argument("run"), argument("probs_predict")
        if self.probs is not None and self.run is not None:
            raise InputError(f"{probs} and {run} both say where probabilities come from; give one of them.")
        if self.probs is not None and self.probs_predict is None:
            raise InputError(
                f"{probs} needs {probs_predict}: given if the model was trained on noisy labels as usual, so that it "
                "predicts the label a sample would be given; true if it predicts the true class, as noiselayer predict "
                "does, or a model trained on trusted labels."
            )
        if self.probs is None and self.probs_predict is not None:
            raise InputError(f"{probs_predict} is about {probs}; what other probabilities are of is known.")
        if self.in_sample and self.run is None:
            raise InputError(
                f"{argument('in_sample')} is about {run}, whose model may have seen these labels."
            )
        training = ("method", "model", "max_epochs", "batch_size", "learning_rate", "seed", "clean")
        chosen = [argument(name) for name in training if name in differing(self)]
        if chosen and not self.trains:
            raise InputError(
                f"{list_some(chosen)} would train models, and the probabilities come from "
                f"{probs if self.probs else run}."
            )
        if self.folds < 2:
            raise InputError(
                f"{argument('folds')} must be at least 2, so that each leaves a part out; got {self.folds}."
            )
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError(
                f"{argument('threshold')} is an error probability, from 0 to 1; got {self.threshold}."
            )

    @property
    def trains(self) -> bool:
        """Whether models are cross-fitted for it."""
        return self.probs is None and self.run is None

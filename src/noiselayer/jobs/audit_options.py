"""What ``noiselayer audit`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.choices import Method, ProbsPredict
from noiselayer.errors import InputError, argument, list_some
from noiselayer.jobs.option import differing, option
from noiselayer.jobs.shared_options import CleanOptions, DataOptions, DeviceOptions, NetworkOptions

_PROBS, _MODEL, _AUDIT = "Where probabilities come from", "Model and training", "Audit"


@dataclass(frozen=True, kw_only=True)
class AuditJob(DeviceOptions, NetworkOptions, CleanOptions, DataOptions):
    """An audit as it is asked for."""

    from_scratch: bool = option(
        False,
        "Train a network on the samples, also where features of a pretrained one are at hand.",
        "Model and training",
    )
    devices: int | str = option("auto", "How many, or auto.", "Hardware")
    method: Method = option(
        "auto", "How models are trained. auto: normal, or what suits --clean. The others as in train.", _MODEL
    )
    folds: int = option(5, "Models, each trained on all other folds.", _PROBS)
    probs: str | None = option(
        None, "FILE.npy, .npz:KEY, .csv or .parquet: out-of-sample probabilities instead of training.", _PROBS
    )
    second_probs: str | None = option(
        None,
        "As --probs, of a second model of the same samples: another seed or architecture, other folds.",
        _PROBS,
    )
    probs_predict: ProbsPredict | None = option(
        None,
        "Which label those are of: given (a model trained on such labels as usual) or true (noiselayer).",
        _PROBS,
    )
    run: Path | None = option(None, "A run that was trained on other data, instead of training.", _PROBS)
    in_sample: bool = option(False, "Take a run that was trained on these very labels.", _PROBS)
    out: Path = option(..., "Folder of the audit.", _AUDIT, ("--out", "-o"))
    noise_matrix: Path | None = option(
        None, "FILE.csv; columns are true classes. Estimated if not given.", _AUDIT
    )
    threshold: float | None = option(
        None, "A label is called wrong above this error probability.", _AUDIT, shown="the best expected F1"
    )
    top: int | None = option(None, "Keep so many rows, those most likely wrong.", _AUDIT, least=1)
    suggest_checks: int | None = option(
        None, "Draw so many labels to look at, as checks.csv and checks.html in --out.", _AUDIT, least=1
    )
    reviewed: Path | None = option(
        None,
        "Decisions of an earlier review, whose labels the report does not list again. Those about labels that "
        "--suggest-checks drew correct all numbers.",
        _AUDIT,
    )
    resume: bool = option(False, "Go on with a stopped audit.", _AUDIT)
    progress: bool = option(True, "No progress bars.", _AUDIT)

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
        if self.second_probs is not None and self.probs is None:
            raise InputError(
                f"{argument('second_probs')} is the second opinion beside {probs}; give that too."
            )
        if self.second_probs is not None and self.noise_matrix is not None:
            raise InputError(
                f"{argument('second_probs')} helps to estimate the noise; with {argument('noise_matrix')} it has no "
                "use. Leave one out."
            )
        for name in ("top", "checked_column"):
            if self.suggest_checks is not None and getattr(self, name) is not None:
                raise InputError(
                    f"{argument('suggest_checks')} draws from all labels; leave {argument(name)} out."
                )
        if self.in_sample and self.run is None:
            raise InputError(
                f"{argument('in_sample')} is about {run}, whose model may have seen these labels."
            )
        training = (
            "method",
            "model",
            "max_epochs",
            "batch_size",
            "learning_rate",
            "seed",
            "clean",
            "from_scratch",
        )
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

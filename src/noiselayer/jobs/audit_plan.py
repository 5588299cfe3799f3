"""What an audit of files is asked to do, and whether that can be done."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from noiselayer.data import LabeledData
from noiselayer.data.reading import Reading, fingerprint
from noiselayer.errors import InputError, list_some
from noiselayer.files.records import write_json
from noiselayer.files.whole_file import remove_unfinished
from noiselayer.storage.loaded_run import LoadedRun
from noiselayer.storage.run_folder import check_same_job, read_description

__all__ = ["AuditPlan", "abandon_folder", "check_out_of_sample", "open_folder"]

_PLAN = "audit_plan.json"


@dataclass(frozen=True)
class AuditPlan:
    """An audit as it was asked for.

    Attributes:
        reading: How the data are read.
        out: The folder for the result.
        folds: How many models are cross-fitted, where neither ``probs`` nor ``run`` is given.
        options: Of the training of each.
        optimization: Its rates.
        clean: Data with trusted labels, for the training of each.
        clean_labels: Where those labels are.
        probs: A file of probabilities instead.
        probs_of: What they are of.
        run: The folder of a trained run instead.
        in_sample: The probabilities may be of a model that has seen these labels.
        noise_matrix: A file with the noise matrix; estimated if None.
        threshold: Of the verdict; the best by expected F1 if None.
        top: How many rows to keep; all if None.
    """

    reading: Reading
    out: Path
    folds: int = 5
    options: dict[str, Any] = field(default_factory=dict)
    optimization: dict[str, Any] = field(default_factory=dict)
    clean: str | None = None
    clean_labels: str | None = None
    probs: str | None = None
    probs_of: Literal["true", "noisy"] | None = None
    run: Path | None = None
    in_sample: bool = False
    noise_matrix: Path | None = None
    threshold: float | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        if self.probs is not None and self.run is not None:
            raise InputError("--probs and --run both say where probabilities come from; give one of them.")
        if self.probs is not None and self.probs_of is None:
            raise InputError(
                "--probs needs --probs-of: noisy if the model was trained to repeat the noisy labels, true if it was "
                "trained through a noise matrix or on clean labels."
            )
        if self.probs is None and self.probs_of is not None:
            raise InputError(
                "--probs-of is about --probs; other probabilities say themselves what they are of."
            )
        if self.in_sample and self.run is None:
            raise InputError("--in-sample is about --run, whose model may have seen these labels.")
        trains = self.probs is None and self.run is None
        given = [*self.options, *self.optimization, *(["clean"] if self.clean else [])]
        if not trains and given:
            raise InputError(
                f"{list_some(given)} would train models, and the probabilities come from "
                f"{'--probs' if self.probs else '--run'}."
            )
        if self.folds < 2:
            raise InputError(f"folds must be at least 2, so that each leaves a part out; got {self.folds}.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError(f"threshold is an error probability, from 0 to 1; got {self.threshold}.")

    def identity(self, data: LabeledData) -> dict[str, Any]:
        """What tells this audit from another one, as plain types."""
        return {
            "data": {"samples": len(data), "fingerprint": fingerprint(data)},
            "annotator_column": self.reading.annotator_column,
            "class_names": list(data.class_names),
            "folds": self.folds,
            "options": self.options,
            "optimization": self.optimization,
            "clean": self.clean,
            "probs": self.probs,
            "run": None if self.run is None else str(self.run),
        }


def open_folder(plan: AuditPlan, data: LabeledData, *, resume: bool) -> bool:
    """Make the folder of an audit, or look whether what lies there is this very audit.

    Returns:
        Whether it is there already, at its end.

    Raises:
        InputError: If something else lies there, or an audit that nobody asked to resume.
    """
    out, identity = plan.out, plan.identity(data)
    before = read_description(out, _PLAN, job="audit", resume=resume)
    if before is not None:
        check_same_job(out, "audit", before, identity)
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_unfinished(out)
        if before is None:
            write_json(out / _PLAN, identity)
    except OSError as error:
        raise InputError(f"cannot write to the output folder {out}: {error.strerror}.") from error
    return (out / "audit.json").is_file()


def abandon_folder(out: Path) -> None:
    """After a failure, remove what the audit has made, unless there are checkpoints to go on from.

    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp())
    >>> _ = (out / "audit_plan.json").write_text("{}")
    >>> abandon_folder(out)
    >>> out.exists()
    False
    """
    if any(file.is_file() for file in (out / "folds").rglob("*.*")):
        return
    (out / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(out / "folds", ignore_errors=True)
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()


def check_out_of_sample(run: LoadedRun, data: LabeledData, reading: Reading) -> None:
    """Raise if a run was trained on the labels that it is to judge.

    Raises:
        InputError: If the data are the run's own, by their fingerprint or their path.
    """
    trained = run.config
    same = (trained.get("data") or {}).get("fingerprint") == fingerprint(data)
    path = (trained.get("reading") or {}).get("path")
    if same or (path is not None and Path(path).resolve() == Path(reading.path).resolve()):
        raise InputError(
            f"the run in {run.folder} was trained on these very labels, and a network that has memorised its labels "
            "finds no errors in them. Leave --run out to cross-fit models, or say --in-sample to do it all the same."
        )

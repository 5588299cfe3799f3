"""The folder of an audit: what tells one audit from another, and whether what lies there can be gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from noiselayer.data import LabeledData
from noiselayer.data.reading import Reading, fingerprint
from noiselayer.errors import InputError, argument
from noiselayer.files.whole_file import remove_unfinished, write_json
from noiselayer.jobs.audit_options import AuditJob
from noiselayer.jobs.option import differing, given
from noiselayer.storage.loaded_run import LoadedRun
from noiselayer.storage.run_folder import check_same_job, read_description
from noiselayer.training import Optimization, TrainingOptions

_PLAN = "audit_plan.json"


def plan_identity(job: AuditJob, data: LabeledData) -> dict[str, Any]:
    """What tells this audit from another one, as plain types."""
    return {
        "data": {"samples": len(data), "fingerprint": fingerprint(data)},
        "annotator_column": job.annotator_column,
        "class_names": list(data.class_names),
        "folds": job.folds,
        "options": changed_options(job),
        "optimization": given(job, Optimization),
        "clean": job.clean,
        "probs": job.probs,
        "run": None if job.run is None else str(job.run),
    }


def changed_options(job: AuditJob) -> dict[str, Any]:
    """The options of training that somebody has chosen; the folds of an audit are its own."""
    options, chosen = given(job, TrainingOptions, without=("folds",)), differing(job)
    return {name: value for name, value in options.items() if name in chosen}


def open_folder(job: AuditJob, data: LabeledData) -> bool:
    """Make the folder of an audit, or look whether what lies there is this very audit.

    Returns:
        Whether it is there already, at its end.

    Raises:
        InputError: If something else lies there, or an audit that nobody asked to resume.
    """
    out, identity = job.out, plan_identity(job, data)
    before = read_description(out, _PLAN, job="audit", resume=job.resume)
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
            f"finds no errors in them. Leave {argument('run')} out to cross-fit models, or say "
            f"{argument('in_sample')} to do it all the same."
        )

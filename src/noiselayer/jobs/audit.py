"""From files to the folder of an audit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from noiselayer.annotators.describe import describe_annotators
from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.arrays.folds import check_folds
from noiselayer.audit import AuditResult
from noiselayer.audit.neighbours import mixed_with_neighbours
from noiselayer.audit.stream import audit_stream
from noiselayer.data import LabeledData, check_for_training
from noiselayer.data.inputs import NoInputs
from noiselayer.data.labels import rename_labels, sort_classes
from noiselayer.data.labels_alone import read_labels_alone
from noiselayer.data.numpy_files import split_address
from noiselayer.data.probabilities import named_classes
from noiselayer.data.reading import Reading, encoder_of, fingerprint
from noiselayer.errors import InputError, argument, as_input_errors
from noiselayer.files.given import check_not_read
from noiselayer.interchange.read_review import read_review
from noiselayer.jobs.audit_by_annotator import judged_by_annotator, whole_probs
from noiselayer.jobs.audit_checks import (
    check_number,
    corrected_by_checks,
    drawn_checks,
    save_probs,
    without_checked,
    write_checks,
)
from noiselayer.jobs.audit_options import AuditJob
from noiselayer.jobs.audit_probs import given_probs, second_opinion
from noiselayer.jobs.head_choice import about_head, on_features, suits_head
from noiselayer.jobs.option import differing, given
from noiselayer.jobs.train_prepare import hardware_of, training_options
from noiselayer.report.from_audit import content_from_audit
from noiselayer.report.page import save_report
from noiselayer.report.reviewed import without_reviewed
from noiselayer.storage.audit_folder import SavedAudit, load_audit, save_audit
from noiselayer.storage.environment import evaluation_device
from noiselayer.storage.features_file import features_of
from noiselayer.storage.loaded_run import LoadedRun, load_run
from noiselayer.storage.matrix_file import read_noise_matrix
from noiselayer.storage.review.decisions import Decision
from noiselayer.storage.run_folder import RunFolder
from noiselayer.storage.run_sets import read_sets
from noiselayer.training.cross_fit import cross_fit
from noiselayer.training.frozen_head import HEAD, check_head
from noiselayer.training.options import THROUGH_Q, Hardware, Optimization, TrainingOptions
from noiselayer.training.set_checks import automatic_method

_LISTED = 200  # suspects on the page
_IN_SAMPLE = (
    "the probabilities are of a model that has seen these labels; it agrees with labels that it has memorised, so "
    "errors are missed and the numbers are too small."
)


@dataclass(frozen=True, eq=False)
class _Probabilities:
    """Probabilities, wherever they come from."""

    probs: Any
    probs_predict: Literal["given", "true"]
    folds: int | None = None
    noise_matrix: Tensor | None = None
    standard_error: Tensor | None = None
    warnings: tuple[str, ...] = ()
    second_probs: Any = None


def audit_files(job: AuditJob, *, on_stage: Callable[[str], None] | None = None) -> SavedAudit | None:
    """Audit the labels of files, and leave a folder with the result; None if the user stopped the training."""
    hardware, say = hardware_of(job), on_stage or (lambda message: None)
    reading, choice = Reading(job.data, **given(job, Reading)), ""
    run = None if job.run is None else load_run(job.run)
    if job.trains:
        reading, choice = on_features(job, reading)
    elif run is not None:
        chosen = {name: value for name, value in given(job, Reading).items() if name in differing(job)}
        reading = run.reading(job.data, **chosen)
    check_not_read((job.out,), (split_address(job.data)[0], job.clean, job.run, job.reviewed))
    decisions = [] if job.reviewed is None else read_review(job.reviewed)  # before hours of training
    with as_input_errors():
        data, clean, checked = _read(job, reading, run)
        Q = None if job.noise_matrix is None else read_noise_matrix(job.noise_matrix, data.class_names)
        evidence = _given(job, reading, run, data, hardware)
        options = _options(job, data)
        check_number(job, len(data))
        if job.trains:
            check_folds(job.folds, len(data))
        folder = RunFolder(
            job.out, resume=job.resume, job="audit", description="audit_plan.json", stages="folds"
        )
        identity = _identity(job, data)
        folder.check_same(identity)
        folder.begin(identity)
    if (job.out / "audit.json").is_file():
        say(f"The audit in {job.out} is finished already.")
        if drawn_checks(decisions):
            raise InputError(
                f"the audit in {job.out} is finished, and one that {argument('reviewed')} corrects is another one: "
                f"name another folder with {argument('out')}."
            )
        saved = load_audit(job.out)
        if job.suggest_checks is not None or not (job.out / "report.html").is_file():
            _report(
                job, saved, data, decisions, say
            )  # it was killed before it came to that, or others are wanted
        folder.remove_stages()
        return saved
    say(data.summary())
    if evidence is None and options.model == HEAD:
        method = "normal" if job.method == "auto" and clean is None else options.method
        say(" ".join(filter(None, [choice, about_head(data, method)])))
    if evidence is None:
        try:
            evidence = _trained(job, options, data, clean, hardware, folder.stages, say)
        except BaseException:
            folder.abandon()
            raise
        if evidence is not None:
            save_probs(job.out, evidence.probs, data.class_names)
    if evidence is None:
        return None
    try:
        result = audit_stream(
            None if callable(evidence.probs) else data.given,  # batches bring them
            evidence.probs,
            evidence.noise_matrix if Q is None else Q,
            probs_predict=evidence.probs_predict,
            standard_error=evidence.standard_error if Q is None else None,
            verified=None if data.checked is None else data.checked >= 0,
            threshold=job.threshold,
            class_names=data.class_names,
            top=job.top,
            second_probs=evidence.second_probs,
        )
        found = None
        if data.annotators is not None:
            probs = whole_probs(evidence.probs)
            result, found = judged_by_annotator(result, data, probs, threshold=job.threshold, top=job.top)
        drawn = drawn_checks(decisions)
        if drawn:
            result, answers = corrected_by_checks(result, data, drawn, threshold=job.threshold)
    except (ValueError, TypeError) as error:
        folder.abandon()
        raise InputError(*error.args) from error
    saved = _saved(reading, data, result, evidence, found)
    if drawn:
        saved = replace(saved, counts={**saved.counts, "drawn": answers})
    if checked is not None:
        saved = without_checked(saved, data, checked)
    save_audit(job.out, saved)
    _report(job, saved, data, decisions, say)
    folder.remove_stages()
    return saved


def _read(
    job: AuditJob, reading: Reading, run: LoadedRun | None
) -> tuple[LabeledData, LabeledData | None, dict[str, int] | None]:
    """The labels to judge, clean samples, and how many labels have been checked: those are corrected here."""
    clean = None
    if run is not None:
        data = run.read_as(reading, with_labels=True)
        check_for_training(data, complete=False)
    elif job.probs is None:
        sets = read_sets(reading, clean=job.clean, clean_labels=job.clean_labels, checked_apart=False)
        data, clean = sets.noisy, sets.clean
    else:  # no sample is looked at
        data = read_labels_alone(reading) or reading.read()
        check_for_training(data, complete=False)
        classes = named_classes(job.probs, reading.id_column)
        if classes is not None and set(classes) > set(data.class_names) and reading.class_names is None:
            names = sort_classes(classes)
            labels = rename_labels(data.given, data.class_names, names)
            checked = None if data.checked is None else rename_labels(data.checked, data.class_names, names)
            data = replace(data, labels=labels, checked=checked, class_names=names)
    if data.checked is None:
        return data, clean, None
    known = data.checked >= 0
    wrong = known & (data.checked != data.given)
    judged = known if data.only_checked is None else known & ~data.only_checked
    counts = {"labels": int(judged.sum()), "wrong": int(wrong.sum())}
    return replace(data, labels=torch.where(known, data.checked, data.given)), clean, counts


def _report(
    job: AuditJob,
    saved: SavedAudit,
    data: LabeledData,
    decisions: Sequence[Decision],
    say: Callable[[str], None],
) -> None:
    """The page of the audit, as ``noiselayer report`` makes it."""
    try:
        inputs = None if isinstance(data.inputs, NoInputs) else data.inputs
        title = f"Audit: {job.out.resolve().name}"
        content = content_from_audit(saved, name=title, limit=_LISTED + len(decisions), inputs=inputs)
        if decisions:
            content = without_reviewed(content, decisions, _LISTED)
        save_report(job.out / "report.html", content)
        if job.suggest_checks is not None:
            say(write_checks(job, saved, content, inputs))
    except InputError as error:  # the audit itself is whole, and noiselayer report can be asked again
        warnings.warn(f"The report was not written: {error}", stacklevel=2)


def _given(
    job: AuditJob, reading: Reading, run: LoadedRun | None, data: LabeledData, hardware: Hardware
) -> _Probabilities | None:
    """Probabilities from a file or from a run; None if models are to be trained."""
    if job.probs is not None:
        assert job.probs_predict is not None
        probs, second = given_probs(job, reading, data), second_opinion(job, reading, data)
        return _Probabilities(probs, job.probs_predict, second_probs=second)
    if run is not None:
        if tuple(run.class_names) != tuple(data.class_names):
            raise InputError(f"the run in {job.run} is of other classes than {data.origin}.")
        if not job.in_sample:
            _check_out_of_sample(run, data, reading)
        of_true = run.metrics["method"] in THROUGH_Q
        probs = run.predict(data, device=evaluation_device(hardware)).probs
        return _Probabilities(
            probs,
            "true" if of_true else "given",
            noise_matrix=run.noise_matrix if of_true else None,
            warnings=(_IN_SAMPLE,) if job.in_sample else (),
        )
    return None


def _trained(
    job: AuditJob,
    options: TrainingOptions,
    data: LabeledData,
    clean: LabeledData | None,
    hardware: Hardware,
    folder: Path,
    say: Callable[[str], None],
) -> _Probabilities | None:
    if job.method == "auto":
        method = "normal"
        if clean is not None:
            method, why = automatic_method(data, clean)
            say(f"Method {method}: {why}.")
        options = replace(options, method=method)
    # Sources are told apart in judging, not in training.
    of_all = replace(data, annotators=None, annotator_names=())
    with as_input_errors():
        fitted = cross_fit(
            of_all,
            options,
            folds=job.folds,
            clean=clean,
            hardware=hardware,
            folder=folder,
            device=evaluation_device(hardware),
            on_stage=say,
        )
    if fitted.interrupted:
        return None
    found = _Probabilities(
        fitted.probs, fitted.probs_predict, job.folds, fitted.noise_matrix, fitted.standard_error
    )
    if found.probs_predict != "given" or data.inputs.kind not in ("table", "vector", "embedded"):
        return found
    mixed = mixed_with_neighbours(data.given, found.probs, data.inputs.__getitems__)
    return found if mixed is None else replace(found, probs=mixed.probs, warnings=(mixed.warning,))


def _saved(
    reading: Reading,
    data: LabeledData,
    result: AuditResult,
    evidence: _Probabilities,
    found: CombinedLabels | None,
) -> SavedAudit:
    wrong = result.wrong
    per_class = [
        {
            **{"class": name, "labels": int(labels), "expected": expected if wrong.known else None},
            **{"low": low, "high": high},
        }
        for name, labels, expected, low, high in zip(
            data.class_names,
            *(column.tolist() for column in (wrong.labels, wrong.expected, wrong.low, wrong.high)),
            strict=True,
        )
    ]
    everything: dict[str, Any] = {
        "expected": wrong.total if wrong.known else None,
        "low": wrong.total_low,
        "high": wrong.total_high,
        "flagged": result.flagged,
    }
    if wrong.sample_end is not None and wrong.label_end is not None:
        everything |= {
            "sample_end": float(wrong.sample_end.sum()),
            "label_end": float(wrong.label_end.sum()),
            "settled": wrong.settled,
        }
    return SavedAudit(
        class_names=tuple(data.class_names),
        probs_predict=result.probs_predict,
        num_samples=result.num_samples,
        threshold=result.threshold,
        counts={"all": everything, "per_class": per_class},
        labels=result.to_frame(ids=data.inputs.ids),
        noise_matrix=result.noise_matrix,
        standard_error=result.standard_error,
        findings=result.findings,
        temperature=result.temperature,
        origin={"path": reading.path, "reading": reading.to_dict()},
        folds=evidence.folds,
        warnings=(*evidence.warnings, *result.warnings),
        annotators=None
        if found is None or found.annotators is None
        else describe_annotators(found, found.annotators, len(found)),
    )


def _identity(job: AuditJob, data: LabeledData) -> dict[str, Any]:
    """What tells this audit from another one, as plain types."""
    return {
        "data": {"samples": len(data), "fingerprint": fingerprint(data)},
        "annotator_column": job.annotator_column,
        "class_names": list(data.class_names),
        "folds": job.folds,
        "options": _changed_options(job),
        "optimization": given(job, Optimization),
        "clean": job.clean,
        "probs": job.probs,
        **({} if job.second_probs is None else {"second_probs": job.second_probs}),
        "run": None if job.run is None else str(job.run),
        **features_of(encoder_of(data.inputs)),
    }


def _options(job: AuditJob, data: LabeledData) -> TrainingOptions:
    """How models are trained, if any are; embeddings get a head where nobody asked for a network."""
    changed = _changed_options(job)
    if job.trains and data.labels is not None and suits_head(job, data):
        changed["model"] = HEAD
    options = training_options(data, changed, given(job, Optimization))
    if job.trains and options.model == HEAD:
        of_all = replace(data, annotators=None, annotator_names=())  # told apart in judging, not in training
        check_head(options.method, of_all, differing(job))
    return options


def _changed_options(job: AuditJob) -> dict[str, Any]:
    """The options of training that somebody has chosen; the folds of an audit are its own."""
    options, chosen = given(job, TrainingOptions, without=("folds",)), differing(job)
    return {name: value for name, value in options.items() if name in chosen}


def _check_out_of_sample(run: LoadedRun, data: LabeledData, reading: Reading) -> None:
    """Raise if a run was trained on the labels that it is to judge, by their fingerprint or their path."""
    trained = run.config
    same = (trained.get("data") or {}).get("fingerprint") == fingerprint(data)
    path = (trained.get("reading") or {}).get("path")
    if same or (path is not None and Path(path).resolve() == Path(reading.path).resolve()):
        raise InputError(
            f"the run in {run.folder} was trained on these very labels, and a network that has memorised its labels "
            f"finds no errors in them. Leave {argument('run')} out to cross-fit models, or say "
            f"{argument('in_sample')} to do it all the same."
        )

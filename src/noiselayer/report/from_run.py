"""A run's folder -> what its report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.checks import check_noise_model
from noiselayer.data import LabeledData
from noiselayer.data.inputs import rows_read
from noiselayer.data.numpy_files import read_npy, read_npz
from noiselayer.data.reading import Reading, fingerprint
from noiselayer.errors import InputError
from noiselayer.report.annotator_facts import read_annotators
from noiselayer.report.content import ClassErrors, Note, ReportContent, StageLosses, notes_of, strongest_fact
from noiselayer.report.find_suspects import find_suspects, in_double
from noiselayer.report.samples import look_at, rows_of
from noiselayer.report.stages import read_stages
from noiselayer.report.wording import how_to_see_more, percent
from noiselayer.storage.loaded_run import LoadedRun
from noiselayer.storage.matrix_file import read_standard_error
from noiselayer.storage.review.decisions import review_command
from noiselayer.storage.saved_run import OUT_OF_FOLD
from noiselayer.training.logits import predict_logits

_METHODS = {
    "normal": "The labels were taken to be right; there is no noise matrix.",
    "top-down": "The labels were softened, not corrected; there is no noise matrix.",
    "known": "The noise matrix was given.",
    "learned": "The noise matrix was learned from the noisy labels alone.",
    "estimated": "The noise matrix was measured with trusted labels.",
    "refined": "The noise matrix was measured with trusted labels and then learned further.",
}
_WITHOUT_MATRIX = ("normal", "top-down")


def content_from_run(
    run: LoadedRun,
    data: LabeledData | None,
    *,
    limit: int = 200,
    device: torch.device | str | None = None,
    data_path: str | None = None,
) -> ReportContent:
    """What the report of a run says; without ``data``, see :func:`read_run_data`, no suspects are listed."""
    config, metrics = run.config, run.metrics
    method = metrics["method"]
    through_matrix = method not in _WITHOUT_MATRIX
    reading = Reading.from_dict({**config["reading"], **({"path": data_path} if data_path else {})})
    found: dict[str, Any] = {"suspects_note": _no_suspects(through_matrix, data)}
    notes = [Note("Estimate", text) for text in metrics.get("estimate", {}).get("warnings", ())]
    stages = [] if "head" in metrics else read_stages(run.folder, metrics["stages"])
    if through_matrix and data is not None:
        logits, held_out = _judged(run, data, device)
        about = content_of_data(data, logits, run.noise_matrix, reading, held_out=held_out, limit=limit)
        notes += _findings(run, logits[held_out].double(), data.given[held_out], stages)
        notes += about.pop("notes")
        found |= about
    if not metrics["finished"]:
        notes.insert(0, Note("Stopped", "The run was stopped before its end; its figures are preliminary."))
    matrix = run.noise_matrix.double().numpy() if through_matrix else None
    return ReportContent(
        title=f"Run: {run.folder.resolve().name}",
        facts=_facts(run, matrix),
        class_names=run.class_names,
        figures=_figures(metrics),
        noise_matrix=matrix,
        standard_error=_standard_error(run) if through_matrix else None,
        stages=stages,
        noise_floor=metrics["noise_floor"] if through_matrix and not metrics["mixed"] else None,
        notes=notes,
        apply_command=review_command(reading),
        details=_details(run),
        annotators=read_annotators(run.folder),
        **found,
    )


def read_run_data(run: LoadedRun, path: str | None = None) -> LabeledData:
    """The samples and noisy labels that a run was trained and validated on, read again; they must be the same."""
    reading = Reading.from_dict({**run.config["reading"], **({"path": path} if path else {})})
    data = reading.read(encoder=run.encoder)
    wanted = np.isin(rows_read(data.inputs), _used_rows(run))  # those that were checked or set apart are not
    same = int(wanted.sum()) == len(_used_rows(run))
    if same and not wanted.all():
        data = data.subset(wanted.nonzero()[0])
    if not same or fingerprint(data) != run.config["data"]["fingerprint"]:
        raise InputError(
            f"{reading.path} is not what the run in {run.folder} was trained on: samples or labels differ. Give "
            "the data of that time with --data."
        )
    return data


def content_of_data(
    data: LabeledData,
    logits: Tensor,
    noise_matrix: Tensor,
    reading: Reading,
    *,
    held_out: Tensor | None = None,
    limit: int,
    least: float = 0.5,
) -> dict[str, Any]:
    """What a report needs the samples for, by field; the network was not trained on ``held_out``: all if None."""
    judges = logits if held_out is None else logits[held_out]
    shares = judges.double().softmax(dim=1).mean(dim=0)
    errors = _errors(data, in_double(noise_matrix), shares)
    try:
        found, wrong = find_suspects(logits, data.given, noise_matrix, limit=limit, least=least)
    except ValueError as error:  # a label that the matrix calls impossible
        notes = [Note("No suspects", str(error))]
        return {"suspects": (), "suspects_note": "", "errors": errors, "notes": notes}
    ids = [data.inputs.ids[suspect.sample] for suspect in found]
    samples = [suspect.sample for suspect in found]
    looks, problems = look_at(reading, samples, ids, inputs=data.inputs)
    rows = samples if problems else rows_of(reading, samples, ids)
    suspects = [
        replace(suspect, sample=row, id=name, **vars(look))
        for suspect, row, name, look in zip(found, rows, ids, looks, strict=True)
    ]
    called = data.given[wrong > 0.5].bincount(minlength=len(errors)).tolist()
    return {
        "suspects": suspects,
        "suspects_note": _about_suspects(sum(called), len(suspects), len(data), len(judges)),
        "errors": [replace(one, flagged=count) for one, count in zip(errors, called, strict=True)],
        "notes": problems,
    }


def _about_suspects(called: int, shown: int, samples: int, held_out: int) -> str:
    if not called:
        return "The network finds no label that is more probably wrong than right."
    seen = (
        "Every label was judged by a classifier that has not seen it."
        if held_out == samples
        else f"The network has been trained on most of these labels (all but the {held_out:,} held out), which makes "
        "it believe them more than it should: noiselayer audit looks at every label with models that have not seen it."
    )
    return (
        f"Given the sample and its label, the classifier and the noise matrix call {called:,} of {samples:,} labels "
        f"more probably wrong than right; {'here they are' if shown == called else f'here are the {shown:,} surest'}."
        f"{how_to_see_more(shown, called)} {seen}"
    )


def _no_suspects(through_matrix: bool, data: LabeledData | None) -> str:
    if not through_matrix:
        return (
            "This run has no noise matrix, so it has no opinion on which labels are wrong; noiselayer audit lists "
            "suspects, and noiselayer train --method learned finds a noise matrix."
        )
    return (
        ""
        if data is not None
        else "The data are not at hand, so no suspects are listed; say where they are with --data."
    )


def _judged(run: LoadedRun, data: LabeledData, device: torch.device | str | None) -> tuple[Tensor, Tensor]:
    """Logits of all samples, and the places of those whose labels the classifier that gave them has not seen."""
    path = run.folder / OUT_OF_FOLD
    if not path.is_file():
        return predict_logits(run.network, data.inputs, device=device).cpu(), _held_out(run, data)
    logits = torch.from_numpy(read_npy(path))
    if len(logits) != len(data):
        raise InputError(f"{path} is damaged: it must hold a row for each of the {len(data):,} samples.")
    return logits, torch.arange(len(data))


def _held_out(run: LoadedRun, data: LabeledData) -> Tensor:
    """Places in ``data`` of the samples that were validated on."""
    validation = np.sort(read_npz(run.folder / "splits.npz", "validation"))
    return torch.from_numpy(np.searchsorted(_used_rows(run), validation))


def _used_rows(run: LoadedRun) -> npt.NDArray[np.int64]:
    """Rows that a run was trained or validated on, sorted."""
    splits = [read_npz(run.folder / "splits.npz", key) for key in ("train", "validation")]
    return np.sort(np.concatenate(splits))


def _errors(data: LabeledData, Q: Tensor, shares: Tensor) -> list[ClassErrors]:
    """Of the labels j a share 1 - Q[j, j] p(j) / sum_k Q[j, k] p(k) is wrong, by Bayes' rule."""
    marginal = Q @ shares
    right = torch.where(marginal > 0, Q.diagonal() * shares / marginal.clamp_min(1e-300), 1.0)
    return [
        ClassErrors(name, count, count * max(0.0, 1.0 - share))
        for name, count, share in zip(data.class_names, data.counts().tolist(), right.tolist(), strict=True)
    ]


def _findings(run: LoadedRun, logits: Tensor, labels: Tensor, stages: Sequence[StageLosses]) -> list[Note]:
    """What the held-out labels say against the noise model."""
    loss = stages[-1].training[-1] if stages and stages[-1].training else None
    error = _standard_error(run)
    probs = logits.softmax(dim=1)
    shares = probs.mean(dim=0)
    try:
        findings = check_noise_model(
            in_double(run.noise_matrix),
            standard_error=None if error is None else torch.from_numpy(error),
            noisy_probs=probs,
            noisy_labels=labels,
            class_prior=shares / shares.sum(),
            training_loss=None if run.metrics["mixed"] else loss,
            num_training=None
            if run.metrics["mixed"] or loss is None
            else int(run.metrics["samples"]["train"]),
        )
    except ValueError as error_found:
        return [Note("Not checked", f"The noise model could not be checked: {error_found}")]
    return notes_of(findings)


def _facts(run: LoadedRun, matrix: Any) -> list[str]:
    metrics, K = run.metrics, len(run.class_names)
    samples = metrics["samples"]
    chosen = (
        "folds of them chose its penalty"
        if "head" in metrics
        else f"{samples['validation']:,} more were held out to decide when to stop"
    )
    facts = [
        f"A classifier ({run.config['options']['model']}) was trained on {samples['train']:,} samples with noisy "
        f"labels of {K:,} classes; {chosen}."
    ]
    if "clean_train" in samples or run.config["clean"] is not None:
        facts.append(f"There were {run.config['clean']['samples']:,} samples with trusted labels.")
    facts.append(_METHODS[metrics["method"]])
    if "head" in metrics:
        facts.append(metrics["head"]["summary"])
    if metrics["wrong_labels"] is not None:
        facts.append(f"By it about {percent(metrics['wrong_labels'])} of the noisy labels are wrong.")
    if matrix is not None:
        facts += strongest_fact(matrix, _standard_error(run), run.class_names)
    if "test_error" in metrics:
        facts.append(
            f"On {metrics['test_samples']:,} trusted labels the classifier errs in {percent(metrics['test_error'], 1)} "
            f"of the cases (± {100 * metrics['test_error_standard_error']:.1f})."
        )
    return facts


def _figures(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    figures = [("noisy labels", f"{metrics['samples']['train'] + metrics['samples']['validation']:,}")]
    if metrics["wrong_labels"] is not None:
        figures.append(("of them wrong, by the noise matrix", f"≈ {percent(metrics['wrong_labels'])}"))
    if metrics["best_validation_loss"] is not None:
        figures.append(("best validation loss, nats", f"{metrics['best_validation_loss']:.3f}"))
    if "test_error" in metrics:
        figures.append(("error on trusted labels", percent(metrics["test_error"], 1)))
    return figures


def _details(run: LoadedRun) -> list[tuple[str, str]]:
    config, metrics = run.config, run.metrics
    details = [("Data", str(config["source"])), ("Method", str(metrics["method"]))]
    if config.get("choice"):
        details.append(("Why", str(config["choice"])))
    options = config["options"]
    details += [("Model", str(options["model"])), ("Seed", str(options["seed"]))]
    if "head" in metrics:
        details.append(("Features", str((config["encoder"] or {}).get("name", "as given"))))
    else:
        details.append(
            ("Epochs", f"{metrics['epochs']} in the last stage, batches of {options['batch_size']}")
        )
    details += [
        ("Training", f"{metrics['seconds']:.0f} seconds"),
    ]
    versions = metrics.get("versions", {})
    if versions:
        details.append(("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())))
    return details


def _standard_error(run: LoadedRun) -> npt.NDArray[np.float64] | None:
    found = read_standard_error(run.folder, len(run.class_names))
    return None if found is None else found.numpy()

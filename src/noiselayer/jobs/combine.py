"""A table of several annotators' labels -> a file of labels, and what each annotator is worth beside it."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from noiselayer.annotators import AnnotatorEstimate, CombinedLabels, combine_labels
from noiselayer.annotators.describe import describe_annotators
from noiselayer.data.numpy_files import split_address
from noiselayer.data.probabilities import Probabilities, read_probabilities, warn_of_order
from noiselayer.data.vote_tables import VoteTable, read_votes
from noiselayer.errors import InputError, argument
from noiselayer.files.given import check_not_read, check_target
from noiselayer.files.whole_file import whole_files, write_json, writing
from noiselayer.jobs.combine_options import CombineJob
from noiselayer.report.annotators_page import render_annotators


@dataclass(frozen=True, eq=False)
class CombinedTable:
    """What was found and where it stands; ``unlabelled`` samples have no label by any annotator or model."""

    combined: CombinedLabels
    annotators: AnnotatorEstimate
    unlabelled: int
    figures: Path
    page: Path


def combine_table(job: CombineJob) -> CombinedTable:
    """Write one label per sample of several, and what each annotator is worth; nothing if anything is unfit."""
    out, table, class_names = job.out, job.table, job.class_names
    if out.suffix.lower() != ".csv":
        raise InputError(f"{argument('out')} must be a file .csv; got {str(out)!r}.")
    figures, page = out.with_name(f"{out.stem}.annotators.json"), out.with_name(f"{out.stem}.annotators.html")
    check_not_read((out, figures, page), (table, None if job.probs is None else split_address(job.probs)[0]))
    check_target(out, figures, page, force=job.force)
    model = None if job.probs is None else read_probabilities(job.probs, job.id_column)
    if class_names is None and model is not None:
        class_names = model.class_names
    votes = read_votes(
        table,
        label_columns=job.label_columns,
        annotator_column=job.annotator_column,
        label_column=job.label_column,
        id_column=job.id_column,
        true_column=job.true_column,
        class_names=class_names,
    )
    evidence = None if model is None else _evidence(model, votes, class_names is not None)
    _check_enough(votes, evidence)
    try:
        combined = combine_labels(
            votes.labels,
            votes.annotators,
            votes.samples,
            probs=evidence,
            true_labels=votes.true_labels,
            annotator_names=votes.annotator_names,
            class_names=votes.class_names,
            confidence=job.confidence,
        )
    except (ValueError, TypeError) as error:
        raise InputError(*error.args) from error
    notes = tuple(note.replace("(true_labels)", "(true_column)") for note in combined.warnings)
    combined = replace(combined, warnings=notes)
    if combined.annotators is None:  # only where matrices are given
        raise RuntimeError("combine_labels left no estimate of the annotators.")
    described = describe_annotators(combined, combined.annotators, len(votes.ids))
    with writing(str(out), "Nothing was written."), whole_files(out.parent, out.name) as beside:
        write_json(beside / figures.name, described)
        title = f"The annotators of {table.name}"
        (beside / page.name).write_text(render_annotators(combined, title=title), encoding="utf-8")
        _write_labels(beside / out.name, combined, votes)
    return CombinedTable(combined, combined.annotators, int((combined.labels < 0).sum()), figures, page)


def _evidence(model: Probabilities, votes: VoteTable, chosen: bool) -> Tensor:
    """The model's probabilities with the columns in the order of the votes' classes."""
    N, K = len(votes.ids), len(votes.class_names)
    model = model.in_order_of(votes.ids)
    if tuple(model.values.shape) != (N, K):
        raise InputError(
            f"probs must have shape ({N}, {K}), a row for each of the table's samples and a column for each of "
            f"the {K} classes; {model.origin} has {tuple(model.values.shape)}. If the model knows classes that no "
            f"annotator has named, list all in {argument('class_names')}."
        )
    ordered = model.ordered(votes.class_names, chosen=chosen)
    if not chosen:
        # An annotator's vote each: most are right, or no order agrees with them.
        warn_of_order(replace(model, values=model.values[votes.samples]), votes.labels, votes.class_names)
    return ordered


def _check_enough(votes: VoteTable, evidence: Tensor | None) -> None:
    if evidence is not None or bool((votes.true_labels >= 0).any()):
        return
    if len(votes.annotator_names) == 1:
        raise InputError(
            f"all labels are of one annotator, {votes.annotator_names[0]!r}, so nothing tells right ones from wrong "
            f"ones. Give two annotators or more, or {argument('probs')}, a model's out-of-sample probabilities, or "
            f"{argument('true_column')} with some checked labels."
        )
    if int(votes.samples.bincount().max()) == 1:
        raise InputError(
            "every sample has one label, so nothing tells right ones from wrong ones. Give "
            f"{argument('probs')}, a model's out-of-sample probabilities, or "
            f"{argument('true_column')} with some checked labels."
        )


def _write_labels(path: Path, combined: CombinedLabels, votes: VoteTable) -> None:
    names = votes.class_names
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "label", "probability", *(f"p({name})" for name in names)])
        labels = combined.labels.tolist()
        for name, label, shares in zip(votes.ids, labels, combined.posterior.tolist(), strict=True):
            own = ["", ""] if label < 0 else [names[label], f"{shares[label]:.6g}"]
            writer.writerow([name, *own, *(f"{share:.6g}" for share in shares)])

"""An audit's folder -> what its report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from noiselayer.data.reading import Reading
from noiselayer.report.annotator_facts import annotator_facts
from noiselayer.report.content import (
    Answer,
    ClassErrors,
    Note,
    ReportContent,
    Suspect,
    notes_of,
    strongest_fact,
)
from noiselayer.report.samples import look_at
from noiselayer.report.wording import how_to_see_more, percent
from noiselayer.storage.review.decisions import review_command

if TYPE_CHECKING:
    import pandas as pd

    from noiselayer.data import Inputs
    from noiselayer.storage.audit_folder import SavedAudit

_LEAST = 20  # labels that are shown although none of them is called wrong


def content_from_audit(
    audit: SavedAudit,
    *,
    name: str = "Audit",
    limit: int = 200,
    data_path: str | None = None,
    inputs: Inputs | None = None,
) -> ReportContent:
    """What the report of an audit says; ``data_path`` is where the data lie now, ``inputs`` the samples if at hand."""
    reading = _reading(audit.origin, data_path)
    suspects, notes = _suspects(audit, reading, limit, inputs)
    matrix = audit.noise_matrix.double().numpy()
    counts, total = audit.counts["all"], None
    known = counts["expected"] is not None
    between = f"{counts['low']:,.0f} to {counts['high']:,.0f}"
    if known:
        total = ClassErrors(
            "all", audit.num_samples, counts["expected"], counts["low"], counts["high"], counts["flagged"]
        )
    notes += [Note("Checked labels", text) for text in audit.checked_in_words()]
    notes += [Note("Warning", text[:1].upper() + text[1:]) for text in audit.warnings]
    notes += notes_of(audit.findings)
    answers, about_answers = _answers(audit)
    return ReportContent(
        title=name,
        facts=_facts(audit, total, matrix),
        class_names=audit.class_names,
        figures=[
            ("labels audited", f"{audit.num_samples:,}"),
            *(
                [("may be wrong", between)]
                if total is None
                else [
                    ("expected to be wrong", f"{total.expected:,.0f}"),
                    ("of all labels", percent(total.share)),
                ]
            ),
            ("called wrong", f"{counts['flagged']:,}"),
        ],
        noise_matrix=matrix,
        standard_error=None if audit.standard_error is None else audit.standard_error.double().numpy(),
        total=total,
        answers=answers,
        answers_note=about_answers,
        errors=[
            ClassErrors(
                audit.class_names[one["class"]] if isinstance(one["class"], int) else str(one["class"]),
                one["labels"],
                one["expected"],
                one["low"],
                one["high"],
            )
            for one in audit.counts["per_class"]
            if known
        ],
        notes=notes,
        suspects=suspects,
        suspects_note=_about(audit, suspects),
        apply_command=None if reading is None else review_command(reading),
        details=_details(audit),
        annotators=None if audit.annotators is None else annotator_facts(audit.annotators),
    )


def content_of_checks(
    audit: SavedAudit, drawn: pd.DataFrame, content: ReportContent, inputs: Inputs | None
) -> ReportContent:
    """A page for labels that were drawn to be looked at: rows of the audit with ``inclusion_probability``.

    Args:
        audit: What was found.
        drawn: The rows.
        content: The report of the audit.
        inputs: The samples if they are at hand.
    """
    looked, notes = _shown(drawn, _reading(audit.origin, None), inputs)
    chances = drawn["inclusion_probability"].tolist()
    suspects = [
        replace(one, inclusion_probability=chance) for one, chance in zip(looked, chances, strict=True)
    ]
    ends = audit.counts["all"]
    return ReportContent(
        title=f"{content.title}: {len(suspects):,} labels to check",
        facts=[
            f"These {len(suspects):,} labels were drawn at random from {audit.num_samples:,}, more of those in doubt. "
            "Look at every one and decide, also where the label seems plainly right: then the next audit knows how "
            "many of all are wrong, whatever its model thinks.",
            f"So far between {ends['low']:,.0f} and {ends['high']:,.0f} may be.",
        ],
        class_names=audit.class_names,
        notes=notes,
        suspects=suspects,
        suspects_note="Export the decisions as a file and give it to the next audit with --reviewed. Whoever leaves "
        "some out makes the others stand for them.",
        apply_command=content.apply_command,
        details=content.details,
    )


def _reading(origin: dict[str, Any], data_path: str | None) -> Reading | None:
    """How the data were read; None if nobody wrote it down."""
    path = data_path or origin.get("path")
    if path is None:
        return None
    known = {
        name: value
        for name, value in (origin.get("reading") or {}).items()
        if name in Reading.__dataclass_fields__
    }
    return Reading.from_dict({**known, "path": str(path)})


def _suspects(
    audit: SavedAudit, reading: Reading | None, limit: int, inputs: Inputs | None
) -> tuple[list[Suspect], list[Note]]:
    rows = audit.labels.sort_values("rank", kind="stable")
    called = rows[rows["is_error"]]
    return _shown((called if len(called) else rows.head(_LEAST)).head(limit), reading, inputs)


def _shown(
    chosen: pd.DataFrame, reading: Reading | None, inputs: Inputs | None
) -> tuple[list[Suspect], list[Note]]:
    """Rows of the audit's labels with something to recognise their samples by."""
    samples, ids = chosen["sample"].tolist(), [str(one) for one in chosen["id"].tolist()]
    notes: list[Note] = []
    looks: list[dict[str, Any]] = [{} for _ in samples]
    if reading is not None and samples:
        found, notes = look_at(reading, samples, ids, inputs=inputs)
        looks = [asdict(look) | {"cells": look.cells} for look in found]
    columns = (chosen[name].tolist() for name in ("given_class", "suggested_class", "error_probability"))
    suspects = [
        Suspect(sample, name, given, suggested, probability, **look)
        for sample, name, given, suggested, probability, look in zip(
            samples, ids, *columns, looks, strict=True
        )
    ]
    return suspects, notes


def _facts(audit: SavedAudit, total: ClassErrors | None, matrix: Any) -> list[str]:
    how = (
        f"by {audit.folds} models, none of which has seen the labels that it judges"
        if audit.folds
        else "by the probabilities of a model from elsewhere"
    )
    counts = audit.counts["all"]
    facts = [
        f"{audit.num_samples:,} labels of {len(audit.class_names):,} classes were looked at {how}.",
        f"How many of them are wrong cannot be known from these probabilities; it is {counts['low']:,.0f} to "
        f"{counts['high']:,.0f}. Read the warnings before you use what is here."
        if total is None
        else f"About {total.expected:,.0f} of them ({percent(total.share)}) are expected to be wrong"
        + (
            f"; the interval is {total.low:,.0f} to {total.high:,.0f}."
            if total.high is not None and total.low is not None
            else "."
        ),
        f"One by one, {counts['flagged'] or 0:,} are called wrong: their probability of being wrong is above "
        f"{percent(audit.threshold)}.",
    ]
    return facts + strongest_fact(matrix, audit.standard_error, audit.class_names)


def _answers(audit: SavedAudit) -> tuple[list[Answer], str]:
    """How many labels are wrong under one assumption or another, and what to make of it; nothing if it is known."""
    counts = audit.counts["all"]
    if "sample_end" not in counts:
        return [], ""
    ends = [
        Answer(
            "If samples that puzzle the model are just hard, and their labels right", counts["sample_end"]
        ),
        Answer(
            "If labels that the model contradicts are wrong, and those whose mistakes it may have learned",
            counts["label_end"],
        ),
    ]
    ends.sort(key=lambda one: one.wrong or 0.0)
    now = f"{counts['low']:,.0f} and {counts['high']:,.0f}"
    drawn = audit.counts.get("drawn")
    if drawn is not None:
        before = drawn["before"]
        return [
            ends[0],
            ends[1],
            Answer("What the audit said without looking", before["expected"], before["low"], before["high"]),
            Answer(
                f"With {drawn['labels']:,} labels that somebody looked at",
                counts["expected"],
                counts["low"],
                counts["high"],
            ),
        ], (
            f"Between {now} labels are wrong. This rests on the {drawn['labels']:,} labels that were drawn and looked "
            "at; what the model thinks has only made it narrower."
        )
    assumed = Answer("With what this audit assumes", counts["expected"], counts["low"], counts["high"])
    if counts["settled"]:
        why = (
            f"Between {now} labels are wrong. Wrong labels are as frequent where the model is sure as elsewhere, which "
            "tells them from samples that are hard: here the data settle how many there are."
        )
    else:
        why = (
            f"Between {now} labels are wrong. Where the model contradicts a label, either the sample is hard and the "
            "label right, or the label is wrong, and nothing in the probabilities says which. "
            + (
                "This audit names no number in between: its model confuses classes too much. "
                if counts["expected"] is None
                else f"This audit assumes something in between and comes to {counts['expected']:,.0f}. "
            )
            + "Only looking tells: --suggest-checks 100 draws labels for you to look at, and the next audit knows "
            "better."
        )
    return [ends[0], assumed, ends[1]], why


def _about(audit: SavedAudit, suspects: Sequence[Suspect]) -> str:
    flagged = audit.counts["all"]["flagged"]
    if not suspects:
        return "No label was asked for, so none is listed."
    if not flagged:
        return f"No label is called wrong; these {len(suspects)} are the likeliest to be."
    which = (
        "All labels that are called wrong"
        if flagged == len(suspects)
        else f"The {len(suspects):,} surest of {flagged:,} labels called wrong"
    )
    return f"{which}, most surely wrong first.{how_to_see_more(len(suspects), flagged)}"


def _details(audit: SavedAudit) -> list[tuple[str, str]]:
    of = {"given": "the given label, taken back through the noise matrix", "true": "the true class"}
    details = [("Data", str(audit.origin.get("path", "arrays in memory")))]
    details.append(("Probabilities of", of.get(audit.probs_predict, audit.probs_predict)))
    if audit.folds:
        details.append(("Folds", str(audit.folds)))
    if audit.temperature is not None:
        details.append(("Temperature", f"{audit.temperature:.3f}"))
    details += [("Threshold", f"{audit.threshold:g}"), ("Made by", audit.made_by)]
    return details

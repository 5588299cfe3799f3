"""A few labels that somebody looks at: which, as a file and a page, and what an audit makes of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor
from noiselayer.audit import AuditResult, audit_with_checks
from noiselayer.audit.checked_labels import draw_checks
from noiselayer.data import LabeledData
from noiselayer.errors import InputError, argument, nearest
from noiselayer.files.whole_file import for_spreadsheet, whole_file, write_rows
from noiselayer.jobs.audit_options import AuditJob
from noiselayer.report.content import ReportContent
from noiselayer.report.from_audit import content_of_checks
from noiselayer.report.page import save_report
from noiselayer.storage.audit_folder import SavedAudit
from noiselayer.storage.review.decisions import COLUMNS, Decision, short

if TYPE_CHECKING:
    from noiselayer.data import Inputs

_PROBS = "probs.parquet"  # of cross-fitted models, in the folder of their audit: another audit can take them
_TABLE = (*COLUMNS[:3], "suggested_label", "error_probability", *COLUMNS[3:], "inclusion_probability")


def check_number(job: AuditJob, num_samples: int) -> None:
    """Raise if more labels are to be drawn than there are."""
    if job.suggest_checks is not None and job.suggest_checks > num_samples:
        raise InputError(
            f"{argument('suggest_checks')} must be at most the number of labels, {num_samples:,}; got "
            f"{job.suggest_checks:,}."
        )


def write_checks(job: AuditJob, audit: SavedAudit, content: ReportContent, inputs: Inputs | None) -> str:
    """Draw labels to look at; leave them as a table to fill in and as a page.

    Args:
        job: With ``suggest_checks`` and the folder.
        audit: With a row for every sample.
        content: Its report.
        inputs: The samples if they are at hand.

    Returns:
        What to do next, in words.
    """
    folder, number = job.out, job.suggest_checks
    assert number is not None
    rows = audit.labels.sort_values("sample", kind="stable")
    if len(rows) != audit.num_samples:
        raise InputError(
            f"{argument('suggest_checks')} draws from all labels, and the audit in {folder} has kept {len(rows):,} of "
            f"{audit.num_samples:,}. Audit without {argument('top')} and {argument('checked_column')}."
        )
    drawn = draw_checks(torch.tensor(rows["error_probability"].to_numpy()), number)
    chosen = rows.iloc[drawn.samples.numpy()].assign(
        inclusion_probability=drawn.inclusion_probability.numpy(), decision="", new_label=""
    )
    table, page = folder / "checks.csv", folder / "checks.html"
    cells = zip(*(chosen[name].tolist() for name in _TABLE), strict=True)
    write_rows(table, _TABLE, [[for_spreadsheet(cell) for cell in row] for row in cells])
    save_report(page, content_of_checks(audit, chosen, content, inputs))
    known = f"--probs {folder / _PROBS} --probs-predict {audit.probs_predict}"
    same = f", and {known} instead of training" if job.trains else ""
    return (
        f"{number:,} labels to look at: open {page}, or fill in {table}. Then audit again, into another folder, with "
        f"--reviewed and the file of decisions{same}."
    )


def save_probs(folder: Path, probs: Tensor, class_names: Sequence[str]) -> None:
    """Leave the probabilities of cross-fitted models, a column per class by name, as ``noiselayer predict`` does."""
    import pandas as pd

    with whole_file(folder / _PROBS) as beside:
        names = [f"p({name})" for name in class_names]
        pd.DataFrame(probs.float().numpy(), columns=names).to_parquet(beside, index=False)


def drawn_checks(decisions: Sequence[Decision]) -> list[Decision]:
    """Those about labels that were drawn, and not looked at because they seemed wrong."""
    return [one for one in decisions if one.inclusion_probability is not None]


def corrected_by_checks(
    result: AuditResult, data: LabeledData, drawn: Sequence[Decision], *, threshold: float | None = None
) -> tuple[AuditResult, dict[str, Any]]:
    """The audit corrected by the answers, and what there is to say of them.

    Whoever is unsure, or leaves a sample out, has not answered. A label of none of the classes is wrong.

    Args:
        result: With a row for every sample.
        data: Whose labels were audited.
        drawn: See :func:`drawn_checks`.
        threshold: As asked for.
    """
    assert data.labels is not None
    answered = [one for one in drawn if one.kind not in ("unsure", "exclude")]
    if not answered:
        raise InputError(
            f"{argument('reviewed')} answers for none of the {len(drawn)} labels that were drawn to be looked at; "
            "decide about some."
        )
    places = {name: k for k, name in enumerate(data.inputs.ids)}
    names = {name: k for k, name in enumerate(data.class_names)}
    at, truth = [], []
    for one in answered:
        place = places.get(one.id)
        carried = None if place is None else data.class_names[int(data.labels[place])]
        if place is None or carried != one.given_label:
            now = "is not there any more" if carried is None else f"carries {short(carried)} now"
            raise InputError(
                f"{argument('reviewed')} is about other labels than these: {short(one.id)} had the label "
                f"{short(one.given_label)} and {now}. Audit the labels as they were when they were drawn."
            )
        if one.kind != "none" and one.new_label not in names:
            raise InputError(
                f"{argument('reviewed')} calls {short(one.id)} {short(one.new_label)}, which is none of the classes."
                f"{nearest(one.new_label, names)} Where it should be none of them, decide none."
            )
        at.append(place)
        truth.append(-1 if one.kind == "none" else names[one.new_label])
    chances = [one.inclusion_probability for one in answered]
    corrected = audit_with_checks(
        result, at, truth, inclusion_probability=torch.tensor(chances), threshold=threshold
    )
    before, wrong = result.wrong, as_tensor(corrected.error_probability)[torch.tensor(at)]
    answers = {
        "labels": len(answered),
        "wrong": int(wrong.sum()),
        "unanswered": len(drawn) - len(answered),
        "before": {
            "expected": before.total if before.known else None,
            "low": before.total_low,
            "high": before.total_high,
        },
    }
    return corrected, answers


def without_checked(saved: SavedAudit, data: LabeledData, counts: dict[str, int]) -> SavedAudit:
    """What has been checked is known, and not listed among what was judged."""
    assert data.checked is not None
    known = (data.checked >= 0).numpy()[saved.labels["sample"].to_numpy()]
    every = saved.counts["all"]
    flagged = every["flagged"] - int((known & saved.labels["is_error"].to_numpy()).sum())
    return replace(
        saved,
        labels=saved.labels[~known],
        counts={**saved.counts, "all": {**every, "flagged": flagged}, "checked": counts},
    )

"""What to check next: more samples of the labels that are least sure, drawn by chance, with their weights; and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noiselayer.audit.checked_labels import draw_checks
from noiselayer.data.frames import read_columns
from noiselayer.data.no_answer import no_answers, signs_beside
from noiselayer.data.reading import Reading
from noiselayer.errors import InputError, argument
from noiselayer.estimation.labeller import LabellerFigures
from noiselayer.files.whole_file import for_spreadsheet, write_rows
from noiselayer.jobs.measure_options import MeasureJob
from noiselayer.report.content import Note, ReportContent, Suspect
from noiselayer.report.page import save_report
from noiselayer.report.samples import Look, look_at
from noiselayer.storage.review.decisions import WITHOUT_LABEL, Decision

Column = npt.NDArray[Any]
COLUMNS = ("label", "checked", "weight")
_UNKNOWN = 0.5  # where no such label was checked, and where there is no answer: how likely to be drawn


def checks_for(figures: LabellerFigures, half_width: float = 0.02) -> int:
    r"""How many more labels must be checked at random until the accuracy is known to a half-width of its interval.

    Errors fall with the root of the number that was checked: :math:`n (h / h^*)^2 - n`, no more than there are left.

    >>> from noiselayer import measure_labels
    >>> truth = np.arange(4000) % 2
    >>> gold = np.where(np.arange(4000) < 100, truth, -1)
    >>> found = measure_labels(np.where(np.arange(4000) % 5 == 0, 0, truth), gold, 2)
    >>> 500 < checks_for(found) < 1200
    True
    """
    half = (figures.accuracy.high - figures.accuracy.low) / 2
    n = figures.num_checked
    return int(np.clip(np.ceil(n * (half / half_width) ** 2) - n, 0, figures.num_samples - n))


def write_next(
    folder: Path,
    job: MeasureJob,
    figures: LabellerFigures,
    labels: Column,
    gold: Column,
    ids: tuple[str, Sequence[str]],
    names: tuple[str, ...],
) -> None:
    """Samples drawn for checking, as a table to fill in, below those that were checked already, and as a review page.

    Samples are drawn by the probability that their label is wrong, as its precision has it, as
    :func:`noiselayer.audit.suggest_checks` does. ``weight`` is the number of samples of equal probability divided by
    that of the checked ones, old and new, so that the whole table is a sample with known probabilities; those of whom
    none was checked are counted with the next that are likelier to be wrong. ``ids`` are a column's name and what it
    holds.

    Raises:
        InputError: If there are not so many samples that nobody has checked.
    """
    number = job.suggest or 0
    wrong = np.array([np.nan if p is None else 1 - p.value for p in figures.precision] + [np.nan])
    e = torch.from_numpy(np.nan_to_num(wrong, nan=_UNKNOWN)[labels])  # -1, no answer, is the last
    left = np.flatnonzero(gold < 0)
    if not 1 <= number <= len(left):
        raise InputError(
            f"{argument('suggest')} must be from 1 to the {len(left):,} samples that nobody has checked; "
            f"got {number:,}."
        )
    drawn = left[draw_checks(e[left], number).samples.numpy()]
    rows = np.concatenate([np.flatnonzero(gold >= 0), drawn])
    group = np.unique(e.numpy(), return_inverse=True)[1]
    seen = np.unique(group[rows])
    group = np.searchsorted(seen, group).clip(max=len(seen) - 1)
    weight = np.round((np.bincount(group) / np.bincount(group[rows]))[group], 6)
    cells = [
        (
            ids[1][row],
            "" if labels[row] < 0 else names[labels[row]],
            "" if gold[row] < 0 else names[gold[row]],
            float(weight[row]),
        )
        for row in rows.tolist()
    ]
    looks, as_text, notes = _looks(job, rows.tolist(), ids[0])
    shown = [name for name, _ in looks[0].cells if name not in (ids[0], *COLUMNS)]  # something to judge by
    table = [
        [for_spreadsheet(cell) for cell in (*row, *(dict(look.cells)[name] for name in shown))]
        for row, look in zip(cells, looks, strict=True)
    ]
    write_rows(folder / "next.csv", (ids[0], *COLUMNS, *shown), table)
    # The class behind each label most often; none where none was checked, and none of a sample without a label.
    behind = zip(figures.precision, figures.inverse_noise_matrix.T, strict=False)
    usual = [-1 if p is None else int(R.argmax()) for p, R in behind] + [-1]
    suspects = [
        Suspect(
            row,
            str(row) if text == ids[1][row] else ids[1][row],  # one and the same text is shown once
            int(labels[row]),
            usual[labels[row]],
            float(wrong[labels[row]]),
            inclusion_probability=1 / float(weight[row]),
            text=text,
            cells=look.cells if text is None else (),
        )
        for row, look in list(zip(rows.tolist(), looks, strict=True))[-number:]
        for text in [look.cells[0][1] if as_text and look.cells else None]
    ]
    content = ReportContent(
        f"{job.table.name}: {number:,} labels to check",
        [
            f"These {number:,} labels were drawn by chance from {len(labels):,}, more of those that are right less "
            "often. Decide about every one, also where it seems plainly right. P(wrong) is the same for all samples "
            "with one label: the share of its checked samples that were wrong."
        ],
        names,
        notes=notes,
        suspects=suspects,
        suspects_note="Export the decisions as a file, and measure again with --gold next.csv --checked-column checked "
        "--weight-column weight --reviewed decisions.csv. Whoever leaves some out makes the others stand for them.",
    )
    save_report(folder / "next.html", content)


def abstentions(job: MeasureJob, given: Column, checked: Column) -> tuple[str, ...]:
    """What stands for no answer, beside an empty cell: what somebody says, or words for it that no checked label is."""
    if job.abstention is not None:
        return tuple(text.strip() for text in job.abstention)
    words = no_answers(given.tolist(), checked.tolist())
    return ("-1", *(word.strip() for word in words if word.strip() not in (job.class_names or ())))


def _looks(job: MeasureJob, rows: list[int], id_column: str) -> tuple[list[Look], bool, list[Note]]:
    """What is shown of samples, their text or the columns that are no labels; and whether it is a text alone."""
    labels = {
        job.label_column,
        job.checked_column,
        job.weight_column,
        job.confidence_column,
        *(job.people or ()),
    }
    columns = [name for name in read_columns(job.table) if name not in labels]
    texts = [name for name in columns if name == "text"] or (columns if len(columns) == 1 else [])
    shown = texts or [name for name in columns if name != id_column] or columns
    reading = Reading(str(job.table), label_column=job.label_column, show_columns=tuple(shown))
    looks, notes = look_at(reading, rows, [str(row) for row in rows])
    return looks, bool(texts), notes


def take_reviewed(
    decisions: Sequence[Decision],
    given: Column,
    checked: Column,
    weights: Column,
    abstentions: Sequence[str],
    job: MeasureJob,
) -> tuple[Column, Column, str]:
    """Checked labels with those that were decided on the page, weights for rows that nobody decided about, and a note.

    Rows of one weight were drawn with one probability: those that were checked stand for the others.

    Raises:
        InputError: If a decision is about a sample that was not to be checked, about another label, or for no class.
    """
    listed = np.isfinite(weights)
    signs = signs_beside(given, checked)
    checked, none = checked.copy(), ("", *(text.casefold() for text in (*signs, *abstentions)))
    left_out: Counter[str] = Counter()
    for decision in decisions:
        row = decision.sample
        label = None
        if 0 <= row < len(given) and listed[row]:
            label = "" if missing(given[row]) else str(given[row]).strip().casefold()
        about = decision.given_label.strip().casefold()
        if label != ("" if about in none else about):
            there = f"{job.table} has {repr(label) if label else 'no answer'} there."
            raise InputError(
                f"a decision of {job.reviewed} is about sample {row} ({decision.id}) with label "
                f"{decision.given_label!r}; {f'it is not in {job.gold}.' if label is None else there} "
                "Give the decisions that were exported from the page beside that table."
            )
        if decision.kind in WITHOUT_LABEL:
            left_out[decision.kind] += 1
        elif decision.new_label.strip().casefold() in none:
            raise InputError(
                f"a decision of {job.reviewed} gives sample {row} ({decision.id}) the label {decision.new_label!r}, "
                "which stands for no answer and is no class. Put the true class there, or the decision 'unsure' "
                "without a label."
            )
        else:
            checked[row] = decision.new_label
    known = np.array([not missing(value) for value in checked])
    result = weights.copy()
    for weight in np.unique(weights[listed]):
        rows = listed & (weights == weight)
        result[rows] = weight * rows.sum() / max(1, (rows & known).sum())
    kinds = ", ".join(f"{kind}: {count:,}" for kind, count in sorted(left_out.items()))
    note = (
        f"{left_out.total():,} of {len(decisions):,} decisions name no class ({kinds}); other checked samples of the "
        "same weight stand for these."
    )
    return checked, result, note if left_out else ""


def missing(value: Any) -> bool:
    """Whether a cell says nothing."""
    return value is None or value != value or not str(value).strip()

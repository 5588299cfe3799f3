"""What ``noiselayer measure`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.jobs.option import option

_GOLD = "The checked labels: a column of the same table, or a table of their own"


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """A table of labels, some of them checked, and how to read it."""

    table: Path = option(..., "Table with the labeller's labels.", positional=True)
    out: Path = option(..., "Folder for the page and the tables.", names=("--out", "-o"))
    label_column: str | None = option(None, "Column with the labeller's labels.")
    abstention: tuple[str, ...] | None = option(
        None,
        "What stands for no answer, beside an empty cell: a,b.",
        shown="-1, and unknown, n/a, ? and the like",
    )
    confidence_column: str | None = option(
        None, "Column with the certainty that the labeller states, 0 to 1."
    )
    group_column: str | None = option(
        None, "Column whose values are compared: time, origin, version of a model."
    )
    people: tuple[str, ...] | None = option(
        None, "Columns of two or more people's labels: may the labeller stand in for them? a,b,c."
    )
    epsilon: float = option(
        0.1,
        "By how much the labeller may agree less with people than they with each other, for what they cost.",
    )
    gold: Path | None = option(None, "Table with checked samples.", _GOLD)
    checked_column: str | None = option(
        None, "Column with the true class, empty where nobody has looked.", _GOLD, shown="label, in --gold"
    )
    id_column: str | None = option(
        None, "Column of the samples' names, which both tables have.", _GOLD, shown="id, or the only one"
    )
    weight_column: str | None = option(
        None, "Column with one divided by the probability that a sample was chosen to be checked.", _GOLD
    )
    suggest: int | None = option(
        None,
        "Draw so many more samples to check, into next.csv, to fill in and give as --gold, and next.html, a page.",
    )
    reviewed: Path | None = option(
        None, "Decisions that were exported from next.html, about the samples of next.csv.", _GOLD
    )
    class_names: tuple[str, ...] | None = option(None, "The classes: a,b,c.", shown="those seen")
    confidence: float = option(0.95, "Of the intervals.")
    force: bool = option(False, "Write over files.")

"""What ``noiselayer combine`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.jobs.option import option

_WIDE, _LONG = "A row per sample, a column per annotator", "A row per label"


@dataclass(frozen=True, kw_only=True)
class CombineJob:
    """A table of several annotators' labels, and how to read it."""

    table: Path = option(..., "Labels of several annotators: .csv, .tsv or .parquet.", positional=True)
    out: Path = option(..., "FILE.csv with one label per sample.", names=("--out", "-o"))
    label_columns: tuple[str, ...] | None = option(
        None, "The annotators' columns: a,b,c. An empty cell is no label.", _WIDE
    )
    annotator_column: str | None = option(None, "Column with who gave the label.", _LONG)
    label_column: str | None = option(None, "Column with the label.", _LONG)
    id_column: str | None = option(
        None, "Column with the names of the samples.", shown="row numbers, where a row is a sample"
    )
    true_column: str | None = option(None, "Column with the true class of checked samples, empty for others.")
    probs: str | None = option(
        None,
        "A model's probabilities of the true class, a row per sample in the table's order, from "
        "samples whose labels it has not seen: FILE.npy, FILE.npz:KEY, or a table such as "
        "predict --probs writes.",
    )
    class_names: tuple[str, ...] | None = option(
        None,
        "Names of the classes, in the order of the columns of --probs: a,b,c.",
        names=("--class-names", "--classes"),
        shown="the labels, sorted",
    )
    confidence: float = option(0.95, "Of the intervals.")
    show: int = option(10, "How many annotators to print.", least=0)
    force: bool = option(False, "Write over files.")

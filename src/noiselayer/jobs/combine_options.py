"""What ``noiselayer combine`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from noiselayer.jobs.option import Option

_WIDE, _LONG = "A row per sample, a column per annotator", "A row per label"


@dataclass(frozen=True, kw_only=True)
class CombineJob:
    """A table of several annotators' labels, and how to read it."""

    table: Annotated[Path, Option("Labels of several annotators: .csv, .tsv or .parquet.", positional=True)]
    out: Annotated[Path, Option("FILE.csv with one label per sample.", names=("--out", "-o"))]
    label_columns: Annotated[
        tuple[str, ...] | None, Option("The annotators' columns: a,b,c. An empty cell is no label.", _WIDE)
    ] = None
    annotator_column: Annotated[str | None, Option("Column with who gave the label.", _LONG)] = None
    label_column: Annotated[str | None, Option("Column with the label.", _LONG)] = None
    id_column: Annotated[
        str | None,
        Option("Column with the names of the samples.", default="row numbers, where a row is a sample"),
    ] = None
    true_column: Annotated[
        str | None, Option("Column with the true class of checked samples, empty for others.")
    ] = None
    probs: Annotated[
        str | None,
        Option(
            "A model's probabilities of the true class, a row per sample in the table's order, from "
            "samples whose labels it has not seen: FILE.npy, FILE.npz:KEY, or a table such as "
            "predict --probs writes."
        ),
    ] = None
    class_names: Annotated[
        tuple[str, ...] | None,
        Option(
            "Names of the classes, in the order of the columns of --probs: a,b,c.",
            names=("--class-names", "--classes"),
            default="the labels, sorted",
        ),
    ] = None
    confidence: Annotated[float, Option("Of the intervals.")] = 0.95
    show: Annotated[int, Option("How many annotators to print.", least=0)] = 10
    force: Annotated[bool, Option("Write over files.")] = False

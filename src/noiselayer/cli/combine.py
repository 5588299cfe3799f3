"""``noiselayer combine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._errors import say
from noiselayer.cli._parse import parse_list

__all__ = ["combine"]

_WIDE, _LONG = "A row per sample, a column per annotator", "A row per label"


def combine(
    table: Annotated[Path, typer.Argument(help="Labels of several annotators: .csv, .tsv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="FILE.csv with one label per sample.")],
    label_columns: Annotated[
        str | None,
        typer.Option(
            help="The annotators' columns: a,b,c. An empty cell is no label.", rich_help_panel=_WIDE
        ),
    ] = None,
    annotator_column: Annotated[
        str | None, typer.Option(help="Column with who gave the label.", rich_help_panel=_LONG)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column with the label.", rich_help_panel=_LONG)
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            help="Column with the names of the samples.", show_default="row numbers, where a row is a sample"
        ),
    ] = None,
    true_column: Annotated[
        str | None, typer.Option(help="Column with the true class of checked samples, empty for others.")
    ] = None,
    probs: Annotated[
        str | None,
        typer.Option(
            help="A model's probabilities of the true class, a row per sample in the table's order, from "
            "samples whose labels it has not seen: FILE.npy, FILE.npz:KEY, or a table such as "
            "predict --probs writes."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            "--class-names",
            help="Names of the classes, in the order of the columns of --probs: a,b,c.",
            show_default="the labels, sorted",
        ),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    show: Annotated[int, typer.Option(min=0, help="How many annotators to print.")] = 10,
    force: Annotated[bool, typer.Option("--force", help="Write over files.")] = False,
) -> None:
    """Make one label per sample of several annotators', and say which annotator is how good at what.

    Annotators are annotators, prompts, versions of a model, web sites or rules. Each gets a noise matrix of its
    own, as far as its labels tell one.

    Leaves the labels, which train and audit take, and beside them the annotators' matrices (OUT.annotators.json) and
    a page on them (OUT.annotators.html).
    """
    from noiselayer.jobs.combine import combine_table

    found = combine_table(
        table,
        out,
        label_columns=parse_list(label_columns),
        annotator_column=annotator_column,
        label_column=label_column,
        id_column=id_column,
        true_column=true_column,
        probs=probs,
        class_names=parse_list(classes),
        confidence=confidence,
        force=force,
    )
    for warning in found.combined.warnings:
        say(f"Note: {warning}")
    if show:
        say(found.annotators.summary(show))
    if found.unlabelled:
        have = "sample has" if found.unlabelled == 1 else "samples have"
        say(
            f"Note: {found.unlabelled:,} {have} no label by any annotator and an empty cell in {out}: fill it or "
            "remove the row before training."
        )
    say(
        f"About {found.combined.expected_wrong:,.0f} of {len(found.combined):,} combined labels are expected to "
        f"be wrong. Written to {out}, {found.figures} and {found.page}."
    )

"""``noiselayer estimate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from noiselayer.cli._choices import EstimateMethod
from noiselayer.cli._errors import say
from noiselayer.cli._parse import parse_list

__all__ = ["estimate"]

_PREDICTIONS, _PAIRS = "From predictions", "From pairs of labels"


def estimate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the matrix.")],
    clean_probs: Annotated[
        str | None,
        typer.Option(
            help="A model's probabilities on samples with trusted labels: FILE.npy, FILE.npz:KEY, or a table "
            "such as predict --probs writes.",
            rich_help_panel=_PREDICTIONS,
        ),
    ] = None,
    clean_labels: Annotated[
        str | None,
        typer.Option(
            help="The trusted labels: FILE.npy, FILE.npz:KEY, FILE.csv[:COLUMN].",
            rich_help_panel=_PREDICTIONS,
        ),
    ] = None,
    noisy_probs: Annotated[
        str | None,
        typer.Option(help="The same model's on samples with noisy labels.", rich_help_panel=_PREDICTIONS),
    ] = None,
    noisy_labels: Annotated[
        str | None, typer.Option(help="The noisy labels.", rich_help_panel=_PREDICTIONS)
    ] = None,
    method: Annotated[
        EstimateMethod | None,
        typer.Option(
            help="Invert, or keep confusions few.", show_default="auto", rich_help_panel=_PREDICTIONS
        ),
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(
            help="For sparse: weight of the penalty.",
            show_default="by cross-validation",
            rich_help_panel=_PREDICTIONS,
        ),
    ] = None,
    decisions: Annotated[
        bool,
        typer.Option(
            "--decisions",
            help="Count the most probable class instead of averaging.",
            rich_help_panel=_PREDICTIONS,
        ),
    ] = False,
    bootstrap: Annotated[
        int | None,
        typer.Option(
            help="Draws for the standard errors; 0 for a formula.",
            show_default="200",
            rich_help_panel=_PREDICTIONS,
        ),
    ] = None,
    true_labels: Annotated[
        str | None,
        typer.Option(help="Trusted labels of samples that have noisy ones too.", rich_help_panel=_PAIRS),
    ] = None,
    given_labels: Annotated[
        str | None,
        typer.Option(help="The noisy labels of the same samples.", rich_help_panel=_PAIRS),
    ] = None,
    prior_strength: Annotated[
        float | None,
        typer.Option(help="Imagined pairs for every class.", show_default="1", rich_help_panel=_PAIRS),
    ] = None,
    class_names: Annotated[
        str | None, typer.Option(help="Names of the classes, in the order of the columns: a,b,c.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of cross-validation and bootstrap.")] = 0,
    show: Annotated[int, typer.Option(min=0, help="How many confusions to print.")] = 10,
    force: Annotated[bool, typer.Option("--force", help="Write over files.")] = False,
) -> None:
    """Measure how labels are wrong, with the help of trusted ones.

    Either from what a model predicts on trusted and on noisy samples (a model that was trained on neither),
    or from samples that carry both labels; with both, the two estimates are combined.

    Leaves the noise matrix, which train --method known takes, its errors and a picture.
    """
    from noiselayer.jobs.estimate import estimate_files

    found = estimate_files(
        out,
        clean_probs=clean_probs,
        clean_labels=clean_labels,
        noisy_probs=noisy_probs,
        noisy_labels=noisy_labels,
        true_labels=true_labels,
        given_labels=given_labels,
        class_names=parse_list(class_names),
        method=None if method is None else method.value,
        sparsity=sparsity,
        decisions=decisions,
        num_bootstrap=bootstrap,
        prior_strength=prior_strength,
        confidence=confidence,
        seed=seed,
        force=force,
    )
    for warning in found.warnings:
        say(f"Note: {warning}")
    if found.determined:
        if show:
            _print_table(found, show)
        say(f"By this matrix about {100 * found.wrong_labels:.0f} % of the noisy labels are wrong.")
    else:
        say("These data say nothing about the noise: every standard error is infinite.")
    say(f"Written to {out}.")


def _print_table(found: Any, limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from noiselayer.estimation.in_words import strongest_confusions

    confusions = strongest_confusions(found.estimate, found.class_names, limit)
    if not confusions:
        say("No class carries another's label as often as once in 2,000.")
        return
    table = Table(title="The strongest confusions")
    table.add_column("± one standard error, in points")
    table.add_column(f"{100 * found.estimate.confidence:g} % interval", justify="right")
    for confusion in confusions:
        low, high = confusion.interval or (0.0, 1.0)
        table.add_row(Text(str(confusion)), f"{100 * low:.1f} to {100 * high:.1f} %")
    Console().print(table)

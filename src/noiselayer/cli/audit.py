"""``noiselayer audit``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._choices import Method, ProbsOf
from noiselayer.cli._errors import INTERRUPTED, say
from noiselayer.cli._options import (
    AnnotatorColumn,
    Categorical,
    ClassNames,
    DataPath,
    Features,
    ImageColumn,
    ImageSize,
    ImputeMissing,
    InputsKey,
    LabelColumn,
    Labels,
    Layout,
    SkipUnreadable,
)
from noiselayer.cli._parse import parse_devices, parse_list, parse_size

__all__ = ["audit"]

_PROBS, _MODEL, _AUDIT = "Where probabilities come from", "Models that are cross-fitted", "Audit"


def audit(
    data: DataPath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the audit.", rich_help_panel=_AUDIT)],
    labels: Labels = None,
    label_column: LabelColumn = None,
    annotator_column: AnnotatorColumn = None,
    image_column: ImageColumn = None,
    features: Features = None,
    categorical: Categorical = None,
    impute_missing: ImputeMissing = False,
    inputs_key: InputsKey = None,
    layout: Layout = "auto",
    image_size: ImageSize = None,
    class_names: ClassNames = None,
    skip_unreadable: SkipUnreadable = False,
    folds: Annotated[
        int, typer.Option(help="Models, each trained on all other folds.", rich_help_panel=_PROBS)
    ] = 5,
    probs: Annotated[
        str | None,
        typer.Option(
            help="FILE.npy, .npz:KEY, .csv or .parquet: out-of-sample probabilities instead of training.",
            rich_help_panel=_PROBS,
        ),
    ] = None,
    probs_of: Annotated[
        ProbsOf | None,
        typer.Option(
            help="Of what those are: the noisy label (a model trained as usual on such labels) or the true class.",
            rich_help_panel=_PROBS,
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="A run that was trained on other data, instead of training.", rich_help_panel=_PROBS
        ),
    ] = None,
    in_sample: Annotated[
        bool,
        typer.Option(
            "--in-sample", help="Take a run that was trained on these very labels.", rich_help_panel=_PROBS
        ),
    ] = False,
    clean: Annotated[
        str | None,
        typer.Option(help="Data with trusted labels, to measure the noise with.", rich_help_panel=_MODEL),
    ] = None,
    clean_labels: Annotated[
        str | None, typer.Option(help="Where the labels of --clean are.", rich_help_panel=_MODEL)
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="How they are trained. auto: normal, or what suits --clean. The others as in train.",
            rich_help_panel=_MODEL,
        ),
    ] = Method.auto,
    model: Annotated[str | None, typer.Option(help="As in train.", rich_help_panel=_MODEL)] = None,
    epochs: Annotated[int | None, typer.Option(help="At most.", rich_help_panel=_MODEL)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.", rich_help_panel=_MODEL)] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the network.", rich_help_panel=_MODEL)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=_MODEL)] = 0,
    precision: Annotated[
        str, typer.Option(help="32-true, bf16-mixed, 16-mixed, ...", rich_help_panel=_MODEL)
    ] = "32-true",
    accelerator: Annotated[
        str, typer.Option(help="auto, cpu, gpu, mps, ...", rich_help_panel=_MODEL)
    ] = "auto",
    devices: Annotated[str, typer.Option(help="How many, or auto.", rich_help_panel=_MODEL)] = "auto",
    noise_matrix: Annotated[
        Path | None,
        typer.Option(
            help="FILE.csv; columns are true classes. Estimated if not given.", rich_help_panel=_AUDIT
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="A label is called wrong above this error probability.",
            show_default="the best expected F1",
            rich_help_panel=_AUDIT,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="Keep so many rows, those most likely wrong.", rich_help_panel=_AUDIT),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a stopped audit.", rich_help_panel=_AUDIT)
    ] = False,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", help="No progress bars.", rich_help_panel=_AUDIT)
    ] = False,
) -> None:
    """Find the labels that are wrong, what they should be, and how many there are.

    Models are cross-fitted for it, unless --probs or --run says where probabilities come from: each judges
    labels that it has not seen. Leaves a folder with a table of labels, counts and the noise matrix.
    """
    from noiselayer.data.reading import Reading
    from noiselayer.jobs.audit import audit_files
    from noiselayer.jobs.audit_plan import AuditPlan
    from noiselayer.training import Hardware

    chosen = {
        "method": None if method is Method.auto else method.value,
        "model": model,
        "max_epochs": epochs,
        "batch_size": batch_size,
        "seed": seed or None,
    }
    plan = AuditPlan(
        Reading(
            path=data,
            labels=labels,
            label_column=label_column,
            annotator_column=annotator_column,
            inputs_key=inputs_key,
            layout=layout,  # type: ignore[arg-type]
            image_column=image_column,
            image_size=parse_size(image_size),
            skip_unreadable=skip_unreadable,
            feature_columns=parse_list(features),
            categorical_columns=parse_list(categorical) or (),
            impute_missing=impute_missing,
            class_names=parse_list(class_names),
        ),
        out,
        folds=folds,
        options={name: value for name, value in chosen.items() if value is not None},
        optimization={} if learning_rate is None else {"learning_rate": learning_rate},
        clean=clean,
        clean_labels=clean_labels,
        probs=probs,
        probs_of=None if probs_of is None else probs_of.value,
        run=run,
        in_sample=in_sample,
        noise_matrix=noise_matrix,
        threshold=threshold,
        top=top,
    )
    hardware = Hardware(
        accelerator=accelerator,
        devices=parse_devices(devices),
        precision=precision,
        progress=not no_progress and sys.stderr.isatty(),
    )
    saved = audit_files(plan, resume=resume, hardware=hardware, on_stage=say)
    if saved is None:
        say(f"Stopped. --resume goes on with the unfinished fold in {out}.")
        raise typer.Exit(INTERRUPTED)
    for line in saved.in_words():
        say(line)
    say(f"Written to {out}.")

"""``noiselayer train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._choices import (
    Augmentation,
    Logger,
    MeasureWith,
    Method,
    Mixing,
    OnNonFinite,
    Overlapping,
    Rule,
    Start,
)
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
from noiselayer.cli._outcome import tell_outcome
from noiselayer.cli._prepared import prepared

__all__ = ["train"]

_MODEL, _NOISE, _HARDWARE, _RUN = "Model and training", "Noise", "Hardware", "Run"
_SETS = "Clean, outside and test data, read as DATA is"


def train(
    data: DataPath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.", rich_help_panel=_RUN)],
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
    clean: Annotated[
        str | None, typer.Option(help="Data with trusted labels, to train with.", rich_help_panel=_SETS)
    ] = None,
    clean_labels: Annotated[
        str | None, typer.Option(help="Where the labels of --clean are.", rich_help_panel=_SETS)
    ] = None,
    overlapping: Annotated[
        Overlapping,
        typer.Option(
            help="Samples that stand in DATA and in --clean: stop, or drop them from DATA.",
            rich_help_panel=_SETS,
        ),
    ] = Overlapping.error,
    outside: Annotated[
        str | None,
        typer.Option(help="Data that show none of the classes; needs no labels.", rich_help_panel=_SETS),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            help="Data with trusted labels; their error is read, never used.", rich_help_panel=_SETS
        ),
    ] = None,
    test_labels: Annotated[
        str | None, typer.Option(help="Where the labels of --test are.", rich_help_panel=_SETS)
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="auto: estimated if there are enough clean samples, else learned. normal: as usual, labels "
            "are right. top-down: labels are softened. known: --noise-matrix. learned: the noise matrix is "
            "found from noisy labels alone. estimated: measured with --clean. refined: then learned further.",
            rich_help_panel=_NOISE,
        ),
    ] = Method.auto,
    noisy_weight: Annotated[
        float | None,
        typer.Option(
            help="Weight of a noisy sample where a clean one has 1.",
            show_default="1",
            rich_help_panel=_NOISE,
        ),
    ] = None,
    outside_weight: Annotated[
        float | None,
        typer.Option(help="Weight of a sample of --outside.", show_default="1", rich_help_panel=_NOISE),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="top-down: how much of a label is believed, 0 to 1.",
            show_default="0.5",
            rich_help_panel=_NOISE,
        ),
    ] = None,
    mixing: Annotated[
        Mixing | None,
        typer.Option(
            help="Batches drawn from clean and noisy samples together, or of each in turn.",
            show_default="joined",
            rich_help_panel=_NOISE,
        ),
    ] = None,
    measure_with: Annotated[
        MeasureWith | None,
        typer.Option(
            help="estimated, refined: which samples train the models that are measured.",
            show_default="auto",
            rich_help_panel=_NOISE,
        ),
    ] = None,
    no_train_on_clean: Annotated[
        bool,
        typer.Option(
            "--no-train-on-clean",
            help="estimated, refined: use clean samples for measuring only.",
            rich_help_panel=_NOISE,
        ),
    ] = False,
    noise_matrix: Annotated[
        Path | None,
        typer.Option(help="FILE.csv for --method known; columns are true classes.", rich_help_panel=_NOISE),
    ] = None,
    start: Annotated[
        Start | None,
        typer.Option(
            help="learned: where the matrix starts.", show_default="features", rich_help_panel=_NOISE
        ),
    ] = None,
    rule: Annotated[
        Rule | None,
        typer.Option(
            help="learned: the start of best held-out likelihood, or of the smallest trace that cannot be "
            "told from it.",
            show_default="one-standard-error",
            rich_help_panel=_NOISE,
        ),
    ] = None,
    no_fresh_network: Annotated[
        bool,
        typer.Option(
            "--no-fresh-network",
            help="learned: go on with the network of the first phase, and let the matrix learn with it.",
            rich_help_panel=_NOISE,
        ),
    ] = False,
    noise_trainable: Annotated[
        bool,
        typer.Option(
            "--noise-trainable",
            help="learned: the matrix goes on learning in the main stage.",
            rich_help_panel=_NOISE,
        ),
    ] = False,
    noise_learning_rate: Annotated[
        float | None,
        typer.Option(help="Of the noise matrix, while it learns by gradient.", rich_help_panel=_NOISE),
    ] = None,
    trace_penalty: Annotated[
        float | None, typer.Option(help="Weight of tr(Q) / K, likewise.", rich_help_panel=_NOISE)
    ] = None,
    noise_weight_decay: Annotated[
        float | None, typer.Option(help="Weight of |Q|^2 / 2K, likewise.", rich_help_panel=_NOISE)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="small, paper, paper-wide, alexnet32, mlp, linear, or a classifier of torchvision.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="At most, in the main stage.", rich_help_panel=_MODEL)
    ] = None,
    warm_up_epochs: Annotated[
        int | None, typer.Option(help="Of models before the main stage, if any.", rich_help_panel=_MODEL)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.", rich_help_panel=_MODEL)] = None,
    augmentation: Annotated[
        Augmentation | None,
        typer.Option(
            help="Of images in training: none, shift, or flip-shift (mirrored too; not for digits or letters).",
            show_default="none",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the network.", rich_help_panel=_MODEL)
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Of the network.", rich_help_panel=_MODEL)
    ] = None,
    validation_fraction: Annotated[
        float | None, typer.Option(help="Share of the noisy samples held out.", rich_help_panel=_MODEL)
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Epochs without improvement that end a stage.", rich_help_panel=_MODEL),
    ] = None,
    on_nonfinite: Annotated[
        OnNonFinite | None,
        typer.Option(
            help="A batch whose loss is NaN or infinite: stop and name its samples, or skip it.",
            show_default="stop",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=_MODEL)] = 0,
    precision: Annotated[
        str, typer.Option(help="32-true, bf16-mixed, 16-mixed, ...", rich_help_panel=_HARDWARE)
    ] = "32-true",
    accelerator: Annotated[
        str, typer.Option(help="auto, cpu, gpu, mps, ...", rich_help_panel=_HARDWARE)
    ] = "auto",
    devices: Annotated[str, typer.Option(help="How many, or auto.", rich_help_panel=_HARDWARE)] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines.", rich_help_panel=_HARDWARE)] = 1,
    strategy: Annotated[str, typer.Option(help="auto or ddp.", rich_help_panel=_HARDWARE)] = "auto",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that load data.", rich_help_panel=_HARDWARE)
    ] = 0,
    logger: Annotated[
        Logger | None,
        typer.Option(
            help="Curves and the noise matrix's state in RUN/logs: csv, tensorboard, mlflow (a file), wandb (offline).",
            show_default="none",
            rich_help_panel=_RUN,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a stopped run.", rich_help_panel=_RUN)
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, say what would run.", rich_help_panel=_RUN),
    ] = False,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Keep finished stages.", rich_help_panel=_RUN)
    ] = False,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", help="No progress bars.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Train a classifier on noisy labels, and on clean ones where there are some.

    Leaves a folder with the weights, the noise matrix, figures, curves and pictures.

    Ctrl-C leaves one that can be used; --resume goes on with it.
    """
    run = prepared(locals())
    if run.finished:
        run.tidy(keep_checkpoints=keep_checkpoints)
        say(f"The run in {out} is finished already; nothing to do.")
        return
    if dry_run:
        say(run.plan())
        return
    say(run.sets.summary())
    if run.choice:
        say(run.choice)
    metrics = run.execute(on_stage=say, keep_checkpoints=keep_checkpoints)
    if metrics is not None:
        tell_outcome(metrics, out)
        if not metrics["finished"]:
            raise typer.Exit(INTERRUPTED)

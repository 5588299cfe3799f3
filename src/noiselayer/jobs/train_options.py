"""What ``noiselayer train`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from noiselayer.choices import (
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
from noiselayer.jobs.option import Option
from noiselayer.jobs.shared_options import CleanOptions, DataOptions, DeviceOptions, NetworkOptions

_MODEL, _NOISE, _HARDWARE, _RUN = "Model and training", "Noise", "Hardware", "Run"
_SETS = "Clean, outside and test data, read as DATA is"


@dataclass(frozen=True, kw_only=True)
class TrialOptions(DeviceOptions, NetworkOptions, CleanOptions, DataOptions):
    """All about a training that a search shares with a run; None has a default by kind of data."""

    overlapping: Annotated[
        Overlapping, Option("Samples that stand in DATA and in --clean: stop, or drop them from DATA.", _SETS)
    ] = "error"
    outside: Annotated[str | None, Option("Data that show none of the classes; needs no labels.", _SETS)] = (
        None
    )
    method: Annotated[
        Method,
        Option(
            "auto: estimated if there are enough clean samples, else learned. normal: as usual, labels "
            "are right. top-down: labels are softened. known: --noise-matrix. learned: the noise matrix is "
            "found from noisy labels alone. estimated: measured with --clean. refined: then learned further.",
            _NOISE,
        ),
    ] = "auto"
    noisy_weight: Annotated[
        float | None, Option("Weight of a noisy sample where a clean one has 1.", _NOISE, default="1")
    ] = None
    outside_weight: Annotated[
        float | None, Option("Weight of a sample of --outside.", _NOISE, default="1")
    ] = None
    alpha: Annotated[
        float | None, Option("top-down: how much of a label is believed, 0 to 1.", _NOISE, default="0.5")
    ] = None
    mixing: Annotated[
        Mixing | None,
        Option(
            "Batches drawn from clean and noisy samples together, or of each in turn.",
            _NOISE,
            default="joined",
        ),
    ] = None
    measure_with: Annotated[
        MeasureWith | None,
        Option(
            "estimated, refined: which samples train the models that are measured.", _NOISE, default="auto"
        ),
    ] = None
    train_on_clean: Annotated[
        bool, Option("estimated, refined: use clean samples for measuring only.", _NOISE)
    ] = True
    noise_matrix: Annotated[
        Path | None, Option("FILE.csv for --method known; columns are true classes.", _NOISE)
    ] = None
    start: Annotated[
        Start | None, Option("learned: where the matrix starts.", _NOISE, default="features")
    ] = None
    rule: Annotated[
        Rule | None,
        Option(
            "learned: the start of best held-out likelihood, or of the smallest trace that cannot be told from it.",
            _NOISE,
            default="one-standard-error",
        ),
    ] = None
    fresh_network: Annotated[
        bool,
        Option(
            "learned: go on with the network of the first phase, and let the matrix learn with it.", _NOISE
        ),
    ] = True
    noise_trainable: Annotated[
        bool, Option("learned: the matrix goes on learning in the main stage.", _NOISE)
    ] = False
    noise_learning_rate: Annotated[
        float | None, Option("Of the noise matrix, while it learns by gradient.", _NOISE)
    ] = None
    trace_penalty: Annotated[float | None, Option("Weight of tr(Q) / K, likewise.", _NOISE)] = None
    noise_weight_decay: Annotated[float | None, Option("Weight of |Q|^2 / 2K, likewise.", _NOISE)] = None
    warm_up_epochs: Annotated[int | None, Option("Of models before the main stage, if any.", _MODEL)] = None
    augmentation: Annotated[
        Augmentation | None,
        Option(
            "Of images in training: none, shift, or flip-shift (mirrored too; not for digits or letters).",
            _MODEL,
            default="none",
        ),
    ] = None
    weight_decay: Annotated[float | None, Option("Of the network.", _MODEL)] = None
    validation_fraction: Annotated[float | None, Option("Share of the noisy samples held out.", _MODEL)] = (
        None
    )
    patience: Annotated[int | None, Option("Epochs without improvement that end a stage.", _MODEL)] = None
    on_nonfinite: Annotated[
        OnNonFinite | None,
        Option(
            "A batch whose loss is NaN or infinite: stop and name its samples, or skip it.",
            _MODEL,
            default="stop",
        ),
    ] = None
    num_workers: Annotated[int, Option("Processes that load data.", _HARDWARE, ("--workers",), least=0)] = 0
    logger: Annotated[
        Logger | None,
        Option(
            "Curves and the noise matrix's state in RUN/logs: csv, tensorboard, mlflow (a file), wandb (offline).",
            _RUN,
            default="none",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TrainJob(TrialOptions):
    """A run as it is asked for."""

    test: Annotated[
        str | None, Option("Data with trusted labels; their error is read, never used.", _SETS)
    ] = None
    test_labels: Annotated[str | None, Option("Where the labels of --test are.", _SETS)] = None
    devices: Annotated[int | str, Option("How many, or auto.", _HARDWARE)] = "auto"
    num_nodes: Annotated[int, Option("Machines.", _HARDWARE, ("--nodes",))] = 1
    strategy: Annotated[str, Option("auto or ddp.", _HARDWARE)] = "auto"
    out: Annotated[Path, Option("Folder of the run.", _RUN, ("--out", "-o"))]
    resume: Annotated[bool, Option("Go on with a stopped run.", _RUN)] = False
    dry_run: Annotated[bool, Option("Check everything, say what would run.", _RUN)] = False
    keep_checkpoints: Annotated[bool, Option("Keep finished stages.", _RUN)] = False
    progress: Annotated[bool, Option("No progress bars.", _RUN)] = True

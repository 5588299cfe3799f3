"""What ``noiselayer train`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
from noiselayer.jobs.option import option
from noiselayer.jobs.shared_options import CleanOptions, DataOptions, DeviceOptions, NetworkOptions

_MODEL, _NOISE, _HARDWARE, _RUN = "Model and training", "Noise", "Hardware", "Run"
_SETS = "Clean, outside and test data, read as DATA is"


@dataclass(frozen=True, kw_only=True)
class TrialOptions(DeviceOptions, NetworkOptions, CleanOptions, DataOptions):
    """All about a training that a search shares with a run; None has a default by kind of data."""

    overlapping: Overlapping = option(
        "error", "Samples that stand in DATA and in --clean: stop, or drop them from DATA.", _SETS
    )
    outside: str | None = option(None, "Data that show none of the classes; needs no labels.", _SETS)
    method: Method = option(
        "auto",
        "auto: estimated (with the head gold) if there are enough clean samples, else learned. normal: as usual, "
        "labels are right. top-down: labels are softened. known: --noise-matrix. learned: the noise matrix is "
        "found from noisy labels alone. estimated: measured with --clean. refined: then learned further. "
        "gold: clean labels choose between classifiers of the head, that of these alone among them.",
        _NOISE,
    )
    noisy_weight: float | None = option(
        None, "Weight of a noisy sample where a clean one has 1.", _NOISE, shown="1"
    )
    outside_weight: float | None = option(None, "Weight of a sample of --outside.", _NOISE, shown="1")
    alpha: float | None = option(
        None, "top-down: how much of a label is believed, 0 to 1.", _NOISE, shown="0.5"
    )
    mixing: Mixing | None = option(
        None,
        "Batches drawn from clean and noisy samples together, or of each in turn.",
        _NOISE,
        shown="joined",
    )
    measure_with: MeasureWith | None = option(
        None, "estimated, refined: which samples train the models that are measured.", _NOISE, shown="auto"
    )
    train_on_clean: bool = option(True, "estimated, refined: use clean samples for measuring only.", _NOISE)
    noise_matrix: Path | None = option(None, "FILE.csv for --method known; columns are true classes.", _NOISE)
    start: Start | None = option(
        None,
        "learned: where the matrix starts. identity is the paper's recipe, joint that and then a fresh network.",
        _NOISE,
        shown="features",
    )
    rule: Rule | None = option(
        None,
        "learned: the start of best held-out likelihood, or of the smallest trace that cannot be told from it.",
        _NOISE,
        shown="one-standard-error",
    )
    fresh_network: bool = option(
        True, "learned: go on with the network of the first phase, and let the matrix learn with it.", _NOISE
    )
    noise_trainable: bool = option(False, "learned: the matrix goes on learning in the main stage.", _NOISE)
    noise_learning_rate: float | None = option(
        None, "Of the noise matrix, while it learns by gradient.", _NOISE
    )
    trace_penalty: float | None = option(None, "Weight of tr(Q) / K, likewise.", _NOISE)
    noise_weight_decay: float | None = option(
        None,
        "Weight of |Q|^2 / 2, likewise, in the paper's unit; with --start identity or joint 0.05, if no other penalty "
        "is given.",
        _NOISE,
    )
    volume_penalty: float | None = option(
        None, "Weight of log |det Q|, likewise: volume minimisation, 1e-4 for example.", _NOISE
    )
    warm_up_epochs: int | None = option(None, "Of models before the main stage, if any.", _MODEL)
    augmentation: Augmentation | None = option(
        None,
        "Of images in training: none, shift, or flip-shift (mirrored too; not for digits or letters).",
        _MODEL,
        shown="none",
    )
    weight_decay: float | None = option(None, "Of the network.", _MODEL)
    validation_fraction: float | None = option(None, "Share of the noisy samples held out.", _MODEL)
    patience: int | None = option(None, "Epochs without improvement that end a stage.", _MODEL)
    on_nonfinite: OnNonFinite | None = option(
        None,
        "A batch whose loss is NaN or infinite: stop and name its samples, or skip it.",
        _MODEL,
        shown="stop",
    )
    num_workers: int = option(0, "Processes that load data.", _HARDWARE, ("--workers",), least=0)
    logger: Logger | None = option(
        None,
        "Curves and the noise matrix's state in RUN/logs: csv, tensorboard, mlflow (a file), wandb (offline).",
        _RUN,
        shown="none",
    )


@dataclass(frozen=True, kw_only=True)
class TrainJob(TrialOptions):
    """A run as it is asked for."""

    from_scratch: bool = option(
        False,
        "Train a network on the samples, also where features of a pretrained one are at hand.",
        "Model and training",
    )
    test: str | None = option(None, "Data with trusted labels; their error is read, never used.", _SETS)
    test_labels: str | None = option(None, "Where the labels of --test are.", _SETS)
    devices: int | str = option("auto", "How many, or auto.", _HARDWARE)
    num_nodes: int = option(1, "Machines.", _HARDWARE, ("--nodes",))
    strategy: str = option("auto", "auto or ddp.", _HARDWARE)
    out: Path = option(..., "Folder of the run.", _RUN, ("--out", "-o"))
    resume: bool = option(False, "Go on with a stopped run.", _RUN)
    dry_run: bool = option(False, "Check everything, say what would run.", _RUN)
    keep_checkpoints: bool = option(False, "Keep finished stages.", _RUN)
    progress: bool = option(True, "No progress bars.", _RUN)

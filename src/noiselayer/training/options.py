"""All that can be chosen about training, and the defaults by kind of data; neither torch nor Lightning is imported."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from noiselayer.arrays.kinds import check_not_negative, check_number
from noiselayer.choices import (
    Augmentation,
    Logger,
    MeasureWith,
    Method,
    Mixing,
    OnNonFinite,
    Optimizer,
    Rule,
    Schedule,
    Start,
    check_choice,
)
from noiselayer.errors import InputError, list_some

if TYPE_CHECKING:
    from noiselayer.data.inputs import Kind

METHODS: tuple[str, ...] = get_args(Method)
THROUGH_Q = ("known", "learned", "estimated", "refined")
"""The methods whose network predicts the true class, through a noise matrix that is not the identity."""


@dataclass(frozen=True)
class Optimization:
    """How the network and the noise matrix are optimized.

    Attributes:
        optimizer: "sgd" (Nesterov momentum 0.9) or "adamw".
        learning_rate: Of the network, at its peak.
        weight_decay: Of the network's weights of two or more dimensions; never of the noise matrix.
        schedule: "one-cycle" (linear warm-up over a quarter of a phase, cosine to zero) or "constant".
        noise_learning_rate: Of the noise matrix: plain gradient steps, each followed by a projection. A column
            of Q sees only its own class's samples, so the gradient of a K-class matrix is scaled by K: one
            value then serves for any number of classes.
        trace_penalty: Weight of tr(Q) / K in the loss (Theorem 1); adapts Q only while it is learned.
        noise_weight_decay: Weight of ||Q||^2 / 2 beside the mean loss, the unit of the paper and of cuda-convnet
            (§3.3 "in practice"; 0.05 there, or 0.1). None is :data:`PAPER_WEIGHT_DECAY` where a whole network
            learns Q from the identity and no other penalty is given, else 0.
        volume_penalty: Weight of log |det Q| in the loss (Li et al. 2021, with 1e-4).
    """

    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.05
    weight_decay: float = 1e-3
    schedule: Schedule = "one-cycle"
    noise_learning_rate: float = 0.01
    trace_penalty: float = 0.0
    noise_weight_decay: float | None = None
    volume_penalty: float = 0.0

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, Optimizer)
        check_choice("schedule", self.schedule, Schedule)
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number from 0 up; got {value}.")
            if isinstance(value, (int, float)) and value > _LARGEST_RATE:
                raise ValueError(f"{name} must be at most {_LARGEST_RATE:,}; got {value}.")


PAPER_WEIGHT_DECAY = 0.05
"""Of Q, on SVHN and, beside 0.1, on CIFAR-10 (§4.1)."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a classifier is trained.

    Attributes:
        method: "normal" (ordinary cross-entropy, Q = I), "top-down" (§3.5), "known" (Q given and fixed),
            "learned" (from noisy labels alone), "estimated" (from noisy and clean ones, §3.2), "refined"
            (estimated, then learned further), "gold" (clean labels choose between classifiers of the head, see
            :func:`noiselayer.annotators.fit_with_gold`) or "auto" (see :func:`choose_method`).
        model: A name that :func:`noiselayer.models.build_model` knows.
        model_options: Its options.
        max_epochs: Passes over the training samples in the main stage.
        batch_size: Samples per step.
        augmentation: Of images in training: "none", "shift" (by up to an eighth of the image) or "flip-shift"
            (mirrored too; not for digits, letters or signs). Validation and prediction see images as they are.
        validation_fraction: Share of the noisy samples held out to decide when to stop and what to choose.
        patience: Epochs without improvement that end a stage or phase; None runs every stage to its end.
        optimization: Optimizer, rates, penalties.
        start: Where a learned Q starts: "features" (a linear model on out-of-fold features, see
            :mod:`noiselayer.joint.from_features`), "confusion" (the out-of-fold confusion of noisy labels
            with predictions), "identity" (the paper's recipe, §3.4: one network, whose Q joins late) or "joint" (Q
            by that recipe, then a fresh network through it).
        warm_up_epochs: Epochs with Q = I before Q is learned, per fold where there are folds.
        folds: Models trained to get the out-of-fold features; each leaves one part out.
        rule: How the penalties behind a start from features are chosen: "best" held-out likelihood, or
            "one-standard-error": the smallest trace that cannot be told from it.
        fresh_network: Train a new network with the Q found (default), or go on with the one that has learned
            the noise in the first phase; with start "identity" it is always the same.
        noise_trainable: Whether Q goes on learning with the fresh network of the main stage.
        noisy_weight: gamma, the weight of a noisy sample where a clean one has 1 (§3.6).
        outside_weight: The weight of an image from outside the classes (§4.2).
        alpha: Of the top-down method: how much of a noisy label is believed (§3.5).
        mixing: With clean samples, "joined" draws every batch from all of them; "alternating" takes a clean
            and a noisy batch in turn, as in §4.2, weighted so that ``noisy_weight`` means the same.
        train_on_clean: Whether the clean samples are trained on too, or serve the estimate alone.
        measure_with: Which samples train the models whose confusions are measured: "clean" (the paper's),
            "noisy" (better where the clean set is small), each cross-fitted; "auto" takes "clean" if there are
            at least a fifth as many clean samples as noisy ones.
        on_nonfinite: What a batch does whose loss is NaN or infinite: "stop" the run and name its samples, or
            "skip" it, counted; that asks for every loss at once, which slows a GPU.
        seed: Of the split, the initial weights and the order of the samples.
    """

    method: str = "learned"
    model: str = "small"
    model_options: dict[str, Any] = field(default_factory=dict)
    max_epochs: int = 20
    batch_size: int = 128
    augmentation: Augmentation = "none"
    validation_fraction: float = 0.1
    patience: int | None = None
    optimization: Optimization = field(default_factory=Optimization)
    start: Start = "features"
    warm_up_epochs: int = 10
    folds: int = 2
    rule: Rule = "one-standard-error"
    fresh_network: bool = True
    noise_trainable: bool = False
    noisy_weight: float = 1.0
    outside_weight: float = 1.0
    alpha: float = 0.5
    mixing: Mixing = "joined"
    train_on_clean: bool = True
    measure_with: MeasureWith = "auto"
    on_nonfinite: OnNonFinite = "stop"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (
            ("method", Method),
            ("augmentation", Augmentation),
            ("start", Start),
            ("rule", Rule),
            ("mixing", Mixing),
            ("measure_with", MeasureWith),
            ("on_nonfinite", OnNonFinite),
        ):
            check_choice(name, getattr(self, name), kind)
        if self.method == "gold" and self.model != "head":
            raise ValueError(
                f"method 'gold' is for the linear head on features; this is model {self.model!r}. Take model 'head', "
                "or method 'estimated', which measures the noise with trusted labels for a network."
            )
        for name in ("noisy_weight", "outside_weight"):
            check_not_negative(getattr(self, name), name)
            if getattr(self, name) > _LARGEST_RATE:
                raise ValueError(f"{name} must be at most {_LARGEST_RATE:,}; got {getattr(self, name)}.")
        if self.start == "joint" and not self.fresh_network:
            raise ValueError(
                "start 'joint' trains a fresh network through the noise matrix that it finds; with fresh_network=False "
                "it would be start 'identity'. Use that."
            )
        check_number(self.alpha, "alpha")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must lie between 0 and 1; got {self.alpha}.")
        for name, most in _MOST.items():
            value: Any = getattr(self, name)
            if value is None and name == "patience":
                continue
            if not isinstance(value, Integral) or isinstance(value, bool):
                raise ValueError(f"{name} must be a whole number; got {value!r}.")
            if int(value) > most:
                raise ValueError(f"{name} must be at most {most:,}; got {value}.")
        for name in ("max_epochs", "warm_up_epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"seed must be a whole number from 0 up; got {self.seed}.")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be at least 1 epoch, or None for no limit; got {self.patience}.")
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, so that each leaves a part out; got {self.folds}.")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie between 0 and 1, both excluded; got {self.validation_fraction}."
            )


_LARGEST_RATE = 1_000_000
_MOST = {
    **dict.fromkeys(("max_epochs", "warm_up_epochs", "patience"), 1_000_000),
    **{"batch_size": 2**30, "folds": 2**30, "seed": 2**32 - 1},
}


@dataclass(frozen=True)
class Hardware:
    """What Lightning's Trainer is told about the machine; nothing is chosen by us.

    Attributes:
        accelerator: "auto", "cpu", "gpu", "mps", ...
        devices: How many, or "auto".
        num_nodes: Machines.
        strategy: "auto" or "ddp": every process has the whole network and Q. Strategies that cut the parameters
            ("fsdp", "deepspeed") or start processes that do not come back ("ddp_spawn", "ddp_fork") are refused.
        precision: "32-true", "bf16-mixed", "16-mixed", ...
        num_workers: Processes that load data; 0 loads in the main one.
        progress: Show a progress bar.
        deterministic: Ask torch for deterministic algorithms.
        logger: One of Lightning's loggers that gets losses and the state of the noise matrix, epoch by epoch: "csv",
            "tensorboard", "mlflow", "wandb"; None for none. See :class:`~noiselayer.training.noise_log.NoiseLog`.
        log_folder: Where it writes, a folder per stage.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    precision: Any = "32-true"
    num_workers: int = 0
    progress: bool = False
    deterministic: bool = False
    logger: str | None = None
    log_folder: Path = Path("logs")

    def __post_init__(self) -> None:
        if self.logger is not None and self.logger not in get_args(Logger):
            raise InputError(f"logger must be one of {', '.join(get_args(Logger))}; got {self.logger!r}.")
        name = self.strategy.lower()
        if any(word in name for word in ("fsdp", "deepspeed", "model_parallel")):
            raise InputError(
                f"strategy {self.strategy!r} cuts the parameters among processes, and the noise matrix and the best "
                "weights are kept whole here. Take 'ddp'; for a network too large for one device use NoiseLayer in a "
                "training loop of your own (docs/scaling.md)."
            )
        if any(word in name for word in ("fork", "spawn", "notebook")):
            raise InputError(
                f"strategy {self.strategy!r} trains in processes that keep what they have learned. Take 'ddp', which "
                "starts the same command once for each device."
            )


def choose_method(
    num_noisy: int, num_clean: int, num_classes: int, *, absent: Sequence[str] = ()
) -> tuple[str, str]:
    """What "auto" takes, and why in one line.

    Args:
        num_noisy: Samples with noisy labels.
        num_clean: Samples with trusted labels; 0 for none.
        num_classes: K.
        absent: Names of classes without a trusted label, whose noise cannot be measured.

    >>> print(": ".join(choose_method(20_000, 500, 10)))
    estimated: 500 clean samples, 50 a class, are enough to measure the noise of 20,000 noisy ones
    """
    if num_clean == 0:
        return (
            "learned",
            f"there is no clean set, so the noise is learned from the {num_noisy:,} noisy samples alone",
        )
    if absent:
        return "learned", (
            f"the clean set has no samples of {list_some(map(repr, absent))}, and the noise of a class can only be "
            "measured with clean samples of it; it is learned from the noisy samples, and the clean ones are trained on"
        )
    per_class = num_clean // num_classes
    if per_class < _FEW_PER_CLASS:
        return "learned", (
            f"{num_clean:,} clean samples, {per_class} a class, are too few to measure the noise with; it is learned "
            "from the noisy samples, and the clean ones are trained on"
        )
    return "estimated", (
        f"{num_clean:,} clean samples, {per_class} a class, are enough to measure the noise of {num_noisy:,} noisy ones"
    )


_FEW_PER_CLASS = 10


def with_weight_decay(options: TrainingOptions) -> TrainingOptions:
    """The options with a number for :attr:`Optimization.noise_weight_decay`, where it is None.

    >>> [with_weight_decay(TrainingOptions(start=s)).optimization.noise_weight_decay for s in ("joint", "features")]
    [0.05, 0.0]
    """
    rates = options.optimization
    if rates.noise_weight_decay is not None:
        return options
    from_identity = options.method == "learned" and options.start in ("identity", "joint")
    alone = not (rates.trace_penalty or rates.volume_penalty)
    decay = PAPER_WEIGHT_DECAY if from_identity and alone else 0.0
    return replace(options, optimization=replace(rates, noise_weight_decay=decay))


FEW_IMAGES = 10_000
"""Below so many, SGD at the rate that suits tens of thousands learns next to nothing in the few steps there are."""


def default_options(
    kind: Kind, *, num_samples: int | None = None, given: Collection[str] = (), **changes: Any
) -> TrainingOptions:
    """The defaults for one kind of data; docs/evidence/choosing-defaults.md shows what they rest on.

    Args:
        kind: "image", "table", "vector" or "embedded".
        num_samples: With noisy labels, where it is known: fewer than :data:`FEW_IMAGES` images are trained on with
            AdamW.
        given: Names of options that somebody has chosen: rates and networks keep the optimizer they are meant for.
        **changes: Options to set otherwise.

    >>> default_options("image").model, default_options("table").model, default_options("embedded").model
    ('small', 'mlp', 'head')
    >>> default_options("image", num_samples=1000).optimization.optimizer
    'adamw'
    """
    if kind == "embedded":
        options = TrainingOptions(model="head")
    elif kind == "image":
        options = TrainingOptions()
        few = num_samples is not None and num_samples < FEW_IMAGES
        if few and not {"model", "optimizer", "learning_rate"} & set(given):
            adamw = Optimization(optimizer="adamw", learning_rate=1e-3, weight_decay=0.05)
            options = replace(options, batch_size=64, optimization=adamw)
    else:
        options = TrainingOptions(
            model="mlp",
            model_options={"dropout": 0.5},
            max_epochs=60,
            warm_up_epochs=30,
            batch_size=64,
            optimization=Optimization(
                optimizer="adamw", learning_rate=3e-3, weight_decay=1e-2, noise_learning_rate=1e-3
            ),
        )
    return replace(options, **changes)

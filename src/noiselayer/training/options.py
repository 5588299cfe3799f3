"""Everything that can be chosen about training, and the defaults by kind of data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from noiselayer.data.inputs import Kind
from noiselayer.estimation.from_features import Rule
from noiselayer.training.module import Optimization

__all__ = ["METHODS", "Start", "TrainingOptions", "default_options"]

METHODS = ("normal", "known", "learned")
Start = Literal["features", "confusion", "identity"]


@dataclass(frozen=True)
class TrainingOptions:
    """How a classifier is trained.

    Attributes:
        method: "normal" (ordinary cross-entropy, Q = I), "known" (Q given and fixed) or "learned".
        model: A name that :func:`noiselayer.models.build_model` knows.
        model_options: Its options.
        max_epochs: Passes over the training samples in the main stage.
        batch_size: Samples per step.
        validation_fraction: Share of the noisy samples held out to decide when to stop and what to choose.
        patience: Epochs without improvement that end a stage or phase; None runs every stage to its end.
        optimization: Optimizer, rates, penalties.
        start: Where a learned Q starts: "features" (a linear model on out-of-fold features, see
            :mod:`noiselayer.estimation.from_features`), "confusion" (the out-of-fold confusion of noisy labels
            with predictions) or "identity" (the paper's).
        warm_up_epochs: Epochs with Q = I before Q is learned, per fold where there are folds.
        folds: Models trained to get the out-of-fold features; each leaves one part out.
        rule: How the penalties behind a start from features are chosen: "best" held-out likelihood, or
            "one-standard-error": the smallest trace that cannot be told from it.
        fresh_network: Train a new network with the Q found (default), or go on with the one that has learned
            the noise in the first phase (the paper's).
        noise_trainable: Whether Q goes on learning with the fresh network of the main stage.
        seed: Of the split, the initial weights and the order of the samples.
    """

    method: str = "learned"
    model: str = "small"
    model_options: dict[str, Any] = field(default_factory=dict)
    max_epochs: int = 20
    batch_size: int = 128
    validation_fraction: float = 0.1
    patience: int | None = None
    optimization: Optimization = field(default_factory=Optimization)
    start: Start = "features"
    warm_up_epochs: int = 10
    folds: int = 2
    rule: Rule = "best"
    fresh_network: bool = True
    noise_trainable: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}; got {self.method!r}.")
        if self.start not in get_args(Start):
            raise ValueError(f"start must be one of {', '.join(get_args(Start))}; got {self.start!r}.")
        for name in ("max_epochs", "warm_up_epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, so that each leaves a part out; got {self.folds}.")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie between 0 and 1, both excluded; got {self.validation_fraction}."
            )


def default_options(kind: Kind, **changes: Any) -> TrainingOptions:
    """The defaults for one kind of data; docs/choosing-defaults.md shows what they rest on.

    Args:
        kind: "image", "table" or "vector".
        **changes: Options to set otherwise.

    >>> default_options("image").model, default_options("table").model
    ('small', 'mlp')
    """
    if kind == "image":
        options = TrainingOptions()
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

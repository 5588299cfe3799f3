"""The words that options choose between; so light that the command line's help can have them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

__all__ = [
    "Augmentation",
    "EstimateMethod",
    "ImageFit",
    "Layout",
    "Logger",
    "MeasureWith",
    "Method",
    "Mixing",
    "ObjectiveName",
    "OnNonFinite",
    "Optimizer",
    "Overlapping",
    "ProbsPredict",
    "ReviewFormat",
    "Rule",
    "Schedule",
    "Start",
    "check_choice",
]

Method: TypeAlias = Literal["auto", "normal", "top-down", "known", "learned", "estimated", "refined", "gold"]
"""How labels are taken."""
Start: TypeAlias = Literal["features", "confusion", "identity", "joint"]
"""Where a learned noise matrix starts."""
Rule: TypeAlias = Literal["best", "one-standard-error"]
"""How a start from features is chosen."""
Mixing: TypeAlias = Literal["joined", "alternating"]
"""How clean and noisy samples share batches."""
MeasureWith: TypeAlias = Literal["auto", "clean", "noisy"]
"""Which samples train the models that are measured."""
Augmentation: TypeAlias = Literal["none", "shift", "flip-shift"]
"""What is done to images in training."""
Optimizer: TypeAlias = Literal["sgd", "adamw"]
"""How the network is optimized."""
Schedule: TypeAlias = Literal["one-cycle", "constant"]
"""How its learning rate runs."""
Logger: TypeAlias = Literal["csv", "tensorboard", "mlflow", "wandb"]
"""Which of Lightning's loggers writes."""
OnNonFinite: TypeAlias = Literal["stop", "skip"]
"""What a batch does whose loss is not a number."""
Overlapping: TypeAlias = Literal["error", "drop"]
"""What becomes of samples that stand in two sets."""
ProbsPredict: TypeAlias = Literal["given", "true"]
"""What a model's probabilities are of."""
ReviewFormat: TypeAlias = Literal["label-studio", "fiftyone", "csv"]
"""The tool that suspect labels are written for."""
EstimateMethod: TypeAlias = Literal["auto", "inverse", "sparse"]
"""How an inverse noise matrix is found."""
ImageFit: TypeAlias = Literal["squash", "pad", "crop"]
"""How images of other proportions are brought to one size."""
Layout: TypeAlias = Literal["auto", "NHWC", "NCHW"]
"""Where the channels of image arrays are."""
ObjectiveName: TypeAlias = Literal["error", "loss"]
"""What a search makes small."""


def check_choice(name: str, value: object, choices: Any) -> None:
    """Raise an error unless a value is one of the words that an option chooses between.

    Args:
        name: Of the option.
        value: What was given.
        choices: One of the types of this module.

    Raises:
        ValueError: If it is another word.

    >>> check_choice("start", "feature", Start)
    Traceback (most recent call last):
    ...
    ValueError: start must be one of features, confusion, identity, joint; got 'feature'.
    """
    if not isinstance(value, str) or value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}; got {value!r}.")

"""What options choose between, in words of our own: help must not import what computes."""

from __future__ import annotations

from enum import Enum

__all__ = [
    "Augmentation",
    "EstimateMethod",
    "Logger",
    "MeasureWith",
    "Method",
    "Mixing",
    "OnNonFinite",
    "Overlapping",
    "ProbsOf",
    "ReviewFormat",
    "Rule",
    "Start",
]


class Method(str, Enum):
    """How labels are taken."""

    auto = "auto"
    normal = "normal"
    top_down = "top-down"
    known = "known"
    learned = "learned"
    estimated = "estimated"
    refined = "refined"


class Start(str, Enum):
    """Where a learned noise matrix starts."""

    features = "features"
    confusion = "confusion"
    identity = "identity"


class Rule(str, Enum):
    """How a start from features is chosen."""

    best = "best"
    one_standard_error = "one-standard-error"


class Mixing(str, Enum):
    """How clean and noisy samples share batches."""

    joined = "joined"
    alternating = "alternating"


class MeasureWith(str, Enum):
    """Which samples train the models that are measured."""

    auto = "auto"
    clean = "clean"
    noisy = "noisy"


class Augmentation(str, Enum):
    """What is done to images in training."""

    none = "none"
    shift = "shift"
    flip_shift = "flip-shift"


class Logger(str, Enum):
    """Which of Lightning's loggers writes."""

    csv = "csv"
    tensorboard = "tensorboard"
    mlflow = "mlflow"
    wandb = "wandb"


class OnNonFinite(str, Enum):
    """What a batch does whose loss is not a number."""

    stop = "stop"
    skip = "skip"


class Overlapping(str, Enum):
    """What becomes of samples that stand in two sets."""

    error = "error"
    drop = "drop"


class ProbsOf(str, Enum):
    """What a model's probabilities are of."""

    noisy = "noisy"
    true = "true"


class ReviewFormat(str, Enum):
    """The tool that suspect labels are written for."""

    label_studio = "label-studio"
    fiftyone = "fiftyone"
    csv = "csv"


class EstimateMethod(str, Enum):
    """How an inverse noise matrix is found."""

    auto = "auto"
    inverse = "inverse"
    sparse = "sparse"

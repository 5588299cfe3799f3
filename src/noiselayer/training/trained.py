"""What training leaves: the classifier, and the record of every stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.annotators.gold_head import GoldHead
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.features.feature_head import FeatureHead
from noiselayer.joint.from_features import FeatureEstimate
from noiselayer.training.options import TrainingOptions


@dataclass
class StageResult:
    """How a stage went.

    Attributes:
        name: Of the stage.
        epochs: Epochs trained.
        best_epoch: The epoch, from 0, whose weights were kept.
        best_loss: Its validation loss.
        switched_at: Epochs finished when Q joined; None if it did not.
        interrupted: Stopped by the user before its end.
        skipped_batches: Batches left out because their loss was NaN or infinite.
        seconds: Spent in training.
        curves: A row per epoch.
    """

    name: str
    epochs: int = 0
    best_epoch: int | None = None
    best_loss: float = float("nan")
    switched_at: int | None = None
    interrupted: bool = False
    skipped_batches: int = 0
    seconds: float = 0.0
    curves: list[dict[str, float]] = field(default_factory=list)


@dataclass
class TrainedClassifier:
    """What training leaves.

    Attributes:
        network: Raw inputs to logits of the true class; never through Q.
        noise_matrix: Shape (K, K), columns = true classes: learned, estimated, known, or the identity.
        class_names: The K names.
        options: What was done; "auto" is replaced by the method it chose.
        model_arguments: What :func:`noiselayer.models.build_model` needs to build the network again.
        stages: A record of every stage, in order.
        start_matrix: Where a learned Q started, shape (K, K); None for other methods.
        start_estimates: The paths of penalties that the start was chosen from.
        estimate: What was measured with the clean samples; None for other methods.
        splits: Name -> indices of the samples: "train" and "validation" of the noisy set as it was given,
            "clean_train" and "clean_validation" of the clean one.
        sample_counts: Name -> how many samples of every class stand behind a column: "noisy" (by noisy label)
            and, with a clean set, "clean" (by true class).
        by_annotator: Where it is known who gave each label: what was found of the training labels and, in
            ``annotators``, of who gave them; None if the matrices were given.
        annotator_matrices: Shape (S, K, K), the matrix of every annotator; ``noise_matrix`` is then their mean,
            weighted by their labels.
        annotator_names: The S names.
        interrupted: Stopped by the user before its end.
        head: The fit itself, with what it says of every sample out of fold, where a head on features was fitted.
    """

    network: nn.Module
    noise_matrix: Tensor
    class_names: tuple[str, ...]
    options: TrainingOptions
    model_arguments: dict[str, Any]
    stages: list[StageResult] = field(default_factory=list)
    start_matrix: Tensor | None = None
    start_estimates: list[FeatureEstimate] = field(default_factory=list)
    estimate: NoiseEstimate | None = None
    splits: dict[str, Tensor] = field(default_factory=dict)
    sample_counts: dict[str, Tensor] = field(default_factory=dict)
    by_annotator: CombinedLabels | None = None
    annotator_matrices: Tensor | None = None
    annotator_names: tuple[str, ...] = ()
    interrupted: bool = False
    head: FeatureHead | GoldHead | None = None

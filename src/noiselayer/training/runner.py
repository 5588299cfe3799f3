"""Builds a fresh network for every stage, and keeps the record of all stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.joint.from_features import FeatureEstimate
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.models import build_model
from noiselayer.training.batches import Part, Trust
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import Hardware, TrainingOptions
from noiselayer.training.phases import NoisePhases
from noiselayer.training.seeding import seeded
from noiselayer.training.stage import StageResult, run_stage


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


@dataclass(frozen=True)
class StageRunner:
    """Runs stages for one classifier, each with a fresh network, and fills the record ``trained``."""

    options: TrainingOptions
    hardware: Hardware
    folder: Path | None
    trained: TrainedClassifier

    @property
    def interrupted(self) -> bool:
        """Whether the user has stopped a stage."""
        return self.trained.interrupted

    def run(
        self,
        name: str,
        noise_layer: NoiseLayer,
        train: Sequence[Part],
        validation: Sequence[Part],
        *,
        max_epochs: int,
        seed: int,
        phases: NoisePhases | None = None,
        alpha: float | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> NoisyLabelModule:
        """Train a fresh network; returns the module at its best epoch."""
        o = self.options
        alternating = o.mixing == "alternating" and len({part.trust == Trust.CLEAN for part in train}) == 2
        # A weight against other samples means nothing where there are none, as in a warm-up.
        alone = all(part.trust == Trust.NOISY for part in train)
        with seeded(seed):
            module = NoisyLabelModule(
                build_model(**self.trained.model_arguments),
                noise_layer,
                o.optimization,
                noisy_weight=1.0 if alone else o.noisy_weight,
                outside_weight=o.outside_weight,
                alpha=alpha,
                trust_scale=_shares(train) if alternating else (1.0, 1.0),
                augmentation=o.augmentation,
            )
            result = run_stage(
                name,
                module,
                train,
                validation,
                max_epochs=max_epochs,
                batch_size=o.batch_size,
                patience=o.patience,
                phases=phases,
                seed=seed,
                alternating=alternating,
                on_nonfinite=o.on_nonfinite,
                hardware=self.hardware,
                folder=self.folder,
                callbacks=callbacks,
            )
        self.trained.stages.append(result)
        if result.interrupted:  # even in a warm-up: a stopped run predicts with what it has
            self.trained.interrupted = True
            self.trained.network = module.network.cpu().eval()
        return module

    def run_folds(
        self,
        name: str,
        data: LabeledData,
        fold_of: Tensor,
        part: Callable[[LabeledData], Part],
        validation: Sequence[Part],
        *,
        noise_matrix: Tensor | None = None,
        max_epochs: int,
        seed: int,
    ) -> Iterator[tuple[Tensor, LabeledData, nn.Module]]:
        """For each fold its rows, its samples and a network trained on the others, Q fixed; ends early if stopped."""
        for k in range(self.options.folds):
            left_out = (fold_of == k).nonzero().flatten()
            module = self.run(
                f"{name}-{k}",
                NoiseLayer(data.num_classes, noise_matrix, trainable=False),
                [part(data.subset((fold_of != k).nonzero().flatten()))],
                validation,
                max_epochs=max_epochs,
                seed=seed + k,
            )
            if self.interrupted:
                return
            yield left_out, data.subset(left_out), module.network


def noisy_part(data: LabeledData) -> Part:
    """Samples whose labels pass through the noise matrix."""
    assert data.labels is not None
    return Part(data.inputs, data.labels, Trust.NOISY, data.annotators)


def clean_part(data: LabeledData) -> Part:
    """Samples whose labels are trusted."""
    assert data.labels is not None
    return Part(data.inputs, data.labels, Trust.CLEAN)


def outside_part(inputs: Inputs) -> Part:
    """Samples from outside the classes."""
    return Part(inputs, torch.zeros(len(inputs), dtype=torch.long), Trust.OUTSIDE)


def _shares(parts: Sequence[Part]) -> tuple[float, float]:
    """Twice the share of the clean samples and of the others: what undoes a one-to-one alternation."""
    total = sum(len(part.labels) for part in parts)
    clean = sum(len(part.labels) for part in parts if part.trust == Trust.CLEAN)
    return 2 * clean / total, 2 * (total - clean) / total

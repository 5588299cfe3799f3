"""The methods: which stages run, on what, and with which noise matrix (§3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from noiselayer.data.labeled import LabeledData, check_for_training
from noiselayer.data.splits import split_validation
from noiselayer.estimation.from_features import FeatureEstimate
from noiselayer.layer import NoiseLayer
from noiselayer.models import build_model
from noiselayer.noise_matrix import check
from noiselayer.training.batches import Part, Source
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import TrainingOptions
from noiselayer.training.phases import NoisePhases
from noiselayer.training.seeding import seeded
from noiselayer.training.stage import Hardware, StageResult, run_stage
from noiselayer.training.start import starting_matrix
from noiselayer.training.statistics import input_statistics

__all__ = ["TrainedClassifier", "fit_classifier"]


@dataclass
class TrainedClassifier:
    """What training leaves.

    Attributes:
        network: Raw inputs to logits of the true class; never through Q.
        noise_matrix: Shape (K, K), columns = true classes: learned, known, or the identity.
        class_names: The K names.
        options: What was asked for.
        model_arguments: What :func:`noiselayer.models.build_model` needs to build the network again.
        stages: A record of every stage, in order.
        start_matrix: Where a learned Q started; None for other methods.
        start_estimates: The paths of penalties that the start was chosen from, a fold each.
        splits: Indices of the samples trained and validated on.
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
    splits: dict[str, Tensor] = field(default_factory=dict)
    interrupted: bool = False


def fit_classifier(
    data: LabeledData,
    options: TrainingOptions,
    *,
    noise_matrix: Tensor | None = None,
    hardware: Hardware | None = None,
    folder: Path | None = None,
    on_stage: Callable[[str], None] | None = None,
) -> TrainedClassifier:
    """Train a classifier on noisy labels.

    Args:
        data: Samples and their noisy labels.
        options: Method, model, rates.
        noise_matrix: Shape (K, K), columns = true classes; for the method "known", and only for it.
        hardware: Devices and precision.
        folder: Where stages leave checkpoints; a run stopped there goes on.
        on_stage: Told in words what begins.

    Returns:
        The classifier at its best validation epoch, and how it got there.

    Raises:
        InputError: If the data cannot be trained on.
        ValueError: If ``noise_matrix`` does not suit the method or the classes.

    >>> from noiselayer.data.labeled import from_arrays
    >>> from noiselayer.training.options import default_options
    >>> data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    >>> options = default_options("vector", method="normal", max_epochs=2)
    >>> fit_classifier(data, options).noise_matrix
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_for_training(data)
    assert data.labels is not None
    K = data.num_classes
    if (noise_matrix is not None) != (options.method == "known"):
        raise ValueError(
            "method 'known' needs noise_matrix."
            if options.method == "known"
            else f"noise_matrix is for method 'known'; method {options.method!r} finds its own."
        )
    if noise_matrix is not None:
        check(noise_matrix, num_classes=K)
    say = on_stage or (lambda message: None)
    hardware = hardware or Hardware()
    generator = torch.Generator().manual_seed(options.seed)
    chosen, held_out = split_validation(
        data.labels, options.validation_fraction, num_classes=K, generator=generator
    )
    train, validation = data.subset(chosen), data.subset(held_out)
    mean, std = input_statistics(train.inputs)
    model_arguments = {
        "name": options.model,
        "num_classes": K,
        "input_shape": tuple(data.inputs.shape),
        "mean": mean,
        "std": std,
        **options.model_options,
    }
    trained = TrainedClassifier(
        network=nn.Identity(),
        noise_matrix=torch.eye(K),
        class_names=data.class_names,
        options=options,
        model_arguments=model_arguments,
        splits={"train": chosen, "validation": held_out},
    )
    runner = StageRunner(options, hardware, folder, model_arguments, trained)

    start = torch.eye(K) if noise_matrix is None else noise_matrix.detach().float().cpu()
    phases = None
    if options.method == "learned" and options.start != "identity":
        say(f"Warm-up: {options.folds} models with Q = I, each on its folds, to find where Q starts.")
        found = starting_matrix(train, validation, options, runner)
        if found is None:
            trained.interrupted = True
            return trained
        start, trained.start_estimates = found
        trained.start_matrix = start
    if options.method == "learned" and (options.start == "identity" or not options.fresh_network):
        phases = NoisePhases(
            patience=options.patience or 5,
            phase_epochs=options.warm_up_epochs,
            start=(lambda module: start.to(module.device)) if options.start != "identity" else None,
        )
    epochs = options.max_epochs + (options.warm_up_epochs if phases else 0)
    say(f"Main stage: {options.model}, at most {epochs} epochs, method {options.method}.")
    learns = options.method == "learned" and (phases is not None or options.noise_trainable)
    module = runner.run(
        "main",
        NoiseLayer(K, torch.eye(K) if phases else start, trainable=learns),
        train,
        validation,
        max_epochs=epochs,
        phases=phases,
        seed=options.seed,
    )
    trained.network = module.network.cpu().eval()
    trained.noise_matrix = module.noise_layer.noise_matrix.detach().float().cpu()
    return trained


class StageRunner:
    """Builds a fresh network and runs one stage with it; remembers every record."""

    def __init__(
        self,
        options: TrainingOptions,
        hardware: Hardware,
        folder: Path | None,
        model_arguments: dict[str, Any],
        trained: TrainedClassifier,
    ) -> None:
        self.options = options
        self.hardware = hardware
        self.folder = folder
        self.model_arguments = model_arguments
        self.trained = trained

    @property
    def interrupted(self) -> bool:
        """Whether the user has stopped a stage."""
        return any(stage.interrupted for stage in self.trained.stages)

    def run(
        self,
        name: str,
        noise_layer: NoiseLayer,
        train: LabeledData,
        validation: LabeledData,
        *,
        max_epochs: int,
        seed: int,
        phases: NoisePhases | None = None,
    ) -> NoisyLabelModule:
        """Train a fresh network; returns the module at its best epoch."""
        assert train.labels is not None
        assert validation.labels is not None
        with seeded(seed):
            module = NoisyLabelModule(build_model(**self.model_arguments), noise_layer, self.options.optimization)
            result = run_stage(
                name,
                module,
                [Part(train.inputs, train.labels, Source.NOISY)],
                [Part(validation.inputs, validation.labels, Source.NOISY)],
                max_epochs=max_epochs,
                batch_size=self.options.batch_size,
                patience=self.options.patience,
                phases=phases,
                seed=seed,
                hardware=self.hardware,
                folder=self.folder,
            )
        self.trained.stages.append(result)
        self.trained.interrupted = self.interrupted
        if result.interrupted:  # even in a warm-up: a stopped run predicts with what it has
            self.trained.network = module.network.cpu().eval()
        return module

"""How every experiment trains: the paper's network, the default options of each method, one row at the end."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import noiselayer
from noiselayer.choices import Overlapping
from noiselayer.data import Inputs, LabeledData
from noiselayer.paper.experiment import Budget, Row
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.trained import TrainedClassifier

Array = npt.NDArray[Any]

METHODS: dict[str, dict[str, Any]] = {
    "normal": {"method": "normal"},
    "true": {"method": "known"},
    "learned": {"method": "learned"},
    "estimated": {"method": "estimated", "train_on_clean": False, "measure_with": "clean"},
    "auto": {"method": "auto"},
    "top-down": {"method": "top-down", "alpha": 0.5},
    # §3.3 and §3.4 as they stand: Q is the identity in a first phase, then the same network goes on and Q
    # learns, with the paper's weight decay.
    "paper's recipe": {"method": "learned", "start": "identity", "fresh_network": False},
    # The same, and then a fresh network through the Q that it has found.
    "recipe, fresh network": {"method": "learned", "start": "joint"},
}
"""Name in the tables -> options that differ from the defaults."""

CLEAN_TOO: dict[str, Any] = {"train_on_clean": True, "measure_with": "auto"}
"""What "estimated" does where the clean images are trained on as well (Tables 2 and 3)."""


def options_of(method: str, budget: Budget, seed: int, **changes: Any) -> Any:
    """The options of a method: the defaults for images but for what :data:`METHODS`, the budget and ``changes`` say."""
    chosen = {**METHODS[method], **changes}
    return default_options(
        "image",
        model=budget.model,
        model_options=budget.model_options,
        max_epochs=budget.epochs,
        warm_up_epochs=budget.warm_up_epochs,
        seed=seed,
        **chosen,
    )


def train(
    noisy: LabeledData,
    *,
    method: str,
    budget: Budget,
    seed: int,
    clean: LabeledData | None = None,
    outside: Inputs | None = None,
    noise_matrix: Tensor | None = None,
    overlapping: Overlapping = "error",
    **changes: Any,
) -> TrainedClassifier:
    """Train one classifier with :func:`options_of` its method; the arguments are those of ``fit_classifier``."""
    options = options_of(method, budget, seed, **changes)
    enough = math.ceil(budget.steps * options.batch_size / len(noisy))
    options = replace(
        options,
        max_epochs=max(options.max_epochs, enough),
        warm_up_epochs=max(options.warm_up_epochs, math.ceil(enough / 2)),
    )
    return fit_classifier(
        noisy,
        options,
        clean=clean,
        outside=outside,
        overlapping=overlapping,
        noise_matrix=noise_matrix,
        hardware=hardware_of(budget),
    )


def hardware_of(budget: Budget) -> Hardware:
    """One device: cells are what runs side by side."""
    return Hardware(accelerator=budget.accelerator, devices=1, precision=budget.precision)


def outcome(
    trained: TrainedClassifier, test: LabeledData, truth: Tensor | None, *, dataset: str, top: int = 1
) -> Row:
    """A row's figures: right is a truth among the ``top`` likeliest. Test labels are read here, to choose nothing."""
    logits = predict_logits(trained.network, test.inputs)
    right = (logits.topk(min(top, logits.shape[1]), dim=1).indices == test.given[:, None]).any(dim=1)
    Q = trained.noise_matrix
    error = None if truth is None else float((Q - truth).abs().sum() / truth.abs().sum())
    return {
        "dataset": dataset,
        "test_error": round(100 * (1 - right.double().mean().item()), 3),
        "test_samples": len(right),
        "noise_matrix_error": None if error is None else round(error, 4),
        "mean_diagonal": round(Q.diagonal().mean().item(), 4),
        "noise_matrix": [[round(q, 4) for q in row] for row in Q.tolist()] if len(Q) <= _MOST_KEPT else None,
        "chosen_method": trained.options.method,
        "epochs": {stage.name: stage.epochs for stage in trained.stages},
        "best_epochs": {stage.name: stage.best_epoch for stage in trained.stages},
    }


_MOST_KEPT = 20  # classes, of a matrix that a result's file shows


def count_matrix(noisy_labels: Array | Tensor, true_labels: Array | Tensor, num_classes: int) -> Tensor:
    """The shares of the noisy labels among the samples of each true class, shape (K, K), columns = true classes."""
    noisy, true = torch.as_tensor(np.asarray(noisy_labels)), torch.as_tensor(np.asarray(true_labels))
    counts = (noisy * num_classes + true).bincount(minlength=num_classes**2).view(num_classes, num_classes)
    return counts / counts.sum(dim=0).clamp_min(1)


def corrupt(true_labels: Array, noise_matrix: Tensor, generator: torch.Generator) -> Tensor:
    """Noisy labels drawn from the columns of ``noise_matrix``, shape (N,)."""
    return noiselayer.corrupt_labels(torch.from_numpy(true_labels), noise_matrix, generator=generator)

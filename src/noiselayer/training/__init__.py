"""Training with pytorch-lightning: batches with provenance, the phases of §3.4, and the methods.

A name is imported when it is first used: the options alone bring neither torch nor Lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noiselayer.training.batches import Batch, Part, Trust
    from noiselayer.training.finite import NonFiniteLossError
    from noiselayer.training.logits import features_and_logits, predict_logits
    from noiselayer.training.methods import fit_classifier
    from noiselayer.training.module import NoisyLabelModule
    from noiselayer.training.noise_log import NoiseLog
    from noiselayer.training.options import (
        METHODS,
        Hardware,
        Optimization,
        TrainingOptions,
        choose_method,
        default_options,
    )
    from noiselayer.training.phases import KeepBest, NoisePhases
    from noiselayer.training.precision import best_precision
    from noiselayer.training.runner import TrainedClassifier
    from noiselayer.training.stage import StageResult, run_stage

_NAMES = {
    "batches": ("Batch", "Part", "Trust"),
    "finite": ("NonFiniteLossError",),
    "logits": ("features_and_logits", "predict_logits"),
    "methods": ("fit_classifier",),
    "module": ("NoisyLabelModule",),
    "noise_log": ("NoiseLog",),
    "options": ("METHODS", "Hardware", "Optimization", "TrainingOptions", "choose_method", "default_options"),
    "phases": ("KeepBest", "NoisePhases"),
    "precision": ("best_precision",),
    "runner": ("TrainedClassifier",),
    "stage": ("StageResult", "run_stage"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [
    "METHODS",
    "Batch",
    "Hardware",
    "KeepBest",
    "NoiseLog",
    "NoisePhases",
    "NoisyLabelModule",
    "NonFiniteLossError",
    "Optimization",
    "Part",
    "StageResult",
    "TrainedClassifier",
    "TrainingOptions",
    "Trust",
    "best_precision",
    "choose_method",
    "default_options",
    "features_and_logits",
    "fit_classifier",
    "predict_logits",
    "run_stage",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'noiselayer.training' has no attribute {name!r}")
    value = getattr(import_module(f"noiselayer.training.{_HOMES[name]}"), name)
    globals()[name] = value  # found without this function the next time
    return value

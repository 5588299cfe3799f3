"""Training with pytorch-lightning: batches with provenance, the phases of §3.4, and the methods."""

from noiselayer.training.batches import Batch, Part, Source
from noiselayer.training.finite import NonFiniteLossError
from noiselayer.training.logits import features_and_logits, predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.module import NoisyLabelModule, Optimization
from noiselayer.training.noise_log import NoiseLog
from noiselayer.training.options import METHODS, TrainingOptions, choose_method, default_options
from noiselayer.training.phases import KeepBest, NoisePhases
from noiselayer.training.precision import best_precision
from noiselayer.training.runner import TrainedClassifier
from noiselayer.training.stage import Hardware, StageResult, run_stage

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
    "Source",
    "StageResult",
    "TrainedClassifier",
    "TrainingOptions",
    "best_precision",
    "choose_method",
    "default_options",
    "features_and_logits",
    "fit_classifier",
    "predict_logits",
    "run_stage",
]

"""noiselayer: train a classifier on labels you cannot trust, and learn how they are wrong.

The mathematics needs torch alone. Every name is imported when it is first used, so that the command line
answers before torch is there, and nobody pays for the training libraries who brings a loop of their own.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from noiselayer._version import __version__

if TYPE_CHECKING:
    from noiselayer import noise
    from noiselayer.annotators import combine_labels, estimate_annotator_matrices, estimate_source_matrices
    from noiselayer.audit import AuditResult, audit_labels
    from noiselayer.checks import check_noise_model, noise_floor
    from noiselayer.estimation import (
        confusion_matrix,
        estimate_from_pairs,
        estimate_from_predictions,
        estimate_noise_matrix,
    )
    from noiselayer.estimation.accuracy import accuracy_from_noisy_labels
    from noiselayer.estimation.labeller import measure_labels
    from noiselayer.estimators.boosting import (
        NoisyLabelBoostingClassifier,
        noisy_label_metric,
        noisy_label_objective,
    )
    from noiselayer.estimators.meta import NoisyLabelMetaClassifier
    from noiselayer.estimators.network import NoisyLabelClassifier
    from noiselayer.estimators.on_features import NoisyLabelFeaturesClassifier
    from noiselayer.joint import regularization
    from noiselayer.losses.bottom_up import NoisyLabelLoss, noisy_label_loss
    from noiselayer.losses.noise_layer import NoiseLayer
    from noiselayer.losses.top_down import TopDownLoss, inverse_conversion, top_down_loss, uniform_conversion
    from noiselayer.noise.corruption import corrupt_labels
    from noiselayer.noise.posterior import label_error_probability, posterior
    from noiselayer.noise.sparse_matrix import SparseNoiseMatrix
    from noiselayer.storage.loaded_run import load, load_run

__all__ = [
    "AuditResult",
    "NoiseLayer",
    "NoisyLabelBoostingClassifier",
    "NoisyLabelClassifier",
    "NoisyLabelFeaturesClassifier",
    "NoisyLabelLoss",
    "NoisyLabelMetaClassifier",
    "SparseNoiseMatrix",
    "TopDownLoss",
    "__version__",
    "accuracy_from_noisy_labels",
    "audit_labels",
    "check_noise_model",
    "combine_labels",
    "confusion_matrix",
    "corrupt_labels",
    "estimate_annotator_matrices",
    "estimate_from_pairs",
    "estimate_from_predictions",
    "estimate_noise_matrix",
    "estimate_source_matrices",
    "inverse_conversion",
    "label_error_probability",
    "load",
    "load_run",
    "measure_labels",
    "noise",
    "noise_floor",
    "noisy_label_loss",
    "noisy_label_metric",
    "noisy_label_objective",
    "posterior",
    "regularization",
    "top_down_loss",
    "uniform_conversion",
]

_MODULES = {"noise": "noiselayer.noise", "regularization": "noiselayer.joint.regularization"}
_HOMES = {
    "AuditResult": "noiselayer.audit",
    "NoiseLayer": "noiselayer.losses.noise_layer",
    "NoisyLabelBoostingClassifier": "noiselayer.estimators.boosting",
    "NoisyLabelClassifier": "noiselayer.estimators.network",
    "NoisyLabelFeaturesClassifier": "noiselayer.estimators.on_features",
    "NoisyLabelLoss": "noiselayer.losses.bottom_up",
    "NoisyLabelMetaClassifier": "noiselayer.estimators.meta",
    "SparseNoiseMatrix": "noiselayer.noise.sparse_matrix",
    "TopDownLoss": "noiselayer.losses.top_down",
    "accuracy_from_noisy_labels": "noiselayer.audit",
    "audit_labels": "noiselayer.audit",
    "check_noise_model": "noiselayer.checks",
    "combine_labels": "noiselayer.annotators",
    "confusion_matrix": "noiselayer.estimation",
    "corrupt_labels": "noiselayer.noise.corruption",
    "estimate_annotator_matrices": "noiselayer.annotators",
    "estimate_from_pairs": "noiselayer.estimation",
    "estimate_from_predictions": "noiselayer.estimation",
    "estimate_noise_matrix": "noiselayer.estimation",
    "estimate_source_matrices": "noiselayer.annotators",
    "inverse_conversion": "noiselayer.losses.top_down",
    "label_error_probability": "noiselayer.noise",
    "load": "noiselayer.storage.loaded_run",
    "load_run": "noiselayer.storage.loaded_run",
    "measure_labels": "noiselayer.estimation.labeller",
    "noise_floor": "noiselayer.checks",
    "noisy_label_loss": "noiselayer.losses.bottom_up",
    "noisy_label_metric": "noiselayer.estimators.boosting",
    "noisy_label_objective": "noiselayer.estimators.boosting",
    "posterior": "noiselayer.noise",
    "top_down_loss": "noiselayer.losses.top_down",
    "uniform_conversion": "noiselayer.losses.top_down",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "noise_matrix":
        warnings.warn(
            "noiselayer.noise_matrix has become noiselayer.noise, so that no module has an argument's name.",
            DeprecationWarning,
            stacklevel=2,
        )
        return import_module("noiselayer.noise")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value  # found without this function the next time
        return value
    raise AttributeError(f"module 'noiselayer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

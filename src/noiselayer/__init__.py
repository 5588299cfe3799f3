"""noiselayer: train a classifier on labels you cannot trust, and learn how they are wrong.

The mathematics needs torch alone; names that need more (the scikit-learn estimator) are imported when first
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noiselayer import noise_matrix, regularization
from noiselayer._version import __version__
from noiselayer.corruption import corrupt_labels
from noiselayer.layer import NoiseLayer
from noiselayer.loss import NoisyLabelLoss, noisy_label_loss

if TYPE_CHECKING:
    from noiselayer.estimator import NoisyLabelClassifier

__all__ = [
    "NoiseLayer",
    "NoisyLabelClassifier",
    "NoisyLabelLoss",
    "__version__",
    "corrupt_labels",
    "noise_matrix",
    "noisy_label_loss",
    "regularization",
]

_LAZY = {"NoisyLabelClassifier": "noiselayer.estimator"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'noiselayer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

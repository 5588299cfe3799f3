"""Boosted trees and noisy labels: an objective and a metric for XGBoost and LightGBM, and an estimator.

Start with :class:`NoisyLabelBoostingClassifier`; those who call the libraries themselves take
:func:`noisy_label_objective`, :func:`noisy_label_metric` and :func:`class_probabilities`.
"""

from noiselayer.estimators.boosting.boosted import NoisyLabelBoostingClassifier
from noiselayer.estimators.boosting.margins import class_probabilities
from noiselayer.estimators.boosting.metric import noisy_label_metric
from noiselayer.estimators.boosting.objective import noisy_label_objective

__all__ = [
    "NoisyLabelBoostingClassifier",
    "class_probabilities",
    "noisy_label_metric",
    "noisy_label_objective",
]

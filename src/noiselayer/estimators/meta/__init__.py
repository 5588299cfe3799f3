"""Noisy labels for classifiers that have no training loop: any that takes sample weights."""

from noiselayer.estimators.meta.meta_classifier import NoisyLabelMetaClassifier
from noiselayer.estimators.meta.rounds import learn_noise_matrix, update_noise_matrix

__all__ = ["NoisyLabelMetaClassifier", "learn_noise_matrix", "update_noise_matrix"]

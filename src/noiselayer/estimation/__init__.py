"""Estimate label noise where some labels can be trusted (§3.2): confusion matrices in, a noise matrix out.

Start with :func:`estimate_from_predictions`. The steps beneath it are functions of their own: measure
(:func:`confusion_matrix`, :class:`ConfusionCounts`), invert (:func:`inverse_noise_matrix`,
:func:`sparse_inverse_noise_matrix`), apply Bayes' rule (:func:`noise_matrix_from_inverse`), all of it with
errors (:func:`estimate_noise_matrix`). Where the noisy annotator has labelled the trusted set too:
:func:`estimate_from_pairs` and :func:`combine_estimates`.
"""

from noiselayer.estimation.confusion import ConfusionCounts, confusion_matrix
from noiselayer.estimation.cross_validation import SparsityPath, select_sparsity
from noiselayer.estimation.from_confusions import estimate_from_predictions, estimate_noise_matrix
from noiselayer.estimation.inverse import inverse_noise_matrix, noise_matrix_from_inverse
from noiselayer.estimation.noise_estimate import NoiseEstimate, combine_estimates, relative_l1_error
from noiselayer.estimation.sparse_inverse import sparse_inverse_noise_matrix
from noiselayer.estimation.stand_in import StandIn, alternative_annotator_test
from noiselayer.estimation.trusted_samples import estimate_from_pairs, gold_loss_correction

__all__ = [
    "ConfusionCounts",
    "NoiseEstimate",
    "SparsityPath",
    "StandIn",
    "alternative_annotator_test",
    "combine_estimates",
    "confusion_matrix",
    "estimate_from_pairs",
    "estimate_from_predictions",
    "estimate_noise_matrix",
    "gold_loss_correction",
    "inverse_noise_matrix",
    "noise_matrix_from_inverse",
    "relative_l1_error",
    "select_sparsity",
    "sparse_inverse_noise_matrix",
]

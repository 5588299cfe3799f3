"""Several annotators: people, prompts, model versions, web sites, rules; each with its own noise.

:func:`combine_labels` makes one label per sample of several, :func:`audit_annotators` says which labels are wrong where
every sample has one, :func:`estimate_annotator_matrices` what each annotator is worth. The matrices go to
:func:`noiselayer.noisy_label_loss`, :class:`noiselayer.NoisyLabelLoss` and :class:`noiselayer.NoiseLayer` with
``annotators=``.
"""

from noiselayer.annotators.combine_labels import combine_labels, estimate_annotator_matrices
from noiselayer.annotators.error_probabilities import audit_annotators
from noiselayer.annotators.estimates import AnnotatorEstimate, CombinedLabels, Confusion
from noiselayer.annotators.gold_head import GoldHead
from noiselayer.annotators.shrink import Prior, common_matrix, fit_prior
from noiselayer.annotators.votes import Votes, votes_of
from noiselayer.annotators.with_gold import fit_with_gold

estimate_source_matrices = estimate_annotator_matrices
"""Its name in version 0.1."""

__all__ = [
    "AnnotatorEstimate",
    "CombinedLabels",
    "Confusion",
    "GoldHead",
    "Prior",
    "Votes",
    "audit_annotators",
    "combine_labels",
    "common_matrix",
    "estimate_annotator_matrices",
    "estimate_source_matrices",
    "fit_prior",
    "fit_with_gold",
    "votes_of",
]

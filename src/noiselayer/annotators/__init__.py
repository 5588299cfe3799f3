"""Several sources of labels: annotators, prompts, model versions, web sites, rules; each with its own noise.

:func:`combine_labels` makes one label per sample of several, :func:`audit_sources` says which labels are wrong where
every sample has one, :func:`estimate_source_matrices` what each source is worth. The matrices go to
:func:`noiselayer.noisy_label_loss`, :class:`noiselayer.NoisyLabelLoss` and :class:`noiselayer.NoiseLayer` with
``sources=``.
"""

from noiselayer.annotators.combine_labels import combine_labels, estimate_source_matrices
from noiselayer.annotators.error_probabilities import audit_sources
from noiselayer.annotators.estimates import CombinedLabels, Confusion, SourceEstimate
from noiselayer.annotators.shrink import Prior, common_matrix, fit_prior
from noiselayer.annotators.votes import Votes, votes_of

__all__ = [
    "CombinedLabels",
    "Confusion",
    "Prior",
    "SourceEstimate",
    "Votes",
    "audit_sources",
    "combine_labels",
    "common_matrix",
    "estimate_source_matrices",
    "fit_prior",
    "votes_of",
]

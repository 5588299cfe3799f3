"""Frozen features: a linear head that learns through the noise matrix (Eq. 2), in seconds.

Start with :func:`fit_head`; :func:`make_source` gives features by name.
"""

from noiselayer.features.by_name import make_source, restore_source
from noiselayer.features.feature_head import FeatureHead
from noiselayer.features.head import fit_head
from noiselayer.features.patches import PatchFeatures, learn_patches, patch_features
from noiselayer.features.projection import Projection, project_features
from noiselayer.features.source import FeatureSource

__all__ = [
    "FeatureHead",
    "FeatureSource",
    "PatchFeatures",
    "Projection",
    "fit_head",
    "learn_patches",
    "make_source",
    "patch_features",
    "project_features",
    "restore_source",
]

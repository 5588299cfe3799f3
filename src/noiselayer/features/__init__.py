"""Frozen features: a linear head that learns through the noise matrix (Eq. 2), in seconds.

Start with :func:`fit_head`; :func:`make_source` gives features by name.
"""

from noiselayer.features.by_name import make_source, restore_source
from noiselayer.features.feature_head import FeatureHead
from noiselayer.features.head import fit_head
from noiselayer.features.projection import Projection, project_features
from noiselayer.features.source import FeatureSource

__all__ = [
    "FeatureHead",
    "FeatureSource",
    "Projection",
    "fit_head",
    "make_source",
    "project_features",
    "restore_source",
]

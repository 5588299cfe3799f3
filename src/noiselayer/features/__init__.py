"""Frozen features: a linear head that learns through the noise matrix (Eq. 2), in seconds.

Start with :func:`fit_head`.
"""

from noiselayer.features.feature_head import FeatureHead
from noiselayer.features.head import fit_head
from noiselayer.features.projection import Projection, project_features

__all__ = ["FeatureHead", "Projection", "fit_head", "project_features"]

"""Features of frozen networks for photographs and texts: extracted once, kept in a folder, found again by content.

Start with :func:`extract_features`.
"""

from noiselayer.extraction.extract import extract_features
from noiselayer.extraction.network_source import NetworkFeatures
from noiselayer.extraction.pretrained import Pretrained, load_pretrained

__all__ = ["NetworkFeatures", "Pretrained", "extract_features", "load_pretrained"]

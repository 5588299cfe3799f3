"""Features of frozen networks for photographs and texts: extracted once, kept in a folder, found again by content.

Start with :func:`extract_features`.
"""

from noiselayer.extraction.extract import extract_features
from noiselayer.extraction.pretrained import Pretrained, load_pretrained

__all__ = ["Pretrained", "extract_features", "load_pretrained"]

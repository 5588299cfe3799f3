"""Where features come from: something that turns samples into rows of numbers, always in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class FeatureSource(Protocol):
    """Samples in, features out; what it takes to make it again stands in a run's folder as JSON and safetensors.

    Attributes:
        name: What somebody says to get it: "tfidf", "patches", "timm:tf_efficientnet_lite0", "st:all-MiniLM-L6-v2".
        takes: What its samples are, in words: "texts", "images".
        standardize: Whether a linear head brings every feature to variance 1 first; not where a feature's variance
            says how much it matters.
    """

    name: str
    takes: str
    standardize: bool

    def transform(self, samples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Features, shape (N, D), float32, of N samples."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """What it is, as plain types for JSON; ``name`` among them."""
        ...

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Numbers it needs besides, by name; none if the name says it all."""
        ...

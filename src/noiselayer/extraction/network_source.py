"""Frozen networks as sources of features by name: what ``--embed timm:NAME`` gets."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.extraction.extract import extract_features
from noiselayer.extraction.pretrained import LOADERS, Pretrained, load_pretrained
from noiselayer.features.by_name import KINDS, Kind


class NetworkFeatures:
    """Features of a frozen network, kept in the user's folder of caches (:func:`extract_features`).

    Args:
        network: It.

    >>> import torch
    >>> network = load_pretrained(torch.nn.Linear(3, 2), name="small")
    >>> NetworkFeatures(network).name
    'small'
    """

    standardize: bool
    name: str
    takes: str

    def __init__(self, network: Pretrained) -> None:
        self.network, self.name, self.takes = network, network.name, network.takes
        self.standardize = network.layers == "end"  # else its layers have the same length already

    @classmethod
    def by_name(cls, name: str, samples: Sequence[Any]) -> NetworkFeatures:
        """Of that name; nothing is learned from samples."""
        return cls(load_pretrained(name))

    def transform(self, samples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Features, shape (N, D); says on the standard error what is computed, with a bar for those who look on."""
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True, soft_wrap=True, highlight=False)
        with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task(self.name, total=len(samples))
            features = extract_features(
                samples,
                self.network,
                say=lambda sentence: console.print(sentence, markup=False),
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
        return np.asarray(features, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Its name, and a digest of its weights, preprocessing and library."""
        return {
            "name": self.name,
            "fingerprint": self.network.fingerprint(),
            "layers": self.network.layers,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle holds the name: the network is loaded again, and it is said if it has changed."""
        return NetworkFeatures.from_dict, (self.to_dict(), {})

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """None: the library keeps the weights."""
        return {}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> NetworkFeatures:
        """What :meth:`to_dict` gave.

        Warns:
            UserWarning: If the network is not what it was: features may differ a little, or altogether.
        """
        source = cls(load_pretrained(state["name"], layers=state.get("layers", "end")))
        if source.network.fingerprint() != state["fingerprint"]:
            warnings.warn(
                f"{state['name']} is not what it was when its features were learned from (its weights, its library's "
                "version or its preprocessing have changed); predictions may differ.",
                stacklevel=2,
            )
        return source


KINDS.update({kind: Kind(NetworkFeatures.by_name, NetworkFeatures.from_dict) for kind in LOADERS})

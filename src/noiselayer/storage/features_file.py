"""The files in a run's folder that make its features again: JSON and safetensors, so that opening them runs nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from noiselayer import extraction  # noqa: F401 - from here on its networks are sources of features by name
from noiselayer.data.encoder import TableEncoder
from noiselayer.data.reading import Encoder
from noiselayer.errors import InputError
from noiselayer.features.by_name import restore_source
from noiselayer.features.source import FeatureSource
from noiselayer.files.whole_file import read_json, write_json

_STATE, _ARRAYS = "features.json", "features.safetensors"


def describe_source(source: FeatureSource) -> dict[str, str]:
    """A source in a run's config.json: its name, and a hash of what else it is."""
    state = json.dumps(source.to_dict(), sort_keys=True, ensure_ascii=False)
    return {"name": source.name, "hash": hashlib.blake2b(state.encode(), digest_size=16).hexdigest()}


def features_of(encoder: Encoder | None) -> dict[str, Any]:
    """``{"features": ...}`` of a source, to be among what identifies a job; empty of anything else."""
    return (
        {} if encoder is None or isinstance(encoder, TableEncoder) else {"features": describe_source(encoder)}
    )


def write_source(folder: Path, source: FeatureSource) -> None:
    """Write ``features.json`` and, where it holds numbers, ``features.safetensors``."""
    from safetensors.numpy import save

    write_json(folder / _STATE, source.to_dict())
    arrays = {name: np.ascontiguousarray(array) for name, array in source.arrays().items()}
    if arrays:
        (folder / _ARRAYS).write_bytes(save(arrays))


def read_source(folder: Path) -> FeatureSource:
    """The source whose files lie in a folder.

    Raises:
        InputError: If one is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        state: dict[str, Any] = read_json(folder / _STATE)
        arrays = load_file(folder / _ARRAYS) if (folder / _ARRAYS).is_file() else {}
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the features of the run in {folder}: {error}") from error
    try:
        return restore_source(state, arrays)
    except InputError as error:
        raise InputError(f"{folder / _STATE} is damaged: {error}") from error

"""Sources of features by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from noiselayer.errors import InputError, nearest
from noiselayer.features.patches import PatchFeatures
from noiselayer.features.source import FeatureSource
from noiselayer.features.text import TextFeatures


class Kind(NamedTuple):
    """How a source of one kind is made for samples, and made again from what a folder holds."""

    make: Callable[[str, Sequence[Any]], FeatureSource]
    restore: Callable[[Mapping[str, Any], Mapping[str, npt.NDArray[Any]]], FeatureSource]


KINDS: dict[str, Kind] = {
    "tfidf": Kind(lambda name, samples: TextFeatures.fit(samples), TextFeatures.from_dict),
    "patches": Kind(lambda name, samples: PatchFeatures.fit(samples), PatchFeatures.from_dict),
}
"""What stands before the colon of a name -> how to get it. Add your own and every way in knows it."""


def make_source(name: str, samples: Sequence[Any]) -> FeatureSource:
    """The source of that name; one that learns from samples (not from labels) is fitted to these.

    Raises:
        InputError: If there is none of that name, or the samples do not suit it.

    >>> make_source("tfidf", ["a red apple", "a green apple", "a red pear"]).transform(["red", "red"]).shape
    (2, 3)
    >>> make_source("tfid", [])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there are no features 'tfid'. Did you mean 'tfidf'? Known are tfidf, patches...
    """
    return _kind(name).make(name, samples)


def restore_source(state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> FeatureSource:
    """The source that ``to_dict`` and ``arrays`` describe.

    >>> source = make_source("tfidf", ["a red apple", "a green apple", "a red pear"])
    >>> again = restore_source(source.to_dict(), source.arrays())
    >>> bool((again.transform(["green pear"]) == source.transform(["green pear"])).all())
    True
    """
    try:
        return _kind(state["name"]).restore(state, arrays)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"this is not the state of a source of features: {error!r}.") from error


def _kind(name: str) -> Kind:
    kind = name.partition(":")[0]
    if kind not in KINDS:
        known = [key if key in ("tfidf", "patches") else f"{key}:NAME" for key in KINDS]
        raise InputError(
            f"there are no features {name!r}.{nearest(kind, KINDS)} Known are {', '.join(known)}."
        )
    return KINDS[kind]

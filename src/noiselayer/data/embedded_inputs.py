"""Texts as they are read, and samples as the features that a source makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.image_files import ImageFileInputs
from noiselayer.data.inputs import Indices, Inputs, Kind, SubsetInputs
from noiselayer.data.labeled import LabeledData
from noiselayer.data.names import RowNumbers
from noiselayer.errors import InputError, argument
from noiselayer.features.by_name import make_source
from noiselayer.features.source import FeatureSource


class TextInputs(Inputs):
    """Texts that have not been turned into numbers yet.

    >>> TextInputs(["good", "bad"]).ids
    ('0', '1')
    """

    kind: Kind = "text"
    shape = ()
    dtype = torch.float32

    def __init__(self, texts: Sequence[str], *, ids: Sequence[str] | None = None) -> None:
        self.texts = list(texts)
        self.ids = RowNumbers(len(self.texts)) if ids is None else tuple(ids)

    def __getitems__(self, indices: Indices) -> Tensor:
        raise InputError("texts are no numbers; make features of them first, with embed='tfidf'.")


class EmbeddedInputs(ArrayInputs):
    """Samples as features, float32, with the source that makes such features of others.

    Args:
        samples: What the source takes: texts, paths of images, or images of shape (H, W, C).
        encoder: The source.
        ids: A name per sample; row numbers counted from 0 if None.
        features: Theirs, where they have been made already.

    >>> texts = ["a red apple", "a green apple", "a red pear"]
    >>> EmbeddedInputs(texts, make_source("tfidf", texts)).shape
    (3,)
    """

    def __init__(
        self,
        samples: Any,
        encoder: FeatureSource,
        *,
        ids: Sequence[str] | None = None,
        features: Any = None,
    ) -> None:
        features = encoder.transform(samples) if features is None else features
        super().__init__(features, ids=ids, name=f"features {encoder.name}")
        self.kind = "embedded"
        self.samples = samples
        self.encoder = encoder


def embed_inputs(data: LabeledData, name: str, encoder: FeatureSource | None = None) -> LabeledData:
    """The same samples and labels with features in the place of texts or images.

    Args:
        data: Texts or images with their labels.
        name: Of the source, see :func:`noiselayer.features.make_source`.
        encoder: That of the samples that a model was trained on; the source is made anew if None.
    """
    inputs = data.inputs
    base = inputs.base if isinstance(inputs, SubsetInputs) else inputs
    samples, what = _samples(base)
    source = make_source(name, samples) if encoder is None else encoder
    if source.takes not in (what, "anything"):
        raise InputError(f"the features {source.name} are of {source.takes}; {data.origin} holds {what}.")
    embedded: Inputs = EmbeddedInputs(samples, source, ids=base.ids)
    if isinstance(inputs, SubsetInputs):
        embedded = SubsetInputs(embedded, inputs.indices)
    return replace(data, inputs=embedded)


def _samples(inputs: Inputs) -> tuple[Sequence[Any], str]:
    """What a source takes, and its name in words."""
    if isinstance(inputs, TextInputs):
        return inputs.texts, "texts"
    if isinstance(inputs, ImageFileInputs):
        return inputs.paths, "images"
    if inputs.kind == "image":
        return Pixels(inputs), "images"
    raise InputError(
        f"features are made of texts or of images; these are samples of shape {tuple(inputs.shape)} that are "
        f"neither. Leave out {argument('embed')}."
    )


class Pixels(Sequence[Any]):
    """Images of an array one by one, shape (H, W, C).

    >>> Pixels(ArrayInputs(torch.zeros(5, 8, 8)))[0].shape
    (8, 8, 1)
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> Any:
        return self.inputs[index].permute(1, 2, 0).contiguous().numpy()

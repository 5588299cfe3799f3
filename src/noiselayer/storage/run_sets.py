"""The sets of samples that a run is made of: noisy, clean, from outside the classes, and for the test."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.choices import Overlapping
from noiselayer.data import ImageFileInputs, LabeledData, check_for_training
from noiselayer.data.inputs import SubsetInputs
from noiselayer.data.reading import Reading, fingerprint, table_encoder
from noiselayer.errors import InputError, argument
from noiselayer.training.set_checks import check_clean, check_like

_IN_MEMORY = 2 << 30  # bytes of decoded images that are kept instead of read again in every epoch


@dataclass(frozen=True)
class RunSets:
    """What was read: ``noisy`` is without the ``dropped`` samples in ``clean`` too; ``outside`` has no labels."""

    noisy: LabeledData
    clean: LabeledData | None = None
    outside: LabeledData | None = None
    test: LabeledData | None = None
    dropped: int = 0

    def rows(self) -> npt.NDArray[np.int64]:
        """Where each of the noisy samples stood in what was read, counted from 0."""
        inputs = self.noisy.inputs
        return inputs.indices if isinstance(inputs, SubsetInputs) else np.arange(len(inputs))

    def summary(self) -> str:
        """All sets that are trained on, in words, a line each."""
        lines = [self.noisy.summary()]
        if self.dropped:
            lines.append(f"{self.dropped:,} noisy samples that stand in the clean set too are left out.")
        if self.clean is not None:
            lines.append(f"Clean: {self.clean.summary()}")
        if self.outside is not None:
            lines.append(f"Outside the classes: {self.outside.summary()}")
        return "\n".join(lines)

    def identity(self) -> dict[str, Any]:
        """What tells these sets from others, as plain types."""
        named = {"data": self.noisy, "clean": self.clean, "outside": self.outside}
        return {
            name: None if data is None else {"samples": len(data), "fingerprint": fingerprint(data)}
            for name, data in named.items()
        }


def read_sets(
    reading: Reading,
    *,
    clean: str | None = None,
    clean_labels: str | None = None,
    outside: str | None = None,
    overlapping: Overlapping = "error",
    test: str | None = None,
    test_labels: str | None = None,
) -> RunSets:
    """Read all sets and check that they fit together; the other sets are read as the noisy one is."""
    for labels, data, name in ((clean_labels, clean, "clean"), (test_labels, test, "test")):
        if labels is not None and data is None:
            raise InputError(f"--{name}-labels says where the labels of --{name} are; give that too.")
    if overlapping == "drop" and clean is None:
        raise InputError(
            f"{argument('overlapping', 'drop')} is about samples of a clean set, and there is none; give "
            f"{argument('clean')}."
        )
    noisy = _in_memory(reading.read())
    check_for_training(noisy)
    total, trusted = len(noisy), None
    if clean is not None:
        trusted = _in_memory(_read_like(reading, noisy, clean, "clean", labels=clean_labels))
        noisy = check_clean(noisy, trusted, overlapping=overlapping)
        check_for_training(noisy)
    return RunSets(
        noisy,
        trusted,
        None
        if outside is None
        else _in_memory(_read_like(reading, noisy, outside, "outside", with_labels=False)),
        None if test is None else _read_like(reading, noisy, test, "test", labels=test_labels),
        dropped=total - len(noisy),
    )


def _read_like(
    reading: Reading,
    noisy: LabeledData,
    path: str,
    name: str,
    *,
    labels: str | None = None,
    with_labels: bool = True,
) -> LabeledData:
    """Another set for the same model."""
    image = noisy.inputs.kind == "image"
    other = reading.like_this(
        path,
        class_names=noisy.class_names,
        image_size=(noisy.inputs.shape[1], noisy.inputs.shape[2]) if image else None,
        labels=labels,
    )
    try:
        data = other.read(encoder=table_encoder(noisy.inputs), with_labels=with_labels)
    except InputError as error:
        raise InputError(f"the {name} set {path}: {error}") from error
    check_like(noisy.inputs, data.inputs, name)
    return data


def _in_memory(data: LabeledData) -> LabeledData:
    """Images that fit are decoded once and not in every epoch."""
    inputs = data.inputs
    images = inputs.base if isinstance(inputs, SubsetInputs) else inputs
    if not isinstance(images, ImageFileInputs) or len(images) * math.prod(images.shape) > _IN_MEMORY:
        return data
    kept = images.in_memory()
    return replace(
        data, inputs=SubsetInputs(kept, inputs.indices) if isinstance(inputs, SubsetInputs) else kept
    )

"""The sets of samples that a run is made of: noisy, clean, from outside the classes, and for the test."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from noiselayer.choices import Overlapping
from noiselayer.data import ImageFileInputs, LabeledData, check_for_training
from noiselayer.data.inputs import SubsetInputs
from noiselayer.data.reading import Reading, encoder_of, fingerprint
from noiselayer.data.splits import overlap
from noiselayer.errors import InputError, MissingColumnError, UnknownClassError, argument
from noiselayer.training.set_checks import check_clean, check_like

_IN_MEMORY = 2 << 30  # bytes of decoded images that are kept instead of read again in every epoch


@dataclass(frozen=True)
class RunSets:
    """What was read: ``noisy`` is without the ``dropped`` samples in ``clean`` too; ``outside`` has no labels.

    ``clean_given`` are the noisy labels that the clean samples have too, shape (len(clean),), -1 of one that
    has none; None if none has.
    """

    noisy: LabeledData
    clean: LabeledData | None = None
    outside: LabeledData | None = None
    test: LabeledData | None = None
    dropped: int = 0
    clean_given: Tensor | None = None

    def summary(self) -> str:
        """All sets that are trained on, in words, a line each."""
        lines = [self.noisy.summary()]
        if self.dropped:
            lines.append(f"{self.dropped:,} noisy samples that stand in the clean set too are left out.")
        if self.clean is not None:
            lines.append(f"Clean: {self.clean.summary()}")
        if self.clean is not None and self.clean_given is not None:
            labelled = self.clean_given >= 0
            wrong = int((self.clean_given != self.clean.given)[labelled].sum())
            pairs, alone = int(labelled.sum()), int((~labelled).sum())
            texts = [f"Of {pairs:,} labels that have been checked, {wrong:,} were wrong."] if pairs else []
            texts += [f"{alone:,} clean samples have no noisy label."] if alone else []
            lines.append(" ".join(texts))
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
    checked_apart: bool = True,
) -> RunSets:
    """Read all sets and check that they fit together; the other sets are read as the noisy one is.

    With ``checked_apart``, samples whose labels have been checked are the clean set; else they stay where they are.
    """
    for labels, data, name in ((clean_labels, clean, "clean"), (test_labels, test, "test")):
        if labels is not None and data is None:
            raise InputError(f"--{name}-labels says where the labels of --{name} are; give that too.")
    if overlapping == "drop" and clean is None:
        raise InputError(
            f"{argument('overlapping', 'drop')} is about samples of a clean set, and there is none; give "
            f"{argument('clean')}."
        )
    if clean is not None and reading.checked_column is not None:
        raise InputError(
            f"{argument('clean')} and {argument('checked_column')} both bring trusted labels; give one of them."
        )
    noisy = _in_memory(reading.read())
    check_for_training(noisy, complete=False)
    apart = None
    if noisy.of_test is not None and checked_apart:
        if test is not None:
            raise InputError(
                f"{argument('split_column')} and {argument('test')} both say what the test is; give one of them."
            )
        noisy, apart = take_test(noisy)
    trusted = given = None
    if noisy.checked is not None and checked_apart:
        noisy, trusted, given = take_checked(noisy)
        if not len(noisy):
            raise InputError(
                f"every label of {noisy.origin} has been checked; train on the checked ones alone."
            )
    total = len(noisy)
    if trusted is not None:
        noisy = check_clean(noisy, trusted, overlapping="drop")
    if clean is not None:
        trusted = _in_memory(_read_like(reading, noisy, clean, "clean", labels=clean_labels))
        everything, noisy = noisy, check_clean(noisy, trusted, overlapping=overlapping)
        if len(noisy) < total:  # what was left out has two labels, and these say what the noise is like
            of_noisy, of_clean = overlap(everything, trusted).T
            given = torch.full((len(trusted),), -1).index_put((of_clean,), everything.given[of_noisy])
    check_for_training(noisy, clean=trusted)
    return RunSets(
        noisy,
        trusted,
        None
        if outside is None
        else _in_memory(_read_like(reading, noisy, outside, "outside", with_labels=False)),
        apart if test is None else _read_like(reading, noisy, test, "test", labels=test_labels),
        dropped=total - len(noisy),
        clean_given=given,
    )


def take_test(data: LabeledData) -> tuple[LabeledData, LabeledData]:
    """The samples to train on, and those set apart for the test, with their checked labels where there are some.

    >>> import numpy as np
    >>> from noiselayer.data import from_arrays
    >>> data = replace(from_arrays(np.eye(3), [0, 1, 1]), of_test=torch.tensor([False, True, False]))
    >>> [len(part) for part in take_test(data)]
    [2, 1]
    """
    assert data.of_test is not None
    test = data.subset(data.of_test.nonzero().flatten())
    if test.checked is not None and bool((test.checked >= 0).any()):
        test = test.subset((test.checked >= 0).nonzero().flatten())
        test = replace(test, labels=test.checked)
    rest = data.subset((~data.of_test).nonzero().flatten())
    return replace(rest, of_test=None), replace(
        test,
        checked=None,
        only_checked=None,
        of_test=None,
        annotators=None,
        annotator_names=(),
        origin=f"the test rows of {data.origin}",
    )


def take_checked(data: LabeledData) -> tuple[LabeledData, LabeledData, Tensor]:
    """The samples that nobody has checked, those that have been with what was found, and these ones' noisy labels.

    The noisy label of a sample that has none is -1.

    >>> import numpy as np
    >>> from noiselayer.data import from_arrays
    >>> data = replace(from_arrays(np.eye(3), [0, 1, 1]), checked=torch.tensor([-1, 0, 1]))
    >>> noisy, clean, given = take_checked(data)
    >>> noisy.labels, clean.labels, given
    (tensor([0]), tensor([0, 1]), tensor([1, 1]))
    """
    assert data.checked is not None
    known = data.checked >= 0
    given = data.given if data.only_checked is None else data.given.masked_fill(data.only_checked, -1)
    clean = data.subset(known.nonzero().flatten())
    clean = replace(
        clean, labels=clean.checked, checked=None, only_checked=None, annotators=None, annotator_names=()
    )
    return (
        replace(data.subset((~known).nonzero().flatten()), checked=None, only_checked=None),
        replace(clean, origin=f"the checked rows of {data.origin}"),
        given[known],
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
        data = other.read(encoder=encoder_of(noisy.inputs), with_labels=with_labels)
    except InputError as error:
        hint = ""
        if (
            isinstance(error, MissingColumnError)
            and with_labels
            and labels is None
            and error.column == reading.label_column
        ):
            hint = f" Its labels' own column is named with --{name}-labels."
        if isinstance(error, UnknownClassError) and name == "clean":
            hint = f" Mend it, or name all classes with {argument('class_names')} if it is one that no label names."
        raise InputError(f"the {name} set {path}: {error.args[0]}{hint}") from error
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

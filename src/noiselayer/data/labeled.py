"""Inputs with the labels that somebody gave them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.arrays.class_labels import is_missing
from noiselayer.choices import Layout
from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.inputs import Indices, Inputs, SubsetInputs
from noiselayer.data.labels import check_class_names, encode_labels, rename_labels
from noiselayer.data.no_answer import as_checked, renamed, signs_beside, without_answer
from noiselayer.errors import InputError, argument, list_some

_LISTED_CLASSES = 20
_PER_SAMPLE = ("labels", "annotators", "checked", "only_checked", "of_test")


@dataclass(frozen=True, eq=False)
class LabeledData:
    """Inputs, their labels (right or wrong, or none at all), and where they came from.

    Attributes:
        inputs: The N samples.
        labels: Shape (N,), int64, class indices 0..K-1; None for samples without labels.
        class_names: The K names; may be empty if there are no labels.
        origin: In words: the files, keys and columns that were read.
        skipped: Names of the samples left out because they could not be read.
        annotators: Shape (N,), int64, who gave each label, an index of ``annotator_names``; None if that is not
            known.
        annotator_names: The S names of annotators, versions of a prompt, web sites, rules.
        unlabelled: How many samples were left out because they have no label.
        checked: Shape (N,), int64, the class that somebody who is trusted has found, -1 where nobody has looked; None
            if nobody has looked at any.
        only_checked: Shape (N,), bool, the samples that have no label but the checked one, which ``labels`` then holds;
            None if there are none.
        of_test: Shape (N,), bool, the samples that a column of the data has set apart for the test; None without one.

    Raises:
        InputError: If labels and inputs differ in number, a label or the annotator of one is out of range, or two
            classes share a name.

    >>> data = from_arrays(np.eye(3), [0, 1, 1], class_names=["cat", "dog"])
    >>> data.num_classes, data.subset([2, 0]).labels
    (2, tensor([1, 0]))
    """

    inputs: Inputs
    labels: Tensor | None
    class_names: tuple[str, ...]
    origin: str
    skipped: tuple[str, ...] = field(default=())
    annotators: Tensor | None = None
    annotator_names: tuple[str, ...] = ()
    unlabelled: int = 0
    checked: Tensor | None = None
    only_checked: Tensor | None = None
    of_test: Tensor | None = None

    def __post_init__(self) -> None:
        if self.labels is None:
            return
        check_class_names(self.class_names)
        if self.labels.shape != (len(self.inputs),):
            raise InputError(
                f"labels must be one per sample: {self.origin} has {len(self.inputs):,} inputs, but "
                f"{len(self.labels):,} labels."
            )
        if self.labels.dtype != torch.int64:
            raise InputError(
                f"labels must be int64 class indices; got {self.labels.dtype}. Use encode_labels."
            )
        if len(self.labels) and not (
            int(self.labels.min()) >= 0 and int(self.labels.max()) < self.num_classes
        ):
            raise InputError(
                f"labels must lie in 0..{self.num_classes - 1} for {self.num_classes} classes; got "
                f"{int(self.labels.min())}..{int(self.labels.max())}."
            )
        if self.annotators is not None:
            _check_annotators(self.annotators, len(self.labels), len(self.annotator_names))

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def num_classes(self) -> int:
        """K, the number of class names."""
        return len(self.class_names)

    @property
    def given(self) -> Tensor:
        """The labels of samples that have some, shape (N,)."""
        assert self.labels is not None
        return self.labels

    def counts(self) -> Tensor:
        """How many samples carry each label, shape (K,); zeros without labels."""
        labels = torch.empty(0, dtype=torch.int64) if self.labels is None else self.labels
        return torch.bincount(labels, minlength=self.num_classes)

    def subset(self, indices: Indices) -> LabeledData:
        """The samples at ``indices``, in that order, with their labels; nothing is copied but the labels.

        Raises:
            InputError: If an index is out of range.
        """
        inputs = SubsetInputs(self.inputs, indices)
        at = torch.as_tensor(np.asarray(indices, dtype=np.int64))
        whole = {name: getattr(self, name) for name in _PER_SAMPLE}
        chosen: dict[str, Any] = {k: None if values is None else values[at] for k, values in whole.items()}
        return replace(self, inputs=inputs, **chosen)

    def with_annotators(
        self, annotators: npt.NDArray[Any] | Tensor | Sequence[Any], where: str
    ) -> LabeledData:
        """The same samples and labels, with who gave each label.

        Args:
            annotators: Shape (N,), their names or numbers; None, NaN and "" are refused.
            where: What they were read from, for messages.

        Raises:
            InputError: If there is not one annotator per label, or one is missing.

        >>> data = from_arrays(np.eye(3), [0, 1, 1]).with_annotators(["ann", "bob", "ann"], "a doctest")
        >>> data.annotator_names, data.annotators
        (('ann', 'bob'), tensor([0, 1, 0]))
        """
        # A list as it is: beside texts NumPy would make the text "nan" of a gap.
        values = np.asarray(annotators, dtype=object if isinstance(annotators, list | tuple) else None)
        if values.shape != (len(self),):
            raise InputError(
                f"there must be one annotator per label: {self.origin} has {len(self):,} samples, {where} has shape "
                f"{values.shape}."
            )
        gaps = [row for row, value in enumerate(values.tolist()) if is_missing(value) or value == ""]
        if gaps:
            raise InputError(
                f"{where} has no annotator in {len(gaps):,} rows ({list_some(gaps)}, counting from 0). Give those "
                "labels an annotator of their own, such as 'unknown'."
            )
        try:
            names, codes = np.unique(values, return_inverse=True)
        except TypeError as error:
            kinds = sorted({type(value).__name__ for value in values.tolist()})
            raise InputError(
                f"{where} must be of one type that sorts; got {list_some(kinds)}. Make texts of them."
            ) from error
        return replace(
            self,
            annotators=torch.from_numpy(codes.astype(np.int64)),
            annotator_names=tuple(map(str, names.tolist())),
        )

    def summary(self) -> str:
        """The data in words: how many samples of what, from where, and how many of every class.

        >>> print(from_arrays(np.eye(3), [0, 1, 1], class_names=["cat", "dog"], origin="a doctest").summary())
        3 vectors of 3 numbers from a doctest. 2 classes: cat 1, dog 2.
        """
        N, shape = len(self), self.inputs.shape
        size = {
            "image": f"{N:,} images of {' x '.join(map(str, shape))} (channels, height, width)",
            "table": f"{N:,} rows of {math.prod(shape):,} encoded features",
            "vector": f"{N:,} vectors of {math.prod(shape):,} numbers",
            "label": f"{N:,} labels",
            "text": f"{N:,} texts",
            "embedded": f"{N:,} samples of {math.prod(shape):,} features",
        }[self.inputs.kind]
        skipped = f" {len(self.skipped):,} unreadable skipped." if self.skipped else ""
        if self.unlabelled:
            skipped += f" {self.unlabelled:,} without a label left out."
        if self.checked is not None:
            alone = 0 if self.only_checked is None else int(self.only_checked.sum())
            skipped += f" {int((self.checked >= 0).sum()):,} of them have been checked"
            skipped += f", {alone:,} of these have no other label." if alone else "."
        return f"{size} from {self.origin}.{skipped} {self._classes()}{self._annotators()}"

    def _annotators(self) -> str:
        if self.annotators is None:
            return ""
        counts = torch.bincount(self.annotators, minlength=len(self.annotator_names)).tolist()
        of = [f"{name} {count:,}" for name, count in zip(self.annotator_names, counts, strict=True)]
        return f" {len(of)} annotators: {list_some(of, _LISTED_CLASSES)}."

    def _classes(self) -> str:
        if self.labels is None:
            return "No labels."
        counts = self.counts().tolist()
        named = sorted(zip(counts, self.class_names, strict=True))
        if len(counts) <= _LISTED_CLASSES:
            listed = ", ".join(
                f"{name} {count:,}" for name, count in zip(self.class_names, counts, strict=True)
            )
            return f"{len(counts)} classes: {listed}."
        (fewest, rare), (most, common) = named[0], named[-1]
        if fewest == most:
            return f"{len(counts):,} classes of {most:,} samples each."
        text = f"{len(counts):,} classes of {fewest:,} ({rare}) to {most:,} ({common}) samples."
        empty = [name for count, name in named if count == 0]
        return text + (f" No samples of {list_some(empty)}." if empty else "")


def from_arrays(
    inputs: npt.NDArray[Any] | Tensor,
    labels: npt.NDArray[Any] | Tensor | Sequence[Any] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    layout: Layout = "auto",
    origin: str = "arrays in memory",
) -> LabeledData:
    """Labelled data from arrays.

    Args:
        inputs: See :class:`~noiselayer.data.array_inputs.ArrayInputs`.
        labels: See :func:`~noiselayer.data.labels.encode_labels`; None for none.
        class_names: The K names, if the labels are indices or a subset of them.
        layout: "NHWC", "NCHW" or "auto".
        origin: Where they came from, in words.

    Raises:
        InputError: If inputs or labels are unfit, or their numbers differ.

    >>> from_arrays(np.zeros((2, 8, 8)), ["no", "yes"]).class_names
    ('no', 'yes')
    """
    array = ArrayInputs(inputs, layout=layout)
    if labels is None:
        return LabeledData(array, None, tuple(class_names or ()), origin)
    indices, names = encode_labels(labels, class_names)
    return LabeledData(array, indices, names, origin)


def label_inputs(
    inputs: Inputs,
    values: npt.NDArray[Any],
    class_names: Sequence[str] | None,
    *,
    own_names: Sequence[str] | None = None,
    annotators: tuple[npt.NDArray[Any], str] | None = None,
    checked: tuple[npt.NDArray[Any], str] | None = None,
    of_test: npt.NDArray[np.bool_] | None = None,
    origin: str,
    where: str,
    skipped: tuple[str, ...] = (),
) -> LabeledData:
    """Inputs with the labels that were read for them; samples without a label are left out, with a warning.

    Those that have a checked label alone stay, but for data with annotators: nobody has given them a label.
    ``own_names`` are what the file has for its labels, ``class_names`` what the caller wants; ``annotators`` says
    who gave each label, ``checked`` what it was found to be, and where that was read; ``of_test`` what is set apart.
    """
    if np.ndim(values) == 0:
        raise InputError(f"there must be one label per sample: {where} holds a single value.")
    if len(values) != len(inputs):
        header = (
            " The first line of a .csv file is its header, not a label."
            if len(values) == len(inputs) - 1 and where.lower().endswith((".csv", ".tsv"))
            else ""
        )
        raise InputError(
            f"there must be one label per sample: {origin} has {len(inputs):,} samples, {where} "
            f"{len(values):,} labels.{header}"
        )
    names = class_names if own_names is None else own_names
    if own_names is None:
        values = without_answer(values, class_names, None if checked is None else checked[0])
        values = values if checked is None else as_checked(values, class_names, checked[0])
    labels, known = encode_labels(values, names, name=f"labels ({where})", allow_missing=True)
    found = None if checked is None else _encode_checked(*checked, known, len(labels))
    if own_names is not None and class_names is not None:
        labels = rename_labels(labels, known, class_names)
        found = None if found is None else rename_labels(found, known, class_names)
        known = tuple(class_names)
    alone = torch.zeros(len(labels), dtype=torch.bool)
    if found is not None and annotators is None:
        alone = (labels < 0) & (found >= 0)
        labels = torch.where(alone, found, labels)
    rows = (labels >= 0).nonzero().flatten()
    unlabelled = len(labels) - len(rows)
    if unlabelled:
        lost = 0 if found is None else int((found[labels < 0] >= 0).sum())
        more = f"; {lost:,} of them have been checked, but have no annotator" if lost else ""
        warnings.warn(
            f"{unlabelled:,} of {len(labels):,} samples have no label in {where} and are left out{more}.",
            stacklevel=2,
        )
        inputs, labels = SubsetInputs(inputs, rows), labels[rows]
        found, alone = None if found is None else found[rows], alone[rows]
    data = LabeledData(
        inputs,
        labels,
        known,
        f"{origin}, labels from {where}",
        skipped,
        unlabelled=unlabelled,
        checked=found,
        only_checked=alone if bool(alone.any()) else None,
        of_test=None if of_test is None else torch.from_numpy(of_test)[rows],
    )
    return data if annotators is None else data.with_annotators(annotators[0][rows.numpy()], annotators[1])


def _encode_checked(
    values: npt.NDArray[Any], where: str, class_names: Sequence[str], num_labels: int
) -> Tensor:
    """Class indices, -1 where nobody has looked: an empty cell, NaN, or a sign for it that is no class."""
    signs = signs_beside(class_names) - set(class_names)
    if values.dtype.kind == "i" and "-1" in signs:
        values = np.where(values == -1, np.nan, values)
    elif values.dtype.kind in "OU" and (silent := signs & {str(one) for one in values}):
        values = renamed(values, dict.fromkeys(silent, ""))
    if len(values) != num_labels:
        raise InputError(f"{where} must be as long as the labels, {num_labels:,}; it holds {len(values):,}.")
    try:
        found, _ = encode_labels(values, class_names, name=f"checked labels ({where})", allow_missing=True)
    except InputError as error:
        raise InputError(
            f"{error.args[0]} Mend it, or name all classes with {argument('class_names')} if it is one."
        ) from error
    if not bool((found >= 0).any()):
        raise InputError(
            f"{where} is empty: no label has been checked. Leave out {argument('checked_column')}."
        )
    return found


def _check_annotators(annotators: Tensor, num_labels: int, num_annotators: int) -> None:
    if annotators.shape != (num_labels,) or annotators.dtype != torch.int64:
        raise InputError(
            f"annotators must be int64, one per label, shape ({num_labels},); got {annotators.dtype} of shape "
            f"{tuple(annotators.shape)}."
        )
    if num_labels and not (int(annotators.min()) >= 0 and int(annotators.max()) < num_annotators):
        raise InputError(
            f"annotators must lie in 0..{num_annotators - 1} for {num_annotators} annotator names; got "
            f"{int(annotators.min())}..{int(annotators.max())}."
        )


def check_for_training(data: LabeledData, *, complete: bool = True, clean: LabeledData | None = None) -> None:
    """Raise an error if a classifier cannot be trained on ``data``.

    Args:
        data: Samples and labels.
        complete: Whether every class must have a sample.
        clean: Trusted samples of the same classes, which count as well there.

    Raises:
        InputError: If there are no labels, all are of one class, there are fewer samples than classes, or a
            class has no sample.

    >>> check_for_training(from_arrays(np.eye(3), [0, 1, 1], class_names=["cat", "dog", "bird"]))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: class 'bird' has no samples in arrays in memory. Leave it out of
    class_names, or add samples of it.
    """
    if data.labels is None:
        raise InputError(f"training needs labels, and {data.origin} has none.")
    counts = data.counts()
    present = [data.class_names[index] for index in counts.nonzero().flatten().tolist()]
    if len(present) == 1:
        raise InputError(
            f"all {len(data):,} labels in {data.origin} are of one class, {present[0]!r}; a classifier needs "
            "at least two."
        )
    if len(data) < data.num_classes:
        raise InputError(
            f"{data.origin} has fewer samples ({len(data)}) than classes ({data.num_classes}); every class "
            "needs at least one."
        )
    if int(counts.max()) == 1 and len(data) > _LISTED_CLASSES:
        raise InputError(
            f"each of the {data.num_classes:,} classes in {data.origin} has one sample only, as identifiers have; "
            "nothing can be learned from that. Name the column of labels that you mean."
        )
    if clean is not None:
        counts = counts + clean.counts()
    absent = [name for name, n in zip(data.class_names, counts.tolist(), strict=True) if n == 0]
    if absent and complete:
        one = len(absent) == 1
        which = f"class {absent[0]!r} has" if one else f"classes {list_some(map(repr, absent))} have"
        it = "it" if one else "them"
        raise InputError(
            f"{which} no samples in {data.origin}. Leave {it} out of class_names, or add samples of {it}."
        )

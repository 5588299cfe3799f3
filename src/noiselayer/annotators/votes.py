"""Who said what of which sample: a list of votes, from a table of labels or in long form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.class_labels import MISSING, class_numbers
from noiselayer.arrays.kinds import check_count
from noiselayer.arrays.tensors import as_tensor


@dataclass(frozen=True, eq=False)
class Votes:
    """M labels of N samples by S annotators.

    Attributes:
        samples: Shape (M,), positions of samples, from 0.
        annotators: Shape (M,), numbers of annotators, from 0.
        labels: Shape (M,), classes.
        num_samples: N.
        num_annotators: S.
        num_classes: K.
    """

    samples: Tensor
    annotators: Tensor
    labels: Tensor
    num_samples: int
    num_annotators: int
    num_classes: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows(self) -> Tensor:
        """Shape (M,), ``annotator K + label``: the row of all matrices below one another that a vote needs."""
        return self.annotators * self.num_classes + self.labels

    @property
    def per_annotator(self) -> Tensor:
        """Shape (S,), how many labels every annotator has given."""
        return torch.bincount(self.annotators, minlength=self.num_annotators)

    def tally(self) -> Tensor:
        """Shape (N, K), how often each sample was given each label, float64."""
        flat = self.samples * self.num_classes + self.labels
        counts = torch.bincount(flat, minlength=self.num_samples * self.num_classes)
        return counts.reshape(self.num_samples, self.num_classes).double()


def votes_of(
    labels: Any,
    annotators: Any = None,
    samples: Any = None,
    *,
    num_classes: int | None = None,
    num_annotators: int | None = None,
    num_samples: int | None = None,
) -> Votes:
    """Votes from a table of labels, or from a list of them.

    Args:
        labels: Shape (N, S), a column per annotator. Or shape (M,), one label after another, with ``annotators``.
            -1, None or NaN where there is none.
        annotators: Shape (M,), which annotator gave each label, integers from 0.
        samples: Shape (M,), of which sample, integers from 0; the m-th label is of the m-th sample if None.
        num_classes: K; the largest label and one if None.
        num_annotators: S; the largest number and one if None.
        num_samples: N; the largest number and one if None.

    Raises:
        TypeError: If numbers are not integers.
        ValueError: If shapes do not fit, there are no labels, or a number is out of range.

    >>> votes = votes_of(torch.tensor([[0, 1], [-1, 1]]))
    >>> votes.samples, votes.annotators, votes.labels
    (tensor([0, 0, 1]), tensor([0, 1, 1]), tensor([0, 1, 1]))
    """
    labels = class_numbers(labels, "labels", missing=True).cpu()
    given = labels != MISSING
    if labels.ndim == 2:
        if annotators is not None or samples is not None:
            raise ValueError(
                "labels of shape (N, S) has a column per annotator already; leave annotators and samples out, or give "
                "labels of shape (M,)."
            )
        N, S = labels.shape
        if num_samples not in (None, N) or num_annotators not in (None, S):
            raise ValueError(
                f"labels has shape ({N}, {S}), a row per sample and a column per annotator, but num_samples is "
                f"{num_samples} and num_annotators {num_annotators}."
            )
        sample, annotator = given.nonzero(as_tuple=True)
        num_samples, num_annotators, label = N, S, labels[given]
    elif labels.ndim == 1:
        if annotators is None:
            raise ValueError(
                "labels of shape (M,) needs annotators of shape (M,), who gave each; for one annotator of all of them "
                "torch.zeros_like(labels)."
            )
        annotator = _integers(annotators, "annotators")
        sample = torch.arange(len(labels)) if samples is None else _integers(samples, "samples")
        for name, numbers in (("annotators", annotator), ("samples", sample)):
            if numbers.shape != labels.shape:
                raise ValueError(
                    f"{name} must have shape ({len(labels)},), one per label; got {tuple(numbers.shape)}."
                )
        num_samples, num_annotators = (
            _size(sample, num_samples, "samples"),
            _size(annotator, num_annotators, "annotators"),
        )
        sample, annotator, label = sample[given], annotator[given], labels[given]
    else:
        raise ValueError(
            f"labels must have shape (N, S), a column per annotator, or (M,) with annotators; got "
            f"{tuple(labels.shape)}."
        )
    if not len(label):
        raise ValueError("labels holds none: every entry is -1, or the list is empty.")
    K = _size(label, num_classes, "labels")
    if K < 2:
        raise ValueError("labels are all of class 0: say how many classes there are, num_classes=.")
    return Votes(sample, annotator, label, num_samples, num_annotators, K)


def _integers(values: Any, name: str) -> Tensor:
    tensor = as_tensor(values, name)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name} must be integers from 0; got {tensor.dtype}.")
    return tensor.long().cpu()


def _size(numbers: Tensor, given: int | None, name: str) -> int:
    if given is not None:
        check_count(given, "num_classes" if name == "labels" else f"num_{name}")
    low, high = (int(n) for n in numbers.aminmax()) if numbers.numel() else (0, -1)
    if low < 0 or (given is not None and high >= given):
        limit = "up" if given is None else given - 1
        raise ValueError(f"{name} must lie in 0..{limit}; got {low if low < 0 else high}.")
    return high + 1 if given is None else given

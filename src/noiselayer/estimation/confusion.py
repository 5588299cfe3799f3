"""Confusion matrices of a model: from labels or probabilities, at once or batch by batch (§3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_count
from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.estimation.validate import check_labels, check_probs, check_same_samples, listing, to_double


def confusion_matrix(
    given_labels: Any, *, predicted_labels: Any = None, probs: Any = None, num_classes: int | None = None
) -> Any:
    r"""How a model answers on samples of every given label, a column per label (§3.2).

    .. math:: C_{kj} = p(\text{predicted} = k \mid \text{given} = j)

    On trusted labels this is the paper's C*, on noisy ones its C~. Either the model's decisions are counted
    or, with ``probs``, its probabilities averaged. Both serve every method here; probabilities need no
    calibration there and carry more information, so their errors are smaller. In either case the model must
    not have been fitted to these samples: use predictions out of fold where it was.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    scikit-learn and torchmetrics put the given label in *rows*: divide theirs by its row sums and transpose.

    Args:
        given_labels: Shape (N,), integers 0..K-1: true labels for C*, noisy ones for C~.
        predicted_labels: Shape (N,), integers 0..K-1, the model's decisions. Give these or ``probs``.
        probs: Shape (N, K), the model's probabilities (not logits), rows sum to 1.
        num_classes: K. Needed with ``predicted_labels``; with ``probs`` it is their width.

    Returns:
        Shape (K, K), columns sum to 1, in the default floating type; a tensor if an argument was one, else a NumPy
        array.

    Raises:
        TypeError: If labels are not integers or ``probs`` no floating-point tensor.
        ValueError: If a label is out of range, shapes differ, ``probs`` are no probabilities, or a class has
            no sample. :meth:`ConfusionCounts.confusion` can leave such a column empty.

    >>> confusion_matrix(
    ...     torch.tensor([0, 0, 1, 1]), predicted_labels=torch.tensor([0, 1, 1, 1]), num_classes=2
    ... )
    tensor([[0.5000, 0.0000],
            [0.5000, 1.0000]])
    >>> confusion_matrix(torch.tensor([0, 1]), probs=torch.tensor([[0.9, 0.1], [0.4, 0.6]]))
    tensor([[0.9000, 0.4000],
            [0.1000, 0.6000]])
    """
    if num_classes is None:
        if probs is None:
            raise ValueError(
                "num_classes must be given with predicted_labels: the labels may not show all classes."
            )
        shape = as_tensor(probs, "probs").shape
        if not shape:
            raise ValueError("probs must have shape (N, K), a row per sample; got a single number.")
        num_classes = shape[-1]
    counts = ConfusionCounts(num_classes)
    counts.update(given_labels, predicted_labels=predicted_labels, probs=probs)
    matrix = counts.confusion()
    home = given_labels.device if isinstance(given_labels, Tensor) else matrix.device
    return in_kind(matrix.to(home), given_labels, predicted_labels, probs)


def confusion_by_prediction(counts: Tensor) -> Tensor:
    """How often each label stands where a model says i, from ``counts`` (K, K), rows labels, columns predictions.

    A first, blurred guess at Q: the model's own mistakes make its diagonal too small. One count is added to every
    column, half of it on the diagonal: it decides nothing but a column without samples, and no entry is 0.

    >>> confusion_by_prediction(torch.tensor([[3.0, 1.0], [0.0, 5.0]]))
    tensor([[0.9375, 0.1786],
            [0.0625, 0.8214]], dtype=torch.float64)
    """
    # Of thousands of classes in single precision, which halves the memory.
    dtype = torch.float64 if len(counts) <= 2048 else torch.float32
    C = torch.empty(counts.shape, dtype=dtype, device=counts.device).copy_(counts).add_(0.5 / len(counts))
    C.diagonal().add_(0.5)
    return C.div_(C.sum(dim=0))


def confusion_of_predictions(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """:func:`confusion_by_prediction` of labels and predicted classes, both of shape (N,): shape (K, K).

    >>> confusion_of_predictions(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).round(decimals=2)
    tensor([[0.8800, 0.4200],
            [0.1200, 0.5800]], dtype=torch.float64)
    """
    pairs = labels.cpu().long() * num_classes + predictions.cpu()
    counts = torch.bincount(pairs, minlength=num_classes**2)
    return confusion_by_prediction(counts.reshape(num_classes, num_classes))


@dataclass(eq=False)
class ConfusionCounts:
    """The confusion matrix of a stream: add batches, merge workers, read at any time.

    Its state is two tensors of plain sums. So two parts merge by adding them, in one process with
    :meth:`merge`, across processes with ``all_reduce(counts.sums)`` and ``all_reduce(counts.num_samples)``,
    and what was saved can be loaded by giving both to the constructor.

    Args:
        num_classes: K, at least 2.
        sums: Shape (K, K), float64, ``sums[k, j]``: predictions of class k, counted or their probabilities
            added up, over samples with the given label j. Zeros if None.
        num_samples: Shape (K,), int64, the samples with each given label. Zeros if None.

    Raises:
        ValueError: If ``num_classes`` is below 2 or the shapes do not fit.

    >>> first, second = ConfusionCounts(2), ConfusionCounts(2)
    >>> first.update(torch.tensor([0, 0]), predicted_labels=torch.tensor([0, 1]))
    >>> second.update(torch.tensor([1]), predicted_labels=torch.tensor([1]))
    >>> both = first.merge(second)
    >>> both.confusion()
    tensor([[0.5000, 0.0000],
            [0.5000, 1.0000]])
    >>> both.label_frequencies()
    tensor([0.6667, 0.3333])
    """

    num_classes: int
    sums: Tensor = field(default=None)  # type: ignore[assignment]
    num_samples: Tensor = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        K = self.num_classes
        check_count(K, "num_classes", 2)
        self.sums = torch.zeros(K, K, dtype=torch.float64) if self.sums is None else self.sums
        self.num_samples = torch.zeros(K, dtype=torch.int64) if self.num_samples is None else self.num_samples
        if self.sums.shape != (K, K) or self.num_samples.shape != (K,):
            raise ValueError(
                f"sums must have shape ({K}, {K}) and num_samples ({K},) for {K} classes; "
                f"got {tuple(self.sums.shape)} and {tuple(self.num_samples.shape)}."
            )

    def update(self, given_labels: Any, *, predicted_labels: Any = None, probs: Any = None) -> None:
        """Add a batch; arguments and errors are those of :func:`confusion_matrix`."""
        K = self.num_classes
        if (predicted_labels is None) == (probs is None):
            raise ValueError(
                "give either predicted_labels (decisions) or probs (probabilities), not both or none."
            )
        given = check_labels(given_labels, K, name="given_labels")
        if predicted_labels is not None:
            predicted = check_labels(predicted_labels, K, name="predicted_labels")
            check_same_samples(given, predicted, "given_labels and predicted_labels")
            # One histogram over (prediction, label) pairs: no (N, K) table.
            sums = torch.bincount(predicted.to(given.device) * K + given, minlength=K * K).reshape(K, K)
        else:
            probs = check_probs(probs, K, name="probs")
            check_same_samples(given, probs, "given_labels and probs")
            values = to_double(probs)
            sums = values.new_zeros(K, K).index_add_(0, given.to(values.device), values).T
        self.sums += sums.to(self.sums)
        self.num_samples += torch.bincount(given, minlength=K).to(self.num_samples)

    def merge(self, other: ConfusionCounts) -> ConfusionCounts:
        """The counts of both streams, as a new object; ValueError if the numbers of classes differ."""
        if other.num_classes != self.num_classes:
            raise ValueError(f"cannot merge counts of {self.num_classes} and of {other.num_classes} classes.")
        return ConfusionCounts(
            self.num_classes,
            self.sums + other.sums.to(self.sums),
            self.num_samples + other.num_samples.to(self.sums.device),
        )

    def confusion(self, *, allow_absent: bool = False) -> Tensor:
        """The confusion matrix so far, shape (K, K), column = given label, columns sum to 1.

        Args:
            allow_absent: Fill the column of a class without samples with NaN; :func:`estimate_noise_matrix` takes
                such columns in ``noisy_confusion``, for labels that never occur.

        Raises:
            ValueError: If a class has no sample and that is not allowed.
        """
        absent = (self.num_samples == 0).nonzero().flatten().tolist()
        if absent and not allow_absent:
            raise ValueError(
                f"given_labels must have samples of all {self.num_classes} classes; there are none of "
                f"{listing(absent)}. Add some, or leave those classes out."
            )
        return (self.sums / self.num_samples).to(torch.get_default_dtype())

    def label_frequencies(self) -> Tensor:
        """The share of every given label, shape (K,), sums to 1; ValueError before the first sample."""
        total = int(self.num_samples.sum())
        if total == 0:
            raise ValueError("there are no samples yet, so no label frequencies; call update first.")
        return (self.num_samples / total).to(torch.get_default_dtype())

"""What the losses share with ``cross_entropy``: shapes, the range of labels, class weights, reductions."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_tensor
from noiselayer.losses.log_space import is_transformed


class Shaped(Protocol):
    """A matrix, or what stands for one."""

    @property
    def shape(self) -> torch.Size:
        """Rows and columns."""


def flatten(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Class scores as (B, K) and labels as (B,) or, where they are probabilities, (B, K); cross_entropy's shapes.

    >>> logits, labels = flatten(torch.zeros(2, 3, 5), torch.zeros(2, 5, dtype=torch.int32))
    >>> logits.shape, labels.shape, labels.dtype
    (torch.Size([10, 3]), torch.Size([10]), torch.int64)
    """
    check_tensor(logits, "logits")
    check_tensor(labels, "noisy_labels")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating-point class scores; got {logits.dtype}.")
    if labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"noisy_labels must be class indices (integers); got {labels.dtype}.")
    if logits.ndim == 0:
        raise ValueError("logits must have shape (K,), (N, K) or (N, K, d1, ...); got a single number.")
    if labels.is_floating_point():
        if labels.shape != logits.shape:
            raise TypeError(
                "noisy_labels must be class indices (integers) or, in the shape of logits, "
                f"{tuple(logits.shape)}, probabilities of classes; got {labels.dtype} of shape {tuple(labels.shape)}."
            )
        return _rows(logits), _rows(labels)
    expected = labels_shape(logits)
    if labels.shape != expected:
        raise ValueError(
            f"noisy_labels must have shape {tuple(expected)} for logits of shape {tuple(logits.shape)}; "
            f"got {tuple(labels.shape)}."
        )
    return _rows(logits), labels.reshape(-1).long()


def labels_shape(logits: Tensor) -> torch.Size:
    """The shape of labels that are class indices: that of ``logits`` without its classes.

    >>> labels_shape(torch.zeros(2, 3, 5))
    torch.Size([2, 5])
    """
    return logits.shape[:0] if logits.ndim == 1 else logits.shape[:1] + logits.shape[2:]


def _rows(scores: Tensor) -> Tensor:
    if scores.ndim == 1:
        return scores.unsqueeze(0)
    return scores.movedim(1, -1).flatten(0, -2) if scores.ndim > 2 else scores


def check_square(matrix: Shaped, num_classes: int, *, name: str) -> None:
    """Raise unless ``matrix`` has a row and a column for every class of the logits.

    >>> check_square(torch.eye(2), 3, name="noise_matrix")
    Traceback (most recent call last):
    ...
    ValueError: noise_matrix must have shape (3, 3) for logits of 3 classes; got (2, 2).
    """
    K = num_classes
    if matrix.shape != (K, K):
        raise ValueError(
            f"{name} must have shape ({K}, {K}) for logits of {K} classes; got {tuple(matrix.shape)}."
        )


def check_range(labels: Tensor, num_classes: int, ignore_index: int) -> None:
    """Raise on a label that is no class, where that costs nothing (on the CPU).

    >>> check_range(torch.tensor([0, 3]), 3, -100)
    Traceback (most recent call last):
    ...
    IndexError: noisy_labels must lie in 0..2 or be ignore_index (-100); got 3.
    """
    if not readable(labels):
        return  # reading a value back would stall the device; its own assertion catches the error there
    low, high = (int(k) for k in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise IndexError(
            f"noisy_labels must lie in 0..{num_classes - 1} or be ignore_index ({ignore_index}); "
            f"got {low if low < 0 else high}."
        )


def nothing_ignored(labels: Tensor, num_classes: int, ignore_index: int) -> bool:
    """Whether all labels are known to be classes and none is ``ignore_index``, where that costs nothing.

    >>> labels = torch.tensor([0, 2])
    >>> nothing_ignored(labels, 3, -100), nothing_ignored(labels, 3, 1), nothing_ignored(labels, 2, -100)
    (True, False, False)
    """
    if not readable(labels):
        return False
    low, high = (int(k) for k in labels.aminmax())
    return low >= 0 and high < num_classes and not low <= ignore_index <= high


def readable(labels: Tensor) -> bool:
    """Whether values may be looked at: on the CPU, in no graph that is compiled, in no map of torch.func.

    >>> readable(torch.tensor([1])), readable(torch.tensor([]))
    (True, False)
    """
    on_cpu = labels.device.type == "cpu" and labels.numel() > 0
    return on_cpu and not torch.compiler.is_compiling() and not is_transformed()


def check_weight(weight: Tensor, num_classes: int) -> None:
    """Raise unless ``weight`` has a factor for every class.

    >>> check_weight(torch.ones(2), 3)
    Traceback (most recent call last):
    ...
    ValueError: weight must have shape (3,), one factor per class; got (2,).
    """
    check_tensor(weight, "weight")
    if weight.shape != (num_classes,):
        raise ValueError(
            f"weight must have shape ({num_classes},), one factor per class; got {tuple(weight.shape)}."
        )


def reduce_loss(loss: Tensor, counts: Tensor | None, reduction: str, shape: torch.Size) -> Tensor:
    """The mean by ``counts`` (B,), the sum, or every loss in ``shape``, the labels'; ``loss`` (B,) is weighted already.

    >>> reduce_loss(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 3.0]), "mean", torch.Size([2]))
    tensor(1.2500)
    """
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none'; got {reduction!r}.")
    if reduction == "mean":
        return loss.mean() if counts is None else loss.sum() / counts.sum()
    if reduction == "sum":
        return loss.sum()
    return loss.reshape(shape)

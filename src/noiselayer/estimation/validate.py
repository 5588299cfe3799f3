"""What confusion matrices, labels and probabilities must be, what to say when they are not, and double precision."""

from __future__ import annotations

import math
from collections.abc import Sized
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_confidence, check_count, check_number
from noiselayer.arrays.tensors import as_tensor
from noiselayer.errors import InputError, argument

_METHODS = ("inverse", "sparse", "auto")


def check_confusion(
    confusion: Tensor, *, name: str, empty_columns: Tensor | None = None, num_columns: int | None = None
) -> None:
    """Raise unless (..., K, K) columns sum to 1; ``empty_columns`` (K,), bool, are not read.

    >>> check_confusion(torch.tensor([[0.9, 0.1], [0.3, 0.7]]), name="clean_confusion")
    Traceback (most recent call last):
    ...
    ValueError: clean_confusion columns must sum to 1 (column = given label); column 0 sums to 1.2. Its rows
    do: if rows are given labels, as in scikit-learn and torchmetrics, transpose it.
    """
    if not isinstance(confusion, Tensor) or not confusion.is_floating_point():
        kind = confusion.dtype if isinstance(confusion, Tensor) else type(confusion).__name__
        raise TypeError(
            f"{name} must be a floating-point tensor of shares; got {kind}. Divide counts by column sums."
        )
    shape = confusion.shape[-2:]
    if confusion.ndim < 2 or shape[1] != (num_columns or shape[0]) or shape[0] < 2:
        raise ValueError(f"{name} must have shape (K, K) with K >= 2; got {tuple(confusion.shape)}.")
    values = to_double(confusion)
    if empty_columns is not None:
        values = values.masked_fill(empty_columns, 1 / values.shape[-1])
    if not bool(torch.isfinite(values).all()):
        column = int((~torch.isfinite(values)).nonzero()[0, -1])
        raise ValueError(
            f"{name} must be finite; column {column} is not. A class without samples has no column."
        )
    if bool((values < 0).any()):
        raise ValueError(
            f"{name} holds shares, none below 0; the smallest entry is {float(values.min()):.4g}."
        )
    tolerance = max(1e-4, 4 * torch.finfo(confusion.dtype).eps * values.shape[-1] ** 0.5)
    off = (values.sum(-2) - 1).abs()
    if bool((off > tolerance).any()):
        *_, column = (off > tolerance).nonzero()[0].tolist()
        total = float(values.sum(-2)[off > tolerance][0])
        advice = (
            "Its rows do: if rows are given labels, as in scikit-learn and torchmetrics, transpose it."
            if bool(((values.sum(-1) - 1).abs() <= tolerance).all())
            else "Divide counts by their column sums."
        )
        raise ValueError(
            f"{name} columns must sum to 1 (column = given label); column {column} sums to {total:.4g}. "
            f"{advice}"
        )


def check_same_classes(clean_confusion: Tensor, noisy_confusion: Tensor) -> None:
    """Raise unless both confusion matrices, checked already, have the same rows."""
    if clean_confusion.shape[-2] != noisy_confusion.shape[-2]:
        raise ValueError(
            "clean_confusion and noisy_confusion must be of the same model and classes; got shapes "
            f"{tuple(clean_confusion.shape)} and {tuple(noisy_confusion.shape)}."
        )


def check_same_samples(one: Sized, other: Sized, names: str, *, at_least_one: bool = False) -> None:
    """Raise unless both have as many samples, and some if ``at_least_one``."""
    if len(one) != len(other) or (at_least_one and not len(one)):
        least = ", at least one" if at_least_one else ""
        raise ValueError(f"{names} must be of the same samples{least}; got {len(one)} and {len(other)}.")


def check_labels(labels: Any, num_classes: int, *, name: str) -> Tensor:
    """``labels``, an array-like, as int64 of shape (N,), or an error that says what is wrong with them.

    >>> check_labels(torch.tensor([0, 3]), 3, name="given_labels")
    Traceback (most recent call last):
    ...
    ValueError: given_labels must lie in 0..2; got 3.
    """
    values = as_tensor(labels, name)
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise TypeError(f"{name} must be class indices (integers); got {values.dtype}.")
    if values.ndim != 1:
        raise ValueError(f"{name} must have shape (N,), one class per sample; got {tuple(values.shape)}.")
    if values.numel():
        low, high = (int(k) for k in values.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(f"{name} must lie in 0..{num_classes - 1}; got {low if low < 0 else high}.")
    return values.long()


def check_probs(probs: Any, num_classes: int | None, *, name: str) -> Tensor:
    """``probs``, an array-like, as a tensor of shape (N, K) whose rows are probabilities, or an error.

    >>> check_probs(torch.tensor([[2.0, -1.0]]), 2, name="probs")
    Traceback (most recent call last):
    ...
    ValueError: probs must be probabilities, in 0..1 and rows summing to 1; row 0 is not. If these are logits,
    apply softmax.
    """
    values = as_tensor(probs, name)
    if not values.is_floating_point():
        raise TypeError(
            f"{name} must be a floating-point tensor; got {values.dtype}. Decisions go to predicted_labels."
        )
    if values.ndim != 2 or values.shape[1] != (num_classes or values.shape[1]):
        raise ValueError(
            f"{name} must have shape (N, {num_classes or 'K'}), a column per class; got {tuple(values.shape)}."
        )
    wide = values.detach().to(torch.promote_types(values.dtype, torch.float32))
    tolerance = max(1e-3, 4 * torch.finfo(values.dtype).eps)  # rounding changes no share by more than eps
    # Written so that NaN fails too.
    right = ((wide >= -tolerance) & (wide <= 1 + tolerance)).all(dim=1) & (
        (wide.sum(dim=1) - 1).abs() <= tolerance
    )
    if not bool(right.all()):
        row = int((~right).nonzero()[0])
        what = "has NaN" if bool(wide[row].isnan().any()) else "is not"
        raise ValueError(
            f"{name} must be probabilities, in 0..1 and rows summing to 1; row {row} {what}. "
            "If these are logits, apply softmax."
        )
    return values


def listing(classes: list[int]) -> str:
    """The classes in words, the first eight of them.

    >>> listing([2, 5])
    'classes 2, 5'
    """
    shown = ", ".join(map(str, classes[:8])) + (", ..." if len(classes) > 8 else "")
    return f"class {shown}" if len(classes) == 1 else f"classes {shown}"


def check_options(method: str, sparsity: float | None, num_bootstrap: int, confidence: float) -> None:
    """Raise on options that mean nothing, before any work is done."""
    if not isinstance(method, str) or method not in _METHODS:
        raise ValueError(f"method must be 'inverse', 'sparse' or 'auto'; got {method!r}.")
    if sparsity is not None and method != "sparse":
        raise InputError(
            f"{argument('sparsity')} is the penalty's weight of {argument('method', 'sparse')}; got it with "
            f"{argument('method', method)}."
        )
    if sparsity is not None:
        check_number(sparsity, "sparsity")
    check_count(num_bootstrap, "num_bootstrap")
    if sparsity is not None and not 0 <= sparsity < math.inf:
        raise ValueError(f"sparsity is the weight of a penalty, finite and at least 0; got {sparsity}.")
    if num_bootstrap < 0 or num_bootstrap == 1:
        raise ValueError(f"num_bootstrap must be 0 or at least 2; got {num_bootstrap}.")
    if num_bootstrap > 1_000_000:
        raise ValueError(f"num_bootstrap must be at most 1,000,000; got {num_bootstrap}.")
    check_confidence(confidence)


def check_pair(clean: Tensor, noisy: Tensor, frequencies: Tensor) -> int:
    """K, if both confusions and the frequencies of noisy labels are of the same K classes, else an error."""
    check_confusion(clean, name="clean_confusion")
    if clean.ndim != 2:
        raise ValueError(f"clean_confusion must have shape (K, K); got {tuple(clean.shape)}.")
    K = len(clean)
    if tuple(noisy.shape) != (K, K):
        raise ValueError(
            f"noisy_confusion must have the shape of clean_confusion, ({K}, {K}); got {tuple(noisy.shape)}."
        )
    if tuple(frequencies.shape) != (K,) or not frequencies.is_floating_point():
        raise ValueError(
            f"noisy_label_frequencies must be {K} shares, one per class; got {frequencies.dtype} of shape "
            f"{tuple(frequencies.shape)}. Divide counts by their sum."
        )
    pi = to_double(frequencies)
    if not bool((pi >= 0).all()) or abs(float(pi.sum()) - 1) > 1e-3:
        raise ValueError(
            "noisy_label_frequencies must be shares that sum to 1, none negative; they sum to "
            f"{float(pi.sum()):.4g}."
        )
    if int((pi > 0).sum()) == 1:
        raise ValueError(
            f"all noisy labels are of class {int(pi.argmax())}: labels that are all the same say nothing "
            "about noise."
        )
    check_confusion(noisy, name="noisy_confusion", empty_columns=(pi == 0).to(noisy.device))
    return K


def check_counts(counts: Any, num_classes: int, *, name: str, needed: Tensor) -> Tensor:
    """``counts`` in float64, if there is a sample of every class that is ``needed`` (K, bool), else an error."""
    counts = as_tensor(counts, name)
    if tuple(counts.shape) != (num_classes,):
        raise ValueError(
            f"{name} must have shape ({num_classes},), the samples behind every column; got "
            f"{tuple(counts.shape)}."
        )
    values = to_double(counts)
    if not bool((values >= 0).all()):
        raise ValueError(
            f"{name} must be numbers of samples, none negative; the smallest is {float(values.min()):.4g}."
        )
    empty = ((values.cpu() < 1) & needed).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"{name} has no sample of {listing(empty)}; a column of a confusion matrix needs some."
        )
    return values


def to_double(values: Tensor) -> Tensor:
    """``values`` detached, in float64, on their own device or, where that has no float64 (MPS), on the CPU.

    >>> to_double(torch.ones(1, requires_grad=True))
    tensor([1.], dtype=torch.float64)
    """
    return where_double(values).to(torch.float64)


def where_double(values: Tensor) -> Tensor:
    """``values`` detached, in their own type, on a device that has float64.

    >>> where_double(torch.ones(1, requires_grad=True))
    tensor([1.])
    """
    return values.detach().cpu() if values.device.type == "mps" else values.detach()


def like(values: Tensor, reference: Tensor) -> Tensor:
    """``values`` on the device and in the floating type of ``reference``, float32 at least.

    >>> like(torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.float16)).dtype
    torch.float32
    """
    dtype = reference.dtype if reference.is_floating_point() else torch.get_default_dtype()
    return values.to(device=reference.device, dtype=torch.promote_types(dtype, torch.float32))

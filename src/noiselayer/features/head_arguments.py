"""What the head on features is given, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from noiselayer.arrays.class_labels import class_numbers
from noiselayer.arrays.kinds import check_count, check_not_negative
from noiselayer.arrays.tensors import as_tensor
from noiselayer.features.projection import as_rows
from noiselayer.losses.annotator_rows import check_stack, rows_of_annotators
from noiselayer.noise.matrices import check
from noiselayer.noise.possible import check_possible

HeadMethod = Literal["learned", "estimated", "known", "top-down", "normal"]


def check_settings(
    num_classes: Any,
    noisy_weight: Any,
    outside_weight: Any,
    ridges: Sequence[float],
    folds: Any,
    max_components: Any,
    dtype: torch.dtype,
    seed: Any,
) -> tuple[float, ...]:
    """The ridges, falling, where every number of the head is one that it can be.

    Raises:
        TypeError: If one is no number.
        ValueError: If one is out of range.

    >>> check_settings(3, 1.0, 1.0, [0.1, 1.0], None, None, torch.float32, 0)
    (1.0, 0.1)
    >>> check_settings(3, 1.0, 1.0, [0.1], 1, None, torch.float32, 0)
    Traceback (most recent call last):
    ...
    ValueError: folds must be at least 2; got 1.
    """
    check_count(num_classes, "num_classes", 2)
    check_count(seed, "seed", 0)
    for name, value, least in (("folds", folds, 2), ("max_components", max_components, 1)):
        if value is not None:
            check_count(value, name, least)
    check_not_negative(noisy_weight, "noisy_weight")
    check_not_negative(outside_weight, "outside_weight")
    for ridge in ridges:
        check_not_negative(ridge, "ridges")
    if not len(ridges):
        raise ValueError("ridges must hold at least one; got none.")
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype must be torch.float32 or torch.float64; got {dtype}.")
    return tuple(sorted(map(float, ridges), reverse=True))


def trusted(features: Any, labels: Any, width: int) -> tuple[Any, Tensor] | None:
    """Trusted features and their labels, if there are any.

    >>> trusted(None, [0, 1], 3)
    Traceback (most recent call last):
    ...
    ValueError: clean_features and clean_labels must be given together.
    """
    if (features is None) != (labels is None):
        raise ValueError("clean_features and clean_labels must be given together.")
    if features is None:
        return None
    return as_rows(features, "clean_features", width), class_numbers(labels, "clean_labels").cpu()


def check_arguments(
    features: Any,
    labels: Tensor,
    num_classes: int,
    method: str,
    noise_matrix: Any,
    annotators: Any,
    clean: tuple[Any, Tensor] | None = None,
    noisy_weight: float = 1.0,
) -> tuple[Tensor, Tensor | None]:
    """The row of the noise matrix that each label is, (N,), and the matrix, double, annotators' below one another.

    Raises:
        ValueError: If shapes do not fit, an argument does not suit the method, or a matrix is none.
        IndexError: If a label or an annotator is out of range.

    >>> labels = torch.tensor([0, 1, 1, 0])
    >>> rows, Q = check_arguments(
    ...     torch.zeros(4, 2), labels, 2, "known", torch.stack([torch.eye(2)] * 3), [0, 1, 2, 2]
    ... )
    >>> rows, Q.shape
    (tensor([0, 3, 5, 4]), torch.Size([6, 2]))
    """
    if tuple(labels.shape) != (len(features),):
        raise ValueError(
            f"noisy_labels must have shape ({len(features)},), one per row of features; got {tuple(labels.shape)}."
        )
    if len(labels) < 4:
        raise ValueError(
            f"features must hold at least 4 samples, so that some can be left out; got {len(labels)}."
        )
    _check_range(labels, num_classes, "noisy_labels")
    methods = HeadMethod.__args__  # type: ignore[attr-defined]
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(methods)}; got {method!r}.")
    if (noise_matrix is not None) != (method == "known"):
        raise ValueError(
            f"noise_matrix goes with method='known', and only with it; got method={method!r} and "
            f"{'a matrix' if noise_matrix is not None else 'none'}."
        )
    if clean is not None:
        if tuple(clean[1].shape) != (len(clean[0]),):
            raise ValueError(
                f"clean_labels must have shape ({len(clean[0])},), one per row of clean_features; got "
                f"{tuple(clean[1].shape)}."
            )
        _check_range(clean[1], num_classes, "clean_labels")
    elif noisy_weight == 0:
        raise ValueError("noisy_weight is 0 and there are no clean_features, so nothing would be learned.")
    if method == "estimated" and clean is None:
        raise ValueError(
            "method='estimated' needs clean_features and clean_labels to measure the matrix with."
        )
    if noise_matrix is None:
        if annotators is not None:
            raise ValueError(
                "annotators go with method='known' and a noise_matrix of shape (S, K, K), one for each of them."
            )
        return labels, None
    Q = as_tensor(noise_matrix).double()
    if Q.ndim != 3:
        if annotators is not None:
            raise ValueError(
                f"with annotators, noise_matrix must have shape (S, K, K), one for each; got {tuple(Q.shape)}."
            )
        check_possible(check(Q, num_classes=num_classes), labels)
        return labels, Q
    check_stack(Q, num_classes=num_classes)
    given_by = None if annotators is None else as_tensor(annotators).cpu()
    rows, tall = rows_of_annotators(labels, given_by, Q, shape=labels.shape)
    check_possible(Q, labels, annotators=given_by)
    return rows, tall


def _check_range(labels: Tensor, num_classes: int, name: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise IndexError(f"{name} must lie in 0..{num_classes - 1}; got {low} to {high}.")

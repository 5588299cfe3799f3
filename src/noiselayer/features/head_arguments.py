"""What the head on features is given, checked."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from noiselayer.arrays.tensors import as_tensor
from noiselayer.losses.annotator_rows import check_stack, rows_of_annotators
from noiselayer.noise.matrices import check

HeadMethod = Literal["learned", "estimated", "known", "top-down", "normal"]


def check_arguments(
    features: Any,
    labels: Tensor,
    num_classes: int,
    method: str,
    noise_matrix: Any,
    annotators: Any,
    clean_features: Any,
    clean_labels: Any,
) -> tuple[Tensor, Tensor | None]:
    """The row of the noise matrix that each label is, (N,), and the matrix, double, annotators' below one another.

    Raises:
        ValueError: If shapes do not fit, an argument does not suit the method, or a matrix is none.
        IndexError: If a label or an annotator is out of range.

    >>> import torch
    >>> labels = torch.tensor([0, 1, 1, 0])
    >>> rows, Q = check_arguments(
    ...     torch.zeros(4, 2), labels, 2, "known", torch.stack([torch.eye(2)] * 3), [0, 1, 2, 2], None, None
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
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        raise IndexError(
            f"noisy_labels must lie in 0..{num_classes - 1}; got {int(labels.min())} to {int(labels.max())}."
        )
    methods = HeadMethod.__args__  # type: ignore[attr-defined]
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(methods)}; got {method!r}.")
    if (noise_matrix is not None) != (method == "known"):
        raise ValueError(
            f"noise_matrix goes with method='known', and only with it; got method={method!r} and "
            f"{'a matrix' if noise_matrix is not None else 'none'}."
        )
    if (clean_features is None) != (clean_labels is None):
        raise ValueError("clean_features and clean_labels must be given together.")
    if method == "estimated" and clean_features is None:
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
        return labels, check(Q, num_classes=num_classes)
    check_stack(Q, num_classes=num_classes)
    who = None if annotators is None else as_tensor(annotators).cpu()
    return rows_of_annotators(labels, who, Q, shape=labels.shape)

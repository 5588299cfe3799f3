"""A noise matrix per annotator as one tall matrix, of which every sample needs one row."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_tensor
from noiselayer.losses.shapes import readable
from noiselayer.noise.matrices import check


def check_stack(
    noise_matrices: Tensor, *, num_classes: int | None = None, name: str = "noise_matrix"
) -> Tensor:
    """Return the matrices of S annotators, shape (S, K, K), if each is a noise matrix, else say which is not.

    >>> check_stack(torch.stack([torch.eye(2), torch.ones(2, 2)]))
    Traceback (most recent call last):
    ...
    ValueError: noise_matrix[1] columns must sum to 1; column 0 sums to 2. If rows are true classes, use
    noiselayer.noise.from_transition_matrix; for counts, divide every column by its sum.
    """
    if not isinstance(noise_matrices, Tensor) or noise_matrices.ndim != 3 or not len(noise_matrices):
        what = (
            tuple(noise_matrices.shape)
            if isinstance(noise_matrices, Tensor)
            else type(noise_matrices).__name__
        )
        raise ValueError(f"{name} must have shape (S, K, K), a matrix per annotator; got {what}.")
    for number, matrix in enumerate(noise_matrices):
        check(matrix, num_classes=num_classes, name=f"{name}[{number}]")
    return noise_matrices


def rows_of_annotators(
    labels: Tensor,
    annotators: Tensor | None,
    noise_matrix: Tensor,
    *,
    shape: torch.Size,
    ignored: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Rows (B,), ``s K + label``, of the S matrices below one another, and these as one view (S K, K).

    ``annotators`` have the shape of the labels before they were flattened, ``shape``, or of its beginning: one
    annotator for an image of many labels. Where ``ignored`` (B,), neither label nor annotator counts.

    >>> Q = torch.stack([torch.eye(2), torch.full((2, 2), 0.5)])
    >>> rows, tall = rows_of_annotators(torch.tensor([0, 1]), torch.tensor([1, 0]), Q, shape=torch.Size([2]))
    >>> rows, tall.shape
    (tensor([2, 1]), torch.Size([4, 2]))
    """
    if annotators is None:
        raise ValueError(
            f"noise_matrix has shape {tuple(noise_matrix.shape)}, a matrix for each of {len(noise_matrix)} "
            "annotators; say which of them gave each label: annotators=..., integers in the shape of the "
            "labels."
        )
    check_tensor(annotators, "annotators")
    if annotators.is_floating_point() or annotators.dtype == torch.bool:
        raise TypeError(f"annotators must be whole numbers 0..S-1; got {annotators.dtype}.")
    if annotators.shape != shape[: annotators.ndim]:
        raise ValueError(
            f"annotators must have the shape of noisy_labels, {tuple(shape)}, or of its beginning; got "
            f"{tuple(annotators.shape)}."
        )
    S, K = noise_matrix.shape[:2]
    s = (
        annotators.reshape(annotators.shape + (1,) * (len(shape) - annotators.ndim))
        .expand(shape)
        .reshape(-1)
        .long()
    )
    if ignored is not None:
        s = s.masked_fill(ignored, 0)
    _check_range(s, S)
    return s * K + labels, noise_matrix.reshape(S * K, K)


def mean_matrix(matrices: Tensor, annotators: Tensor) -> Tensor:
    """The matrix of all annotators together, shape (K, K): each of (S, K, K) counts by how many labels it gave.

    >>> mean_matrix(torch.stack([torch.eye(2), torch.full((2, 2), 0.5)]), torch.tensor([0, 1, 0, 1]))
    tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]])
    """
    shares = torch.bincount(annotators, minlength=len(matrices)).to(matrices.dtype) / len(annotators)
    return (shares[:, None, None] * matrices).sum(dim=0)


def _check_range(annotators: Tensor, num_annotators: int) -> None:
    """Where that costs nothing, on the CPU: elsewhere the device's own assertion catches the error."""
    if not readable(annotators):
        return
    low, high = (int(s) for s in annotators.aminmax())
    if low < 0 or high >= num_annotators:
        raise IndexError(
            f"annotators must lie in 0..{num_annotators - 1}, for noise_matrix holds {num_annotators} matrices; got "
            f"{low if low < 0 else high}. For an annotator that nothing is known of, add the common matrix."
        )

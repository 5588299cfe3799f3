"""The bottom-up loss (§3.1): a replacement for cross-entropy when the labels are noisy and Q is given."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from noiselayer.arrays.tensors import as_tensor
from noiselayer.losses.annotator_rows import check_stack, rows_of_annotators
from noiselayer.losses.log_space import noisy_nll, result_dtype
from noiselayer.losses.shapes import (
    check_range,
    check_square,
    check_weight,
    flatten,
    nothing_ignored,
    reduce_loss,
)
from noiselayer.losses.sparse_bottom_up import sparse_noisy_nll
from noiselayer.noise.matrices import check
from noiselayer.noise.sparse_matrix import SparseNoiseMatrix


def noisy_label_loss(
    logits: Tensor,
    noisy_labels: Tensor,
    noise_matrix: Tensor | SparseNoiseMatrix,
    *,
    annotators: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    r"""The negative log-likelihood of noisy labels under a noise matrix (Eq. 2, its sign turned).

    .. math:: \ell_n = -\log \sum_i Q_{\tilde y_n i}\; \mathrm{softmax}(z_n)_i

    With Q = I this is ``torch.nn.functional.cross_entropy``, for logits of any size. Arguments, shapes and
    reductions are the same as there. The model's own softmax stays the prediction of the *true* class: use
    ``logits`` as they are at test time.

    Args:
        logits: Shape (K,), (N, K) or (N, K, d1, ..., dk), any floating type; half types are computed in
            float32.
        noisy_labels: Shape (), (N,) or (N, d1, ..., dk), class indices 0..K-1 or ``ignore_index``.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1. It is
            not checked at every call; :class:`NoisyLabelLoss` checks it once. Gradients flow to it if it
            requires them, through its exact zeros too. For thousands of classes, a
            :class:`noiselayer.SparseNoiseMatrix`. For labels from S annotators, shape (S, K, K), with
            ``annotators``.
        annotators: Which annotator gave each label, integers 0..S-1 in the shape of ``noisy_labels`` or of its
            beginning. Only with a matrix per annotator; costs one gather more per sample.
        weight: Shape (K,), a factor for every *noisy* class.
        ignore_index: Labels of this value count for nothing.
        reduction: "mean" (weighted, as in ``cross_entropy``), "sum" or "none".

    Returns:
        A scalar, or for "none" the shape of ``noisy_labels``; the dtype of ``logits``, but float32 under
        autocast, as in ``cross_entropy``. A label that Q calls impossible (a row of zeros) costs infinity.

    Raises:
        ValueError: If shapes do not fit, matrices of annotators come without ``annotators`` or the other way round,
            or ``reduction`` is unknown.
        TypeError: If labels or annotators are not integers or logits are.
        IndexError: If a label or annotator is out of range (checked on the CPU; elsewhere the device asserts).
        RuntimeError: On ``create_graph=True``: second derivatives are not implemented.

    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> noisy_label_loss(logits, torch.tensor([0, 1]), Q)
    tensor(0.4965)
    """
    dtype = result_dtype(logits)
    logits, labels = flatten(logits, noisy_labels)
    K = logits.shape[1]
    _check_matrix(noise_matrix, K, annotators)
    shape = noisy_labels.shape
    if weight is not None:
        check_weight(weight, K)
    elif nothing_ignored(labels, K, ignore_index):  # the usual batch: nothing to mask or count
        loss = _nll(logits, labels, noise_matrix, annotators, shape)
        return reduce_loss(loss, None, reduction, shape).to(dtype)
    ignored = labels == ignore_index
    labels = labels.masked_fill(ignored, 0)
    check_range(labels, K, ignore_index)
    loss = _nll(logits, labels, noise_matrix, annotators, shape, ignored)
    counts = (~ignored).to(loss.dtype)
    if weight is not None:
        counts = counts * weight.to(loss.dtype)[labels]
    # where, not a product: an infinite loss of an ignored sample must not turn into NaN.
    loss = torch.where(ignored, 0, loss * counts)
    return reduce_loss(loss, counts, reduction, shape).to(dtype)


def _nll(
    logits: Tensor,
    labels: Tensor,
    noise_matrix: Tensor | SparseNoiseMatrix,
    annotators: Tensor | None,
    shape: torch.Size,
    ignored: Tensor | None = None,
) -> Tensor:
    if isinstance(noise_matrix, SparseNoiseMatrix):
        return sparse_noisy_nll(logits, labels, noise_matrix)
    if noise_matrix.ndim == 3:
        rows, noise_matrix = rows_of_annotators(
            labels, annotators, noise_matrix, shape=shape, ignored=ignored
        )
        return noisy_nll(logits, rows, noise_matrix)
    return noisy_nll(logits, labels, noise_matrix)


def _check_matrix(
    noise_matrix: Tensor | SparseNoiseMatrix, num_classes: int, annotators: Tensor | None
) -> None:
    K, shape = num_classes, noise_matrix.shape
    if isinstance(noise_matrix, Tensor) and noise_matrix.ndim == 3:
        if shape[0] == 0 or shape[1:] != (K, K):
            raise ValueError(
                f"noise_matrix must have shape (S, {K}, {K}), a matrix per annotator, for logits of {K} classes; got "
                f"{tuple(shape)}."
            )
        return
    check_square(noise_matrix, K, name="noise_matrix")
    if annotators is not None:
        kind = (
            "a SparseNoiseMatrix" if isinstance(noise_matrix, SparseNoiseMatrix) else f"shape {tuple(shape)}"
        )
        raise ValueError(
            f"annotators need a matrix each, noise_matrix of shape (S, {K}, {K}); got {kind}. For the same noise "
            "for all annotators leave them out."
        )


class NoisyLabelLoss(nn.CrossEntropyLoss):
    """:func:`noisy_label_loss` with a fixed noise matrix, in the place of ``nn.CrossEntropyLoss``.

    It is an ``nn.CrossEntropyLoss`` for whoever asks: libraries that take a network's outputs for logits where the
    criterion is one (skorch, for ``predict_proba``) are right here too. For a matrix that is learned, use
    :class:`noiselayer.NoiseLayer`.

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``. Checked here, copied,
            and kept as a buffer: it moves with ``.to(device)`` and is saved with the state. Or a
            :class:`noiselayer.SparseNoiseMatrix`, of which a copy is kept, not to be learned. Or a matrix per
            annotator, shape (S, K, K).
        weight: Shape (K,), a factor for every noisy class.
        ignore_index: Labels of this value count for nothing.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: If ``noise_matrix`` is not one (see :func:`noiselayer.noise.check`).

    >>> from noiselayer.noise import pair_flip
    >>> criterion = NoisyLabelLoss(pair_flip(10, 0.45))  # was: nn.CrossEntropyLoss()
    >>> criterion(torch.zeros(4, 10), torch.tensor([0, 1, 2, 3]))
    tensor(2.3026)
    """

    noise_matrix: Tensor | SparseNoiseMatrix

    def __init__(
        self,
        noise_matrix: Tensor | SparseNoiseMatrix,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        if isinstance(noise_matrix, SparseNoiseMatrix):
            self.noise_matrix = copy.deepcopy(noise_matrix).requires_grad_(False)
        else:
            Q = as_tensor(noise_matrix, "noise_matrix")
            Q = check_stack(Q) if Q.ndim == 3 else check(Q)
            self.register_buffer("noise_matrix", Q.clone())

    def forward(self, logits: Tensor, noisy_labels: Tensor, annotators: Tensor | None = None) -> Tensor:
        """The loss of ``logits`` (N, K, ...) against ``noisy_labels`` (N, ...), and who gave them (N, ...)."""
        return noisy_label_loss(
            logits,
            noisy_labels,
            self.noise_matrix,
            annotators=annotators,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return f"num_classes={self.noise_matrix.shape[-1]}, reduction={self.reduction!r}"

"""The bottom-up loss (§3.1): a replacement for cross-entropy when the labels are noisy and Q is given."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from noiselayer.arrays.kinds import check_count, check_number, check_tensor
from noiselayer.arrays.tensors import as_tensor
from noiselayer.losses.annotator_rows import check_stack, rows_of_annotators
from noiselayer.losses.loaded import is_sound
from noiselayer.losses.log_space import noisy_nll, result_dtype
from noiselayer.losses.shapes import (
    check_range,
    check_square,
    check_weight,
    flatten,
    labels_shape,
    nothing_ignored,
    reduce_loss,
)
from noiselayer.losses.soft_labels import soft_noisy_nll
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
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""The negative log-likelihood of noisy labels under a noise matrix (Eq. 2, its sign turned).

    .. math:: \ell_n = -\log \sum_i Q_{\tilde y_n i}\; \mathrm{softmax}(z_n)_i

    With Q = I this is ``torch.nn.functional.cross_entropy``, for logits of any size. Arguments, shapes and
    reductions are the same as there. The model's own softmax stays the prediction of the *true* class: use
    ``logits`` as they are at test time.

    Args:
        logits: Shape (K,), (N, K) or (N, K, d1, ..., dk), any floating type; half types are computed in
            float32.
        noisy_labels: Shape (), (N,) or (N, d1, ..., dk), class indices 0..K-1 or ``ignore_index``. Or soft ones, in
            the shape and a floating type like that of ``logits``: probabilities t of the noisy label, whose loss
            is :math:`-\sum_j t_j \log \sum_i Q_{ji} p_i` at K^2 work per sample.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1. It is
            not checked at every call; :class:`NoisyLabelLoss` checks it once. Gradients flow to it if it
            requires them, through its exact zeros too. For thousands of classes, a
            :class:`noiselayer.SparseNoiseMatrix`. For labels from S annotators, shape (S, K, K), with
            ``annotators``.
        annotators: Which annotator gave each label, integers 0..S-1 in the shape of ``noisy_labels`` or of its
            beginning. Only with a matrix per annotator; costs one gather more per sample.
        weight: Shape (K,), a factor for every *noisy* class.
        ignore_index: Labels of this value count for nothing; not for soft ones.
        reduction: "mean" (weighted, as in ``cross_entropy``; soft labels by their number), "sum" or "none".
        label_smoothing: Share of every noisy label, from 0 to 1, that is spread evenly over all classes, as in
            ``cross_entropy``; K^2 work per sample.

    Returns:
        A scalar, or for "none" the shape that class indices have; the dtype of ``logits``, but float32 under
        autocast, as in ``cross_entropy``. A label that Q calls impossible (a row of zeros) costs infinity.

    Raises:
        ValueError: If shapes do not fit, matrices of annotators come without ``annotators`` or the other way round,
            ``reduction`` is unknown, ``label_smoothing`` is out of range, or soft labels come with an
            ``ignore_index`` that is a class.
        TypeError: If annotators are not integers, logits are, or labels are neither indices nor probabilities.
        IndexError: If a label or annotator is out of range (checked on the CPU; elsewhere the device asserts).

    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> noisy_label_loss(logits, torch.tensor([0, 1]), Q)
    tensor(0.4965)
    """
    check_tensor(logits, "logits")
    dtype, shape = result_dtype(logits), labels_shape(logits)
    logits, labels = flatten(logits, noisy_labels)
    K = logits.shape[1]
    if not isinstance(ignore_index, int) or abs(ignore_index) >= 2**63:
        check_count(ignore_index, "ignore_index")
    _check_matrix(noise_matrix, K, annotators)
    if weight is not None:
        check_weight(weight, K)
    if label_smoothing or labels.ndim == 2:
        options = (weight, ignore_index, label_smoothing)
        loss, counts = _soft_loss(logits, labels, noise_matrix, annotators, shape, *options)
        return reduce_loss(loss, counts, reduction, shape).to(dtype)
    if weight is None and nothing_ignored(
        labels, K, ignore_index
    ):  # the usual batch: nothing to mask or count
        loss = _nll(logits, labels, noise_matrix, annotators, shape)
        return reduce_loss(loss, None, reduction, shape).to(dtype)
    ignored = labels == ignore_index
    labels = labels.masked_fill(ignored, 0)
    check_range(labels, K, ignore_index)
    loss = _nll(logits, labels, noise_matrix, annotators, shape, ignored)
    counts = (~ignored).to(loss.dtype)
    if weight is not None:
        counts = counts * weight.to(loss.dtype)[labels]
    # where, not a product: an infinite loss of what does not count must not turn into NaN.
    loss = torch.where(counts == 0, 0, loss * counts)
    return reduce_loss(loss, counts, reduction, shape).to(dtype)


def _soft_loss(
    logits: Tensor,
    labels: Tensor,
    noise_matrix: Tensor | SparseNoiseMatrix,
    annotators: Tensor | None,
    shape: torch.Size,
    weight: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[Tensor, Tensor | None]:
    """Losses (B,) of soft labels, or of class indices that are smoothed, and what a mean divides by (None: B)."""
    if not isinstance(label_smoothing, float):
        check_number(label_smoothing, "label_smoothing")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie between 0 and 1; got {label_smoothing}.")
    K = logits.shape[1]
    targets, ignored, counts = labels, None, None
    if labels.ndim == 1:
        ignored = labels == ignore_index
        labels = labels.masked_fill(ignored, 0)
        check_range(labels, K, ignore_index)
        of_label = labels.unsqueeze(1) == torch.arange(K, device=labels.device)  # one_hot reads values back
        targets = of_label.to(torch.promote_types(logits.dtype, torch.float32))
        counts = (~ignored).to(targets.dtype)
        if weight is not None:
            counts = counts * weight.to(targets.dtype)[labels]
    elif ignore_index >= 0:
        raise ValueError(
            f"ignore_index is for class indices; got {ignore_index} with labels that are probabilities. Leave the "
            "samples out, or give theirs probabilities of 0."
        )
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / K
    if weight is not None:
        targets = targets * weight
    return soft_noisy_nll(logits, targets, noise_matrix, annotators, shape, ignored), counts


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
    if not isinstance(noise_matrix, SparseNoiseMatrix):
        check_tensor(noise_matrix, "noise_matrix")
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
        label_smoothing: Share of every noisy label that is spread evenly over all classes.

    Raises:
        ValueError: If ``noise_matrix`` is not one (see :func:`noiselayer.noise.check`).
        RuntimeError: From ``load_state_dict``, if the one that is loaded is none.

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
        label_smoothing: float = 0.0,
    ) -> None:
        if weight is not None:
            check_tensor(weight, "weight")
        super().__init__(
            weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
        if isinstance(noise_matrix, SparseNoiseMatrix):
            self.noise_matrix = copy.deepcopy(noise_matrix).requires_grad_(False)
        else:
            Q = _one_or_many(as_tensor(noise_matrix, "noise_matrix"))
            self.register_buffer("noise_matrix", Q.clone())

    def forward(self, logits: Tensor, noisy_labels: Tensor, annotators: Tensor | None = None) -> Tensor:
        """The loss of ``logits`` (N, K, ...) against ``noisy_labels`` (N, ...) or (N, K, ...); annotators (N, ...)."""
        return noisy_label_loss(
            logits,
            noisy_labels,
            self.noise_matrix,
            annotators=annotators,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        loaded = state_dict.get(f"{prefix}noise_matrix")
        if is_sound(loaded, self.noise_matrix, _one_or_many, errors=args[-1]):
            super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        smoothing = f", label_smoothing={self.label_smoothing}" if self.label_smoothing else ""
        return f"num_classes={self.noise_matrix.shape[-1]}, reduction={self.reduction!r}{smoothing}"


def _one_or_many(Q: Tensor) -> Tensor:
    """Q itself, if it is a noise matrix, or one per annotator."""
    return check_stack(Q) if Q.ndim == 3 else check(Q)

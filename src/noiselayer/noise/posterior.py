"""The true class behind a noisy label, by Bayes' rule."""

from __future__ import annotations

from typing import Any, overload

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.noise.matrices import check


def bayes(log_joint: Tensor, prior: Tensor | None = None) -> Tensor:
    r"""Bayes' rule on logarithms: what is known of the true class once a label has come.

    .. math:: p(i \mid j) = \frac{p(i)\, p(j \mid i)}{\sum_k p(k)\, p(j \mid k)}

    A constant of the row may be missing in ``log_joint`` (..., K), log p(i) + log p(j | i). ``prior`` is the answer
    where the label is impossible; without it, such a row is NaN.

    >>> p = torch.tensor([0.5, 0.5])
    >>> bayes(p.log() + torch.tensor([0.8, 0.4]).log(), p)
    tensor([0.6667, 0.3333])
    """
    after = log_joint.softmax(dim=-1)
    if prior is None:
        return after
    return torch.where(log_joint.amax(dim=-1, keepdim=True) > -torch.inf, after, prior)


@overload
def posterior(logits: Tensor, noisy_labels: Any, noise_matrix: Any) -> Tensor: ...
@overload
def posterior(logits: Any, noisy_labels: Any, noise_matrix: Any) -> Any: ...
def posterior(logits: Any, noisy_labels: Any, noise_matrix: Any) -> Any:
    r"""The probability of every true class, once the sample *and* its noisy label are known.

    .. math:: p(y^* = i \mid x, \tilde y = j) = \frac{Q_{ji}\, p_i(x)}{\sum_k Q_{jk}\, p_k(x)}

    Computed in log space: it holds for logits of any size, where a softmax would have underflown to zero. It
    is also what moves the logits in training: their gradient under
    :func:`noiselayer.noisy_label_loss` is softmax minus posterior.

    Args:
        logits: Shape (N, K), a classifier's scores of the *true* class, floating point. The classifier should
            have been trained through ``noise_matrix``: one trained to repeat the noisy labels repeats them
            here. An entry of minus infinity rules a class out.
        noisy_labels: Shape (N,), integers 0..K-1, the labels that the samples carry.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Returns:
        Shape (N, K), rows sum to 1, without gradients; in the wider type of ``logits`` and ``noise_matrix``,
        float32 at least. A tensor if ``logits`` is one, else a NumPy array; all arguments may be array-likes,
        which are read by position.

    Raises:
        TypeError: If logits are not floating point or labels are not integers.
        ValueError: If shapes do not fit, logits hold NaN or plus infinity, ``noise_matrix`` is not a noise
            matrix, or a sample carries a label that logits and noise matrix together call impossible.
        IndexError: If a label is out of range.

    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> undecided = torch.zeros(2, 2)
    >>> posterior(undecided, torch.tensor([0, 1]), Q)
    tensor([[0.6667, 0.3333],
            [0.2500, 0.7500]])
    """
    log_joint = _log_joint(logits, noisy_labels, noise_matrix)
    return in_kind(bayes(log_joint), logits)


@overload
def label_error_probability(logits: Tensor, noisy_labels: Any, noise_matrix: Any) -> Tensor: ...
@overload
def label_error_probability(logits: Any, noisy_labels: Any, noise_matrix: Any) -> Any: ...
def label_error_probability(logits: Any, noisy_labels: Any, noise_matrix: Any) -> Any:
    """The probability that a sample's label is wrong: the posterior of all other classes together.

    Args:
        logits: Shape (N, K), as for :func:`posterior`.
        noisy_labels: Shape (N,), integers 0..K-1.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Returns:
        Shape (N,), from 0 to 1. Small ones keep their digits: the other classes are summed, not taken from 1.
        A tensor if ``logits`` is one, else a NumPy array.

    Raises:
        TypeError: As :func:`posterior`.
        ValueError: As :func:`posterior`.
        IndexError: As :func:`posterior`.

    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> label_error_probability(torch.zeros(2, 2), torch.tensor([0, 1]), Q)
    tensor([0.3333, 0.2500])
    """
    probs = bayes(_log_joint(logits, noisy_labels, noise_matrix))
    given = as_tensor(noisy_labels).long().unsqueeze(1).to(probs.device)
    return in_kind(probs.scatter(1, given, 0.0).sum(dim=1).clamp_max(1.0), logits)


@torch.no_grad()  # log Q has no gradient at Q's zeros; whoever trains wants the loss, not this
def _log_joint(logits: Any, labels: Any, Q: Any) -> Tensor:
    """The log of Q[label, i] p_i but for a constant of the row, shape (N, K); a finite entry in every row."""
    logits, labels = as_tensor(logits, "logits"), as_tensor(labels, "noisy_labels")
    Q = as_tensor(Q, "noise_matrix")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating-point class scores; got {logits.dtype}.")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"noisy_labels must be class indices (integers); got {labels.dtype}.")
    if logits.ndim != 2:
        raise ValueError(f"logits must have shape (N, K); got {tuple(logits.shape)}.")
    N, K = logits.shape
    if labels.shape != (N,):
        raise ValueError(
            f"noisy_labels must have shape ({N},), one per row of logits; got {tuple(labels.shape)}."
        )
    check(Q, num_classes=K)
    if bool((logits.isnan() | (logits == torch.inf)).any()):
        row = int((logits.isnan() | (logits == torch.inf)).any(dim=1).nonzero()[0])
        raise ValueError(f"logits must be numbers below infinity; row {row} holds {logits[row].tolist()}.")
    labels = labels.long().to(logits.device)
    if N and not bool(((labels >= 0) & (labels < K)).all()):
        row = int(((labels < 0) | (labels >= K)).nonzero()[0])
        raise IndexError(
            f"noisy_labels must lie in 0..{K - 1}; got {int(labels[row])} at {row}. "
            "Leave samples without a label out."
        )
    dtype = torch.promote_types(torch.promote_types(logits.dtype, Q.dtype), torch.float32)
    # Rows of Q, then their logarithm: K numbers a sample.
    log_rows = Q.to(device=logits.device, dtype=dtype).index_select(0, labels).log_()
    # Logits, not log p: what they lack is the same for all classes, and taking the largest off them would cost
    # the others, which may be all that the label leaves, their digits.
    log_joint: Tensor = log_rows.add_(logits.to(dtype))
    impossible = (log_joint == -torch.inf).all(dim=1)
    if bool(impossible.any()):
        row = int(impossible.nonzero()[0])
        raise ValueError(
            f"noise_matrix and logits must leave every label that is given possible; sample {row} carries "
            f"label {int(labels[row])}, but noise_matrix gives it no probability under any class that its "
            "logits allow. Use a matrix whose row for that label is not zero."
        )
    return log_joint

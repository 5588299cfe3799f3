"""How good a classifier is, from a test set whose labels are noisy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_count
from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.estimation.uncertainty import normal_quantile
from noiselayer.estimation.validate import check_labels, check_same_samples
from noiselayer.noise.matrices import check

_ILL_CONDITIONED = 1e6


@dataclass(frozen=True, eq=False)
class CleanAccuracy:
    """Figures on true labels that nobody has seen, with intervals.

    Attributes:
        accuracy: The share of right predictions.
        accuracy_interval: Lower and upper end.
        recall: Shape (K,), the share of right predictions among the samples of each true class; NaN where
            there are none by the estimate.
        recall_low: Shape (K,), lower ends.
        recall_high: Shape (K,), upper ends.
        macro_f1: The mean F1 score of the classes.
        macro_f1_interval: Lower and upper end.
        confusion: Shape (K, K), shares of samples by prediction (row) and true class (column); they sum to 1.
        class_shares: Shape (K,), of the true classes.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    recall: Tensor
    recall_low: Tensor
    recall_high: Tensor
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    confusion: Tensor
    class_shares: Tensor


def accuracy_from_noisy_labels(
    predictions: Any,
    noisy_labels: Any,
    noise_matrix: Any,
    *,
    standard_error: Any = None,
    true_labels: Any = None,
    confidence: float = 0.95,
    num_bootstrap: int = 500,
) -> CleanAccuracy:
    r"""Estimate a classifier's accuracy on true labels from a test set with noisy ones.

    Where noise depends on the true class alone, the joint shares of predictions and noisy labels are those of
    predictions and true classes through the noise matrix,

    .. math:: p(\hat y = l, \tilde y = j) = \sum_i p(\hat y = l, y^* = i)\, Q_{ji}

    and are taken back through its inverse. The intervals come from drawing the samples again, and the noise matrix
    around its values if its errors are known.

    Where some samples have true labels as well, these correct what the matrix says, by as much as it is worth
    (prediction-powered inference): with J the joint shares through the matrix, and J* those of predictions and true
    labels,

    .. math:: \lambda J_{\text{others}} + J^*_{\text{checked}} - \lambda J_{\text{checked}}

    This is right whatever the matrix is, if the checked samples were drawn at random.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        predictions: Shape (N,), integers 0..K-1, predicted *true* classes. The classifier must not have seen
            ``noisy_labels``.
        noisy_labels: Shape (N,), integers 0..K-1.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        standard_error: Of the noise matrix, shape (K, K), as in :class:`noiselayer.estimation.NoiseEstimate`; it is
            taken as exact if None.
        true_labels: Shape (N,), integers 0..K-1, -1 where nobody has checked; at least two must be known.
        confidence: Of the intervals.
        num_bootstrap: Draws, at least 2.

    Returns:
        Estimates and intervals, each cut to its range: an inverse can leave it by chance. Its arrays are tensors if
        an argument was one, else NumPy arrays.

    Raises:
        TypeError: If predictions or labels are not integers.
        ValueError: If they are out of range or differ in number, ``noise_matrix`` is no noise matrix or cannot be
            inverted, an option is out of range, or the data contradict the matrix: they put the accuracy, the share
            of a class or one of those that are predicted alike outside 0 to 1 by more than four standard errors, as a
            model that has seen these labels does.

    >>> from noiselayer import corrupt_labels
    >>> from noiselayer.noise import pair_flip
    >>> generator, Q = torch.Generator().manual_seed(0), pair_flip(3, 0.4)
    >>> truth = torch.arange(30_000) % 3
    >>> right = torch.rand(30_000, generator=generator) < 0.9
    >>> predictions = torch.where(right, truth, (truth + 1) % 3)
    >>> noisy = corrupt_labels(truth, Q, generator=generator)
    >>> found = accuracy_from_noisy_labels(predictions, noisy, Q)
    >>> round(float((predictions == noisy).float().mean()), 2), round(found.accuracy, 2)
    (0.58, 0.9)
    """
    Q = check(as_tensor(noise_matrix, "noise_matrix")).double().cpu()
    K = len(Q)
    predicted = check_labels(predictions, K, name="predictions").cpu()
    labels = check_labels(noisy_labels, K, name="noisy_labels").cpu()
    check_same_samples(predicted, labels, "predictions and noisy_labels", at_least_one=True)
    z = normal_quantile(confidence)
    check_count(num_bootstrap, "num_bootstrap", 2)
    condition = float(torch.linalg.cond(Q))
    if not condition < _ILL_CONDITIONED:
        raise ValueError(
            f"noise_matrix must be invertible to look behind the labels; its condition number is {condition:.2g}. "
            "Two classes whose labels are distributed alike cannot be told apart: merge them."
        )
    N = len(labels)
    counts = torch.bincount(predicted * K + labels, minlength=K * K).double()
    inverse = torch.linalg.inv(Q)
    generator = torch.Generator().manual_seed(0)
    checked = _checked(true_labels, N, K)
    rest = counts
    if checked is not None and len(checked[0]) < N:
        at, truth = checked
        rest = counts - torch.bincount(predicted[at] * K + labels[at], minlength=K * K)
    drawn = torch.stack([_resampled(rest, int(rest.sum()), generator) for _ in range(num_bootstrap)])
    inverses = _drawn_inverses(Q, standard_error, num_bootstrap, generator)
    joints = [_joint(rest.reshape(1, K, K), inverse), _joint(drawn.reshape(-1, K, K), inverses)]
    if checked is not None:
        at, truth = checked
        among = predicted[at], labels[at], truth
        weight = _weight(*among, inverse, len(at) / max(1, N - len(at)))
        picks = torch.randint(len(at), (num_bootstrap, len(at)), generator=generator)
        joints = [
            weight * joint + _corrections(*among, rows, inverse, weight)
            for joint, rows in zip(joints, (torch.arange(len(at)).unsqueeze(0), picks), strict=True)
        ]
    figures = [_figures(joint) for joint in joints]
    (accuracy, recall, f1, joint), (drawn_accuracy, drawn_recall, drawn_f1, drawn_joint) = figures
    floor = 4 * float(inverse.abs().max()) / N  # where draws do not vary, a few samples explain as much
    _check_possible(
        float(accuracy[0]),
        4 * float(drawn_accuracy.std()) + floor,
        joint[0].sum(dim=0),
        4 * drawn_joint.sum(dim=1).std(dim=0) + floor,
        # A matrix that is right but for its own errors leaves small shares a little below 0.
        joint[0]
        + torch.maximum(4 * drawn_joint.std(dim=0) + floor, 0.25 * joint[0].sum(dim=1, keepdim=True)),
        Q,
        counts,
    )
    spread = z * _std(drawn_recall)
    result = CleanAccuracy(
        _cut(accuracy[0]),
        _interval(float(accuracy[0]), z * float(drawn_accuracy.std())),
        recall[0].clamp(0, 1),
        (recall[0] - spread).clamp(0, 1),
        (recall[0] + spread).clamp(0, 1),
        _cut(f1[0]),
        _interval(float(f1[0]), z * float(drawn_f1.std())),
        joint[0],
        joint[0].sum(dim=0),
    )
    return in_kind(result, predictions, noisy_labels, noise_matrix)


def _check_possible(
    accuracy: float,
    accuracy_leeway: float,
    shares: Tensor,
    shares_leeway: Tensor,
    joint_at_most: Tensor,
    Q: Tensor,
    counts: Tensor,
) -> None:
    """Raise an error if the accuracy, a class's share or a joint share lies outside 0 to 1 by more than the leeway."""
    N, K = float(counts.sum()), len(Q)
    outside = (shares < -shares_leeway) | (shares > 1 + shares_leeway)
    impossible = bool((joint_at_most < 0).any())
    if -accuracy_leeway <= accuracy <= 1 + accuracy_leeway and not (bool(outside.any()) or impossible):
        return
    agreement = float(counts.reshape(K, K).diagonal().sum()) / N
    most = float(Q.max())
    why = (
        "Check that its columns are true classes, in the order of the labels, and that it is the noise of these "
        "labels."
    )
    if agreement > most + 4 * (most * (1 - most) / N) ** 0.5 + 4 / N:
        why = (
            f"The predictions repeat {agreement:.0%} of the noisy labels, where a model that has not seen these "
            f"very labels can agree with {most:.0%} at most: measure it on labels that it has not seen, or find a "
            "matrix with less noise."
        )
    if impossible:
        predicted, true = divmod(int(joint_at_most.argmin()), K)
        why = f"Fewer than no samples would be of true class {true} and predicted as {predicted}. " + why
    raise ValueError(
        f"noise_matrix contradicts the data: taken back through it the accuracy is {accuracy:.3g} and the classes' "
        f"shares are {', '.join(f'{share:.3g}' for share in shares[:10].tolist())}{' ...' if K > 10 else ''}, "
        f"outside 0 to 1 by more than chance. {why}"
    )


def _resampled(counts: Tensor, N: int, generator: torch.Generator) -> Tensor:
    rows = torch.multinomial(counts, min(N, 2**20), replacement=True, generator=generator)
    return torch.bincount(rows, minlength=len(counts)).double() * (N / len(rows))


def _checked(true_labels: Any, N: int, K: int) -> tuple[Tensor, Tensor] | None:
    """Positions and true classes of the samples that were checked."""
    if true_labels is None:
        return None
    truth = as_tensor(true_labels, "true_labels").cpu()
    if tuple(truth.shape) != (N,):
        raise ValueError(
            f"true_labels must have shape ({N},), -1 where nobody has checked; got {tuple(truth.shape)}."
        )
    at = (truth != -1).nonzero().flatten()
    if len(at) < 2:
        raise ValueError(f"true_labels must be known of at least two samples; {len(at)} are. Leave them out.")
    return at, check_labels(truth[at], K, name="true_labels")


def _drawn_inverses(Q: Tensor, standard_error: Any, draws: int, generator: torch.Generator) -> Tensor:
    """The inverse of the matrix drawn around its values, (B, K, K); (K, K) where it is exact."""
    inverse: Tensor = torch.linalg.inv(Q)
    if standard_error is not None:
        error = as_tensor(standard_error, "standard_error").double().cpu()
        if error.shape != Q.shape or not bool((error >= 0).all() and error.isfinite().all()):
            raise ValueError(
                f"standard_error must hold a finite number, none negative, for each entry of noise_matrix, shape "
                f"{tuple(Q.shape)}; got shape {tuple(error.shape)}."
            )
        moved = Q + error * torch.randn(draws, *Q.shape, dtype=torch.float64, generator=generator)
        moved = moved.clamp_min(0)
        inverse = torch.linalg.pinv(moved / moved.sum(dim=1, keepdim=True).clamp_min(1e-12))
    return inverse


def _weight(predicted: Tensor, labels: Tensor, truth: Tensor, inverse: Tensor, ratio: float) -> float:
    """How much the matrix is trusted, lambda from 0 to 1: with it the accuracy has the least variance."""
    right, through = (predicted == truth).double(), inverse[predicted, labels]
    both = torch.stack([right, through])
    covariance = torch.cov(both)
    return min(1.0, max(0.0, float(covariance[0, 1] / ((1 + ratio) * covariance[1, 1]).clamp_min(1e-12))))


def _corrections(
    predicted: Tensor, labels: Tensor, truth: Tensor, rows: Tensor, inverse: Tensor, weight: float
) -> Tensor:
    """What checked samples say of the joint shares beyond the matrix, (B, K, K), for each draw of rows (B, n)."""
    K, (B, n) = len(inverse), rows.shape
    corrections = torch.zeros(B, K, K, dtype=torch.float64)
    for b in range(B):
        p, y, t = predicted[rows[b]], labels[rows[b]], truth[rows[b]]
        seen = torch.bincount(p * K + t, minlength=K * K).double().reshape(K, K)
        through = torch.bincount(p * K + y, minlength=K * K).double().reshape(K, K) @ inverse.T
        corrections[b] = (seen - weight * through) / n
    return corrections


def _joint(counts: Tensor, inverse: Tensor) -> Tensor:
    """Joint shares (B, K, K) of predictions and true classes, of counts[b, prediction, label]."""
    return (counts / counts.sum(dim=(1, 2), keepdim=True)) @ inverse.mT


def _figures(joint: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Accuracy (B,), recall (B, K), macro-F1 (B,) and the joint shares themselves, (B, K, K)."""
    right = joint.diagonal(dim1=1, dim2=2)
    true, predicted = joint.sum(dim=1), joint.sum(dim=2)
    recall = torch.where(true > 1e-9, right / true.clamp_min(1e-9), torch.nan)
    both = true + predicted
    f1 = torch.where(both > 1e-9, 2 * right / both.clamp_min(1e-9), 0.0).clamp(0, 1)
    return right.sum(dim=1), recall, f1.mean(dim=1), joint


def _std(values: Tensor) -> Tensor:
    """Of each column, draws without a value left out."""
    kept = ~values.isnan()
    n = kept.sum(dim=0)
    filled = values.nan_to_num(0.0)
    mean = filled.sum(dim=0) / n.clamp_min(1)
    squares = torch.where(kept, (filled - mean).square(), 0.0).sum(dim=0)
    return (squares / (n - 1).clamp_min(1)).sqrt()


def _cut(value: Tensor) -> float:
    return min(1.0, max(0.0, float(value)))


def _interval(value: float, spread: float) -> tuple[float, float]:
    return min(1.0, max(0.0, value - spread)), max(0.0, min(1.0, value + spread))

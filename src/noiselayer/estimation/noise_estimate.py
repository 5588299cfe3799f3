"""What an estimation of label noise found, how far it is from the truth, and two estimates made into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.estimation.inverse import noise_matrix_from_inverse
from noiselayer.estimation.uncertainty import normal_quantile
from noiselayer.estimation.validate import like, to_double


@dataclass(frozen=True, eq=False)
class NoiseEstimate:
    """An estimated noise matrix with its errors: tensors, or NumPy arrays where no tensor came in.

    Attributes:
        noise_matrix: Q, shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        inverse_noise_matrix: R, shape (K, K), ``[i, j] = p(true = i | noisy = j)``, columns sum to 1. A label
            that never occurs has the class prior in its column.
        class_prior: p(true = i), shape (K,), sums to 1.
        method: How it was estimated: "inverse", "sparse", "pairs", "gold_loss_correction" or "combined".
        standard_error: Shape (K, K), of every entry of ``noise_matrix``; infinite where the data say nothing;
            None where the number of samples was not given. From a bootstrap it is the scatter of the whole
            procedure, and 1.96 of it make no interval: draws are projected as the estimate is, so that an entry
            that came out close to 0 by chance scatters too little; use ``interval``. In closed form it is that of
            the estimate before it is projected: too large near 0 and 1 and for a sparse estimate, never a quiet
            zero.
        interval: Lower and upper ends, each of shape (K, K), or None. A sparse entry of 0 has one too.
        confidence: The share of true entries that the intervals are meant to cover.
        condition_number: Of C*, how many times its relative errors may grow in R; None where no C* was used.
        outside_simplex: How far the raw R lay outside the probability matrices: the largest L1 distance by
            which projection moved a column; None where there was no raw R.
        sparsity: The weight of the sparsity penalty that was used; None for other methods.
        warnings: What the user should know before using the matrix, in whole sentences.

    >>> from noiselayer.estimation import estimate_from_pairs
    >>> estimate = estimate_from_pairs(torch.tensor([0] * 8 + [1] * 8), torch.tensor([0] * 6 + [1] * 10), 2)
    >>> low, high = estimate.interval
    >>> f"{low[1, 0]:.2f} to {high[1, 0]:.2f}"  # p(noisy = 1 | true = 0), 2 of 8
    '0.07 to 0.59'
    """

    noise_matrix: Tensor
    inverse_noise_matrix: Tensor
    class_prior: Tensor
    method: str
    standard_error: Tensor | None = None
    interval: tuple[Tensor, Tensor] | None = None
    confidence: float = 0.95
    condition_number: float | None = None
    outside_simplex: float | None = None
    sparsity: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.noise_matrix)


def relative_l1_error(estimate: Any, truth: Any) -> float:
    r"""The distance of two noise matrices, :math:`\sum |\hat Q - Q| / \sum |Q|`.

    Columns sum to 1, so it is also the mean L1 distance of a column: 0 for the same matrix, 2 for columns
    that share no entry.

    Args:
        estimate: Shape (K, K), ``[j, i] = p(noisy = j | true = i)``.
        truth: Shape (K, K), the same orientation.

    Raises:
        ValueError: If the shapes differ.

    >>> relative_l1_error(torch.eye(2), torch.tensor([[0.75, 0.0], [0.25, 1.0]]))
    0.25
    """
    estimate, truth = as_tensor(estimate, "estimate"), as_tensor(truth, "truth")
    if estimate.shape != truth.shape or estimate.ndim != 2:
        raise ValueError(
            f"estimate and truth must both have shape (K, K); got {tuple(estimate.shape)} and "
            f"{tuple(truth.shape)}."
        )
    exact = truth.cpu().double()
    return float((estimate.cpu().double() - exact).abs().sum() / exact.abs().sum())


def combine_estimates(first: NoiseEstimate, second: NoiseEstimate) -> NoiseEstimate:
    r"""Average two estimates of one noise matrix, every column by its variances.

    .. math:: \hat q_i = w_i a_i + (1 - w_i) b_i, \qquad
              w_i = \frac{1 / \sum_j \sigma_{a,ji}^2}{1 / \sum_j \sigma_{a,ji}^2 + 1 / \sum_j \sigma_{b,ji}^2}

    The case in mind: confusions on a large noisy set (:func:`estimate_from_predictions`) and pairs on the
    trusted one (:func:`estimate_from_pairs`). Neither always wins. Both may rest on the same trusted samples:
    given the class, the model's answers there and the annotator's are taken to be independent.

    One weight per column, not per entry: an entry that came out small by chance has a small standard error
    too, and would be believed for it. So a column also stays on the simplex, and no projection is needed.

    Args:
        first: An estimate with standard errors and intervals; its ``class_prior`` is the one kept.
        second: Another, of the same classes.

    Returns:
        The combination, of tensors if one of the estimates is; ``method`` is "combined", the warnings are those of
        both. The ends of its intervals are as far from it as the square root of the weighted squares of the two (Zou
        and Donner 2008).

    Raises:
        ValueError: If an estimate has no standard errors, or the numbers of classes or the
            confidences differ.

    >>> from noiselayer.estimation import estimate_from_pairs
    >>> few = estimate_from_pairs(torch.tensor([0] * 10 + [1] * 10), torch.tensor([0] * 12 + [1] * 8), 2)
    >>> many = estimate_from_pairs(torch.tensor([0] * 90 + [1] * 90), torch.tensor([0] * 90 + [1] * 90), 2)
    >>> combine_estimates(few, many).noise_matrix[:, 1]  # 0.23 of one and 0.005 of the other, but few are few
    tensor([0.0064, 0.9936])
    """
    if first.num_classes != second.num_classes:
        raise ValueError(
            "both estimates must be of the same classes; got "
            f"{first.num_classes} and {second.num_classes} classes."
        )
    if first.confidence != second.confidence:
        raise ValueError(
            f"both estimates must have intervals of one confidence; got {first.confidence} and "
            f"{second.confidence}."
        )
    given = first.noise_matrix, second.noise_matrix
    reference = as_tensor(first.noise_matrix)
    a, a_variance, a_low, a_high = _parts(first, "first", reference)
    b, b_variance, b_low, b_high = _parts(second, "second", reference)
    # The other's share of the variance is the weight; two that know nothing share alike.
    w = (b_variance / (a_variance + b_variance)).nan_to_num(nan=0.5)
    w = torch.where(a_variance.isinf(), torch.where(b_variance.isinf(), 0.5, 0.0), w)
    w = torch.where(b_variance.isinf() & a_variance.isfinite(), 1.0, w)
    Q = w * a + (1 - w) * b

    def together(from_a: Tensor, from_b: Tensor) -> Tensor:
        return (
            (w * from_a).nan_to_num(nan=0.0).square() + ((1 - w) * from_b).nan_to_num(nan=0.0).square()
        ).sqrt()

    assert first.standard_error is not None
    assert second.standard_error is not None
    error = together(
        to_double(as_tensor(first.standard_error)), to_double(as_tensor(second.standard_error)).to(a.device)
    )
    low, high = Q - together(a - a_low, b - b_low), Q + together(a_high - a, b_high - b)
    # Between two estimates that cannot tell an entry from 0, neither can their mean.
    low = torch.where((a_low <= 0) & (b_low <= 0), 0.0, low)
    high = torch.where((a_high >= 1) & (b_high >= 1), 1.0, high)
    R, _ = noise_matrix_from_inverse(Q, to_double(as_tensor(first.class_prior)))  # Bayes' rule runs both ways
    result = NoiseEstimate(
        noise_matrix=like(Q, reference),
        inverse_noise_matrix=like(R, reference),
        class_prior=as_tensor(first.class_prior),
        method="combined",
        standard_error=like(error, reference),
        interval=(like(low.clamp(0, 1), reference), like(high.clamp(0, 1), reference)),
        confidence=first.confidence,
        condition_number=first.condition_number,
        warnings=first.warnings + second.warnings,
    )
    return in_kind(result, *given)


def _parts(estimate: NoiseEstimate, name: str, reference: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Q, the variance of every column, and both ends of the intervals, in double precision."""
    if estimate.standard_error is None or estimate.interval is None:
        raise ValueError(
            f"the {name} estimate has no standard_error to weigh it by. Estimate it with clean_counts and "
            "noisy_counts, or from predictions."
        )
    home = to_double(reference).device
    Q, low, high = (
        to_double(as_tensor(values)).to(home) for values in (estimate.noise_matrix, *estimate.interval)
    )
    variance = to_double(as_tensor(estimate.standard_error)).to(home).square().sum(dim=0)
    # In a bootstrap a column may never have moved. That is no certainty: its intervals know better.
    z = normal_quantile(estimate.confidence)
    from_intervals = ((high - low) / (2 * z)).square().sum(dim=0)
    return Q, torch.where(variance > 0, variance, from_intervals), low, high

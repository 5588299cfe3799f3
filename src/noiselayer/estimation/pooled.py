"""Two estimates of the same noise matrix made into one."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.estimation.inverse import noise_matrix_from_inverse
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.uncertainty import normal_quantile
from noiselayer.estimation.validate import like, to_double

__all__ = ["combine_estimates"]


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
    return cast("NoiseEstimate", in_kind(result, *given))


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

"""Two estimates of the same noise matrix made into one."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor

from noiselayer.estimation.inverse import noise_matrix_from_inverse
from noiselayer.estimation.precision import like, to_double
from noiselayer.estimation.result import NoiseEstimate
from noiselayer.simplex import project

__all__ = ["combine_estimates"]


def combine_estimates(first: NoiseEstimate, second: NoiseEstimate) -> NoiseEstimate:
    r"""Average two estimates of one noise matrix, every entry by its variances, and project the columns.

    .. math:: \hat q = \frac{a / \sigma_a^2 + b / \sigma_b^2}{1 / \sigma_a^2 + 1 / \sigma_b^2}, \qquad
              \sigma^{-2} = \sigma_a^{-2} + \sigma_b^{-2}

    The case in mind: confusions on a large noisy set (:func:`estimate_from_predictions`) and pairs on the
    trusted one (:func:`estimate_from_pairs`). Neither always wins. Both may rest on the same trusted samples:
    what they share, the draw of those samples, enters the one through the model's answers and the other
    through the annotator's, which are independent given the class.

    A standard error of 0, from a bootstrap in which an entry never left 0, does not silence the other
    estimate: it counts as the smallest other one of its column.

    Args:
        first: An estimate with standard errors; its ``class_prior`` is the one kept.
        second: Another, of the same classes.

    Returns:
        The combination; ``method`` is "combined", the warnings are those of both.

    Raises:
        ValueError: If an estimate has no standard errors or the numbers of classes differ.

    >>> from noiselayer.estimation import estimate_from_pairs
    >>> few = estimate_from_pairs(torch.tensor([0] * 10 + [1] * 10), torch.tensor([0] * 20), 2)
    >>> many = estimate_from_pairs(torch.tensor([0] * 90 + [1] * 90), torch.tensor([0] * 90 + [1] * 90), 2)
    >>> combine_estimates(few, many).noise_matrix[:, 1]
    tensor([0.0208, 0.9792])
    """
    if first.num_classes != second.num_classes:
        raise ValueError(
            f"both estimates must be of the same classes; got {first.num_classes} and {second.num_classes} "
            "classes."
        )
    errors = []
    for name, estimate in (("first", first), ("second", second)):
        if estimate.standard_error is None:
            raise ValueError(
                f"the {name} estimate has no standard_error to weigh it by. Estimate it with clean_counts "
                "and "
                "noisy_counts, or from predictions."
            )
        errors.append(_floored(to_double(estimate.standard_error)))
    a, b = to_double(first.noise_matrix), to_double(second.noise_matrix).to(errors[0].device)
    precision_a, precision_b = errors[0] ** -2, errors[1].to(a.device) ** -2
    total = precision_a + precision_b
    known = total > 0
    # Where neither knows anything, the plain mean.
    mean = torch.where(known, (a * precision_a + b * precision_b) / total.clamp_min(1e-300), (a + b) / 2)
    error = total**-0.5
    Q = project(mean)
    z = NormalDist().inv_cdf(0.5 + first.confidence / 2)
    low, high = (mean - z * error).clamp(0, 1), (mean + z * error).clamp(0, 1)
    prior = to_double(first.class_prior)
    R, _ = noise_matrix_from_inverse(Q, prior)
    reference = first.noise_matrix
    return NoiseEstimate(
        noise_matrix=like(Q, reference),
        inverse_noise_matrix=like(R, reference),
        class_prior=first.class_prior,
        method="combined",
        standard_error=like(error, reference),
        interval=(like(torch.minimum(low, Q), reference), like(torch.maximum(high, Q), reference)),
        confidence=first.confidence,
        condition_number=first.condition_number,
        warnings=first.warnings + second.warnings,
    )


def _floored(error: Tensor) -> Tensor:
    """Zeros replaced by the smallest other error of their column; columns of zeros alone by 1e-6."""
    positive = torch.where(error > 0, error, torch.inf)
    smallest = positive.amin(dim=0, keepdim=True)
    smallest = torch.where(smallest.isfinite(), smallest, 1e-6)
    return torch.where(error > 0, error, smallest)

"""Gold loss correction: the noise matrix from a model of the noisy labels (Hendrycks et al. 2018)."""

from __future__ import annotations

from typing import Any, cast

import torch

from noiselayer.arrays.tensors import in_kind
from noiselayer.estimation.inverse import noise_matrix_from_inverse
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.uncertainty import interval
from noiselayer.estimation.validate import (
    check_labels,
    check_probs,
    check_same_samples,
    like,
    listing,
    to_double,
)

__all__ = ["gold_loss_correction"]


def gold_loss_correction(
    clean_labels: Any, noisy_label_probs: Any, *, confidence: float = 0.95
) -> NoiseEstimate:
    r"""Column i of Q as the mean predicted distribution of noisy labels over trusted samples of class i.

    .. math:: \hat q_{ji} = \frac{1}{|G_i|} \sum_{x \in G_i} \hat p(\tilde y = j \mid x)

    An alternative to §3.2 that needs no noisy set at hand, only a model trained on it *to predict noisy
    labels*. It asks more of that model: its probabilities must be calibrated. An overconfident model gives a
    Q that is too clean, and what it confuses by itself is added to the noise. The standard errors count the
    scatter over trusted samples alone, not these faults. Prefer :func:`estimate_from_predictions` where both
    sets are at hand. Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        clean_labels: Shape (N,), true labels, integers 0..K-1; every class must be there.
        noisy_label_probs: Shape (N, K), the model's p(noisy = j | x) on the same samples, out of sample.
        confidence: Of the intervals, between 0 and 1.

    Returns:
        The estimate, of tensors if an argument was one, else of NumPy arrays; ``class_prior`` is that of the trusted
        set.

    Raises:
        TypeError: If labels are not integers or ``noisy_label_probs`` no floating-point tensor.
        ValueError: If probabilities or labels are out of range, lengths differ or a class has no sample.

    >>> probs = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]])
    >>> gold_loss_correction(torch.tensor([0, 0, 1]), probs).noise_matrix
    tensor([[0.7000, 0.1000],
            [0.3000, 0.9000]])
    """
    reference = check_probs(noisy_label_probs, None, name="noisy_label_probs")
    K = reference.shape[1]
    probs = to_double(reference)
    labels = check_labels(clean_labels, K, name="clean_labels").to(probs.device)
    check_same_samples(labels, probs, "clean_labels and noisy_label_probs")
    n = torch.bincount(labels, minlength=K).double()
    absent = (n == 0).nonzero().flatten().tolist()
    if absent:
        raise ValueError(
            f"clean_labels has no sample of {listing(absent)}, whose column is then unknown. Add some."
        )
    mean = probs.new_zeros(K, K).index_add_(0, labels, probs).T / n
    square = probs.new_zeros(K, K).index_add_(0, labels, probs.square()).T / n
    # One sample tells nothing of its own scatter: infinite.
    error = ((square - mean.square()).clamp_min(0) / (n - 1)).sqrt().nan_to_num_(nan=torch.inf)
    prior = n / n.sum()
    R, _ = noise_matrix_from_inverse(mean / mean.sum(0), prior)
    low, high = interval(mean, error, confidence)
    result = NoiseEstimate(
        noise_matrix=like(mean / mean.sum(0), reference),
        inverse_noise_matrix=like(R, reference),
        class_prior=like(prior, reference),
        method="gold_loss_correction",
        standard_error=like(error, reference),
        interval=(like(low, reference), like(high, reference)),
        confidence=confidence,
    )
    return cast("NoiseEstimate", in_kind(result, clean_labels, noisy_label_probs))

"""The noise matrix from trusted samples alone: from their noisy labels, or from a model of the noisy labels."""

from __future__ import annotations

import math
from typing import Any

import torch

from noiselayer.arrays.kinds import check_count, check_number
from noiselayer.arrays.tensors import in_kind
from noiselayer.estimation.inverse import noise_matrix_from_inverse
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.uncertainty import interval, wilson
from noiselayer.estimation.validate import (
    check_labels,
    check_probs,
    check_same_samples,
    like,
    listing,
    to_double,
)


def estimate_from_pairs(
    true_labels: Any,
    noisy_labels: Any,
    num_classes: int,
    *,
    prior_strength: float = 1.0,
    confidence: float = 0.95,
) -> NoiseEstimate:
    r"""Count pairs: Q where the noisy annotator has labelled the trusted set too.

    A crowd, a heuristic or a language model can often be run on the trusted samples as well. Then no model is
    needed. A column of Q is a multinomial with a Dirichlet prior of total weight s (``prior_strength``),
    spread evenly; with n_ji pairs its posterior mean is

    .. math:: q_{ji} = \frac{n_{ji} + s / K}{n_{\cdot i} + s}

    Only the trusted samples count here, so its error is that of n_i draws per column, whatever the model. The
    confusions of §3.2 use the noisy set as well, but pay for the model's errors: they win when the trusted
    set is small and the model good, and :func:`combine_estimates` need not choose.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        true_labels: Shape (N,), integers 0..K-1.
        noisy_labels: Shape (N,), what the annotator said of the same samples.
        num_classes: K.
        prior_strength: s, as many imagined samples in every column, at least 0.
        confidence: Of the intervals, between 0 and 1. They are Wilson's score intervals of the counts, in
            which the prior has no part (it would claim too much for pairs never seen).

    Returns:
        The estimate, in the default floating type, of tensors if an argument was one, else of NumPy arrays. Its
        ``standard_error`` is the posterior standard deviation; ``class_prior`` is that of the trusted set.

    Raises:
        TypeError: If labels are not integers.
        ValueError: If labels are out of range, lengths differ, there are none, or a class has no sample and
            ``prior_strength`` is 0. (With a prior that column is the prior, and a warning says so.)

    >>> estimate = estimate_from_pairs(torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 1]), 2)
    >>> estimate.noise_matrix
    tensor([[0.6250, 0.1667],
            [0.3750, 0.8333]])
    """
    check_count(num_classes, "num_classes", 2)
    check_number(prior_strength, "prior_strength")
    prior_strength = float(prior_strength)
    if not 0 <= prior_strength < math.inf:
        raise ValueError(
            f"prior_strength is a number of imagined samples, finite and at least 0; got {prior_strength}."
        )
    true = check_labels(true_labels, num_classes, name="true_labels").cpu()
    noisy = check_labels(noisy_labels, num_classes, name="noisy_labels").cpu()
    check_same_samples(true, noisy, "true_labels and noisy_labels", at_least_one=True)
    K, s = num_classes, prior_strength
    counts = torch.bincount(noisy * K + true, minlength=K * K).reshape(K, K).double()
    n = counts.sum(dim=0)
    absent = (n == 0).nonzero().flatten().tolist()
    warnings: tuple[str, ...] = ()
    if absent and s == 0:
        raise ValueError(
            f"true_labels has no sample of {listing(absent)}, whose column is then unknown. Add some, or "
            "give a prior_strength above 0."
        )
    if absent:
        warnings = (
            f"No pair with a true label of {listing(absent)}: those columns of noise_matrix are the prior.",
        )
    Q = (counts + s / K) / (n + s)
    error = (Q * (1 - Q) / (n + s + 1)).sqrt()
    low, high = wilson(counts / n.clamp_min(1), n, confidence)
    prior = n / n.sum()
    R, _ = noise_matrix_from_inverse(Q, prior)  # Bayes' rule runs both ways
    dtype = torch.get_default_dtype()
    result = NoiseEstimate(
        noise_matrix=Q.to(dtype),
        inverse_noise_matrix=R.to(dtype),
        class_prior=prior.to(dtype),
        method="pairs",
        standard_error=error.to(dtype),
        interval=(torch.minimum(low, Q).to(dtype), torch.maximum(high, Q).to(dtype)),
        confidence=confidence,
        warnings=warnings,
    )
    return in_kind(result, true_labels, noisy_labels)


def gold_loss_correction(
    clean_labels: Any, noisy_label_probs: Any, *, confidence: float = 0.95
) -> NoiseEstimate:
    r"""Column i of Q as the mean predicted distribution of noisy labels over trusted samples of class i.

    .. math:: \hat q_{ji} = \frac{1}{|G_i|} \sum_{x \in G_i} \hat p(\tilde y = j \mid x)

    Hendrycks et al. (2018). It needs no noisy set at hand, as §3.2 does, only a model trained on it *to predict noisy
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
    return in_kind(result, clean_labels, noisy_label_probs)

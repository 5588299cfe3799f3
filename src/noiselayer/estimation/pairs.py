"""The noise matrix from samples that carry both their true and their noisy label."""

from __future__ import annotations

from typing import Any, cast

import torch

from noiselayer.arrays.tensors import in_kind
from noiselayer.estimation.inverse import noise_matrix_from_inverse
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.uncertainty import wilson
from noiselayer.estimation.validate import check_labels, check_same_samples, listing

__all__ = ["estimate_from_pairs"]


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
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2; got {num_classes}.")
    if not prior_strength >= 0:
        raise ValueError(f"prior_strength is a number of imagined samples, at least 0; got {prior_strength}.")
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
            "give a "
            "prior_strength above 0."
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
    return cast("NoiseEstimate", in_kind(result, true_labels, noisy_labels))

"""The noise matrix from a model's predictions on a trusted and on a noisy set (§3.2)."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from noiselayer.arrays.tensors import in_kind
from noiselayer.estimation.confusion import ConfusionCounts
from noiselayer.estimation.evidence import CountEvidence, Evidence, Sample, SampleEvidence, columns_of
from noiselayer.estimation.from_confusions import estimate_from_evidence
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.validate import (
    check_labels,
    check_options,
    check_probs,
    listing,
    to_double,
    where_double,
)

__all__ = ["estimate_from_predictions"]


def estimate_from_predictions(
    clean_probs: Any,
    clean_labels: Any,
    noisy_probs: Any,
    noisy_labels: Any,
    *,
    soft: bool = True,
    method: str = "auto",
    sparsity: float | None = None,
    num_bootstrap: int = 200,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> NoiseEstimate:
    """Estimate Q from what one model predicts on samples with true labels and on samples with noisy ones.

    Both confusion matrices are measured here and given to the methods of :func:`estimate_noise_matrix`; the
    standard errors come from drawing the samples of both sets again.

    The predictions must be out of sample: of a model that was fitted to neither set, or cross-fitted (every
    sample predicted by a model that had not seen it). A model that has seen the noisy labels repeats them,
    and its C~ shows less noise than there is. It need not be calibrated, nor good.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        clean_probs: Shape (N, K), probabilities (not logits) on the trusted set.
        clean_labels: Shape (N,), its true labels; every class must be there.
        noisy_probs: Shape (M, K), the same model's on the noisy set.
        noisy_labels: Shape (M,), its noisy labels.
        soft: Average the probabilities. If False, count the largest one only.
        method: "inverse", "sparse" or "auto".
        sparsity: The weight of the penalty for "sparse"; cross-validated if None.
        num_bootstrap: Draws for ``standard_error``, each of which costs an estimate (for ten classes a
            millisecond, for a thousand seconds); 0 for the closed form.
        confidence: Of the intervals, between 0 and 1. They are in closed form, whatever ``num_bootstrap`` is:
            percentiles of a bootstrap cover too little where a class was predicted with few mistakes or none.
        generator: Of cross-validation and bootstrap, on the CPU; a fixed seed if None.

    Returns:
        The estimate, in the floating type and on the device of ``clean_probs``; of tensors if an argument was one,
        else of NumPy arrays.

    Raises:
        TypeError: If labels are not integers or probabilities no floating-point tensors.
        ValueError: If probabilities or labels are out of range, lengths differ, the trusted set lacks a
            class, all noisy labels are of one class, C* is singular and the method is "inverse", or an option
            is unknown.

    >>> from noiselayer import corrupt_labels
    >>> from noiselayer.noise import pair_flip
    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.arange(30_000) % 3
    >>> probs = (2 * torch.eye(3)[truth] + torch.randn(30_000, 3, generator=generator)).softmax(dim=1)
    >>> noisy_labels = corrupt_labels(truth, pair_flip(3, 0.4), generator=generator)
    >>> estimate = estimate_from_predictions(probs[:3000], truth[:3000], probs[3000:], noisy_labels[3000:])
    >>> (estimate.noise_matrix - pair_flip(3, 0.4)).abs().max() < 0.05
    tensor(True)
    """
    check_options(method, sparsity, num_bootstrap, confidence)
    given = clean_probs, clean_labels, noisy_probs, noisy_labels
    clean_probs = check_probs(clean_probs, None, name="clean_probs")
    K = clean_probs.shape[1]
    noisy_probs = check_probs(noisy_probs, K, name="noisy_probs")
    clean_given = check_labels(clean_labels, K, name="clean_labels")
    noisy_given = check_labels(noisy_labels, K, name="noisy_labels")
    for side, probs, labels in (("clean", clean_probs, clean_given), ("noisy", noisy_probs, noisy_given)):
        if len(probs) != len(labels):
            raise ValueError(
                f"{side}_probs and {side}_labels must be of the same samples; got {len(probs)} and "
                f"{len(labels)}."
            )
    present = torch.bincount(clean_given, minlength=K)
    if bool((present == 0).any()):
        raise ValueError(
            f"clean_labels has no sample of {listing((present == 0).nonzero().flatten().tolist())}; the "
            "confusion of "
            "a class needs some. Add trusted samples, or leave the class out of both sets."
        )
    seen = torch.bincount(noisy_given, minlength=K).nonzero()
    if len(seen) < 2:
        what = f"all noisy labels are of class {int(seen)}" if len(seen) else "noisy_labels is empty"
        raise ValueError(f"{what}: labels that are all the same say nothing about noise.")

    evidence: Evidence
    if soft:
        home = where_double(clean_probs).device
        evidence = SampleEvidence(
            where_double(clean_probs),
            clean_given.to(home),
            where_double(noisy_probs).to(home),
            noisy_given.to(home),
        )
    else:
        evidence = CountEvidence(
            Sample(*_counts(clean_probs, clean_given), *_counts(noisy_probs, noisy_given))
        )
    whole = evidence.whole
    estimate = estimate_from_evidence(
        columns_of(whole.clean_sums, whole.clean_counts),
        columns_of(whole.noisy_sums, whole.noisy_counts),
        whole.noisy_counts / whole.noisy_counts.sum(),
        evidence,
        method=method,
        sparsity=sparsity,
        num_bootstrap=num_bootstrap,
        confidence=confidence,
        generator=generator,
        reference=clean_probs,
    )
    return cast("NoiseEstimate", in_kind(estimate, *given))


def _counts(probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    counts = ConfusionCounts(probs.shape[1])
    counts.update(labels, predicted_labels=probs.argmax(dim=1))
    return counts.sums, to_double(counts.num_samples)

"""The noise matrix and its errors: from two confusion matrices, or from the predictions behind them (§3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.estimation.confusion import ConfusionCounts
from noiselayer.estimation.cross_validation import choose_sparsity
from noiselayer.estimation.evidence import (
    CountEvidence,
    Evidence,
    Sample,
    SampleEvidence,
    columns_of,
    fixed_generator,
)
from noiselayer.estimation.inverse import inverse_noise_matrix, is_singular, noise_matrix_from_inverse
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.sparse_inverse import sparse_inverse_noise_matrix
from noiselayer.estimation.uncertainty import about_condition, about_counts, about_fit, first_order, interval
from noiselayer.estimation.validate import (
    check_counts,
    check_labels,
    check_options,
    check_pair,
    check_probs,
    check_same_samples,
    like,
    listing,
    to_double,
    where_double,
)
from noiselayer.noise.simplex import project

_FLOOR = 1e-6  # of p(true = i): what Bayes' rule may divide by
_DRAW_TOLERANCE = 1e-6  # of a bootstrap draw: its error is far below the spread that the draws are for


def estimate_noise_matrix(
    clean_confusion: Any,
    noisy_confusion: Any,
    noisy_label_frequencies: Any,
    *,
    method: str = "auto",
    sparsity: float | None = None,
    clean_counts: Any = None,
    noisy_counts: Any = None,
    num_bootstrap: int = 0,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> NoiseEstimate:
    """Estimate Q from the confusions of one model on trusted and on noisy labels (§3.2).

    The model may be any whose answers tell the classes apart, if it was fitted to neither of the two sets. R
    is found by one of the methods below, made a probability matrix by Euclidean projection (never by
    dividing), and turned into Q by Bayes' rule. The result says what had to be corrected on the way.

    - "inverse": :func:`inverse_noise_matrix`, projected.
    - "sparse": :func:`sparse_inverse_noise_matrix` with ``sparsity``, or if that is None with the weight that
      :func:`select_sparsity` finds, which may be 0.
    - "auto": "sparse" with the weight by cross-validation if the counts are given, else with weight 0, which
      for exact confusions is the inverse.

    Array-likes of any kind are taken: lists, NumPy, pandas, polars, torch.

    Args:
        clean_confusion: Shape (K, K), C*: column = given (true) label, row = prediction.
        noisy_confusion: Shape (K, K), C~: the same model's on noisy data, column = noisy label. The column of
            a label that never occurs is not read and may be NaN.
        noisy_label_frequencies: Shape (K,), p(noisy = j), sums to 1.
        method: "inverse", "sparse" or "auto".
        sparsity: The weight of the penalty for "sparse", at least 0.
        clean_counts: Shape (K,), how many samples are behind every column of ``clean_confusion``. With
            ``noisy_counts`` they give standard errors and intervals. They are taken as counts of decisions;
            for averaged probabilities the errors come out too large: :func:`estimate_from_predictions` has
            them right.
        noisy_counts: Shape (K,), how many are behind every column of ``noisy_confusion``.
        num_bootstrap: Draws for ``standard_error``; 0 for the closed form, which costs one matrix inverse.
        confidence: Of the intervals, between 0 and 1.
        generator: Of cross-validation and bootstrap, on the CPU; a fixed seed if None.

    Returns:
        The estimate, in the floating type and on the device of ``clean_confusion``; of tensors if an argument was
        one, else of NumPy arrays.

    Raises:
        TypeError: If a matrix is no floating-point tensor.
        ValueError: If a matrix is no confusion matrix, sizes differ, all noisy labels are of one class, C* is
            singular and the method is "inverse", a class has a clean count of 0, or an option is unknown.

    >>> C = torch.tensor([[0.8, 0.3], [0.2, 0.7]])
    >>> noisy = torch.tensor([[0.74, 0.5], [0.26, 0.5]])
    >>> estimate = estimate_noise_matrix(
    ...     C, noisy, torch.tensor([0.5, 0.5]),
    ...     clean_counts=torch.tensor([500, 500]), noisy_counts=torch.tensor([5000, 5000]),
    ... )
    >>> estimate.noise_matrix
    tensor([[0.6875, 0.1667],
            [0.3125, 0.8333]])
    >>> estimate.standard_error
    tensor([[0.0152, 0.0365],
            [0.0152, 0.0365]])
    """
    given = clean_confusion, noisy_confusion, noisy_label_frequencies, clean_counts, noisy_counts
    clean_confusion = as_tensor(clean_confusion, "clean_confusion")
    noisy_confusion = as_tensor(noisy_confusion, "noisy_confusion")
    noisy_label_frequencies = as_tensor(noisy_label_frequencies, "noisy_label_frequencies")
    K = check_pair(clean_confusion, noisy_confusion, noisy_label_frequencies)
    check_options(method, sparsity, num_bootstrap, confidence)
    C = to_double(clean_confusion)
    frequencies = to_double(noisy_label_frequencies).to(C.device)
    frequencies = frequencies / frequencies.sum()
    noisy = torch.where(frequencies > 0, to_double(noisy_confusion).to(C.device), 1 / K)
    evidence = None
    if (clean_counts is None) != (noisy_counts is None):
        raise ValueError("clean_counts and noisy_counts must be given together: errors come from both sides.")
    if clean_counts is not None and noisy_counts is not None:
        n = check_counts(clean_counts, K, name="clean_counts", needed=torch.ones(K, dtype=torch.bool))
        m = check_counts(noisy_counts, K, name="noisy_counts", needed=(frequencies > 0).cpu())
        n, m = n.to(C.device), m.to(C.device)
        evidence = CountEvidence(Sample(C * n, n, noisy * m, m))
    elif num_bootstrap:
        raise ValueError("num_bootstrap needs clean_counts and noisy_counts: how many samples to draw again.")
    estimate = _estimate(
        C,
        noisy,
        frequencies,
        evidence,
        clean_confusion,
        method=method,
        sparsity=sparsity,
        num_bootstrap=num_bootstrap,
        confidence=confidence,
        generator=generator,
    )
    return in_kind(estimate, *given)


def estimate_from_predictions(
    clean_probs: Any,
    clean_labels: Any,
    noisy_probs: Any,
    noisy_labels: Any,
    *,
    soft: bool = True,
    method: str = "auto",
    sparsity: float | None = None,
    num_bootstrap: int = 0,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> NoiseEstimate:
    """Estimate Q from what one model predicts on samples with true labels and on samples with noisy ones.

    Both confusion matrices are measured here and given to the methods of :func:`estimate_noise_matrix`.

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
        num_bootstrap: Draws of the samples of both sets for ``standard_error``, each of which costs an estimate (for
            ten classes a millisecond, for a thousand seconds); 0 for the closed form, 1.96 of which cover as they
            should, and more where the model makes hardly any mistakes. Those of a bootstrap cover too little there,
            and where entries are close to 0.
        confidence: Of the intervals, between 0 and 1. They are in closed form, whatever ``num_bootstrap`` is.
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
        check_same_samples(probs, labels, f"{side}_probs and {side}_labels")
    present = torch.bincount(clean_given, minlength=K)
    if bool((present == 0).any()):
        raise ValueError(
            f"clean_labels has no sample of {listing((present == 0).nonzero().flatten().tolist())}; the "
            "confusion of a class needs some. Add trusted samples, or leave the class out of both sets."
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
    estimate = _estimate(
        columns_of(whole.clean_sums, whole.clean_counts),
        columns_of(whole.noisy_sums, whole.noisy_counts),
        whole.noisy_counts / whole.noisy_counts.sum(),
        evidence,
        clean_probs,
        method=method,
        sparsity=sparsity,
        num_bootstrap=num_bootstrap,
        confidence=confidence,
        generator=generator,
    )
    return in_kind(estimate, *given)


def _counts(probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    counts = ConfusionCounts(probs.shape[1])
    counts.update(labels, predicted_labels=probs.argmax(dim=1))
    return counts.sums, to_double(counts.num_samples)


def _estimate(
    C: Tensor,
    noisy: Tensor,
    frequencies: Tensor,
    evidence: Evidence | None,
    reference: Tensor,
    *,
    method: str,
    sparsity: float | None,
    num_bootstrap: int,
    confidence: float,
    generator: torch.Generator | None,
) -> NoiseEstimate:
    """:func:`estimate_noise_matrix` on checked float64 matrices; results in the type of ``reference``."""
    generator = generator or fixed_generator()
    occurs = frequencies > 0
    warnings = []
    if not bool(occurs.all()):
        absent = (~occurs).nonzero().flatten().tolist()
        warnings.append(f"The noisy labels never say {listing(absent)}: the row of noise_matrix is 0 there.")
    warnings += about_condition(C, evidence)

    raw = outside = None
    if method == "inverse" or not is_singular(C):
        raw = inverse_noise_matrix(C, noisy)
        outside = float(((project(raw) - raw).abs().sum(0) * occurs).amax())
    if method == "auto" or (method == "sparse" and sparsity is None):
        sparsity = 0.0
        if evidence is not None:
            sparsity = choose_sparsity(evidence, frequencies, generator=generator).sparsity
        method = "sparse"
    sparsity = sparsity if method == "sparse" else None
    R, Q, prior = _solve(C, noisy, frequencies, sparsity)
    R = torch.where(occurs, R, prior.unsqueeze(-1))

    vanished = ((R * frequencies).sum(-1) < _FLOOR).nonzero().flatten().tolist()
    if vanished:
        warnings.append(
            f"No noisy label has {listing(vanished)} behind it: such a column of noise_matrix is not determined "
            "and was set to the frequencies of the noisy labels. Check that the noisy data contain the class."
        )
    error = ends = None
    if evidence is not None:
        warnings += about_counts(evidence)
        if raw is None:
            error = torch.full_like(Q, torch.inf)
            ends = (torch.zeros_like(Q), torch.ones_like(Q))
        else:
            first = first_order(C, noisy, frequencies, evidence)
            warnings += about_fit(first, occurs, skip=vanished)
            error = first.noise_matrix_error
            low, high = interval(first.noise_matrix, error, confidence)
            ends = (torch.minimum(low, Q), torch.maximum(high, Q))
        if num_bootstrap and raw is not None:  # of one of many that fit, the scatter says nothing
            error = _bootstrap_error(evidence, sparsity, num_bootstrap, generator)
    return NoiseEstimate(
        noise_matrix=like(Q, reference),
        inverse_noise_matrix=like(R, reference),
        class_prior=like(prior, reference),
        method=method,
        standard_error=None if error is None else like(error, reference),
        interval=None if ends is None else (like(ends[0], reference), like(ends[1], reference)),
        confidence=confidence,
        condition_number=float(torch.linalg.cond(C)),
        outside_simplex=outside,
        sparsity=sparsity,
        warnings=tuple(warnings),
    )


def _solve(
    C: Tensor, noisy: Tensor, frequencies: Tensor, sparsity: float | None, *, tolerance: float = 1e-10
) -> tuple[Tensor, Tensor, Tensor]:
    """R, Q and p(true = i); the plain inverse, projected, if ``sparsity`` is None. Batched."""
    if sparsity is None and is_singular(C):
        sparsity = 0.0  # one of the bootstrap draws
    if sparsity is None:
        R = project(inverse_noise_matrix(C, noisy))
    else:
        R = sparse_inverse_noise_matrix(C, noisy, sparsity, tolerance=tolerance)
    return R, *noise_matrix_from_inverse(R, frequencies, floor=_FLOOR)


def _bootstrap_error(
    evidence: Evidence, sparsity: float | None, num_bootstrap: int, generator: torch.Generator
) -> Tensor:
    """The standard deviation of Q over new draws of all samples, at the same weight of the penalty."""
    count, mean, squares = 0, torch.zeros(1), torch.zeros(1)  # running: all draws would not fit in memory
    for draw in evidence.resample(num_bootstrap, generator):
        C = columns_of(draw.clean_sums, draw.clean_counts)
        noisy = columns_of(draw.noisy_sums, draw.noisy_counts)
        pi = draw.noisy_counts / draw.noisy_counts.sum(-1, keepdim=True)
        _, Q, _ = _solve(C, noisy, pi, sparsity, tolerance=_DRAW_TOLERANCE)
        # Chan's update of the mean and the sum of squares about it by a batch.
        of_batch, total = Q.mean(dim=0), count + len(Q)
        shift = of_batch - mean.to(Q)
        squares = squares.to(Q) + (Q - of_batch).square().sum(dim=0) + shift.square() * count * len(Q) / total
        mean, count = mean.to(Q) + shift * len(Q) / total, total
    return (squares / (count - 1)).sqrt()

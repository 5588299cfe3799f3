"""One label per sample from several, and what each of their annotators is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noiselayer.annotators.dependence import dependent_pairs
from noiselayer.annotators.em import Answer, maximise, posterior_of
from noiselayer.annotators.estimates import AnnotatorEstimate, CombinedLabels
from noiselayer.annotators.model_evidence import Evidence
from noiselayer.annotators.skill_intervals import precision_of
from noiselayer.annotators.votes import Votes, votes_of
from noiselayer.arrays.class_labels import MISSING, class_numbers
from noiselayer.arrays.kinds import check_confidence, check_names
from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.estimation.uncertainty import wilson
from noiselayer.estimation.validate import check_probs
from noiselayer.losses.annotator_rows import check_stack

_LABELS_TO_CALIBRATE = 1.5  # labels per sample that tell a model's probabilities from the annotators' errors


def combine_labels(
    labels: Any,
    annotators: Any = None,
    samples: Any = None,
    *,
    probs: Any = None,
    true_labels: Any = None,
    noise_matrices: Any = None,
    class_prior: Any = None,
    calibrate: bool | None = None,
    num_classes: int | None = None,
    num_annotators: int | None = None,
    annotator_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> CombinedLabels:
    r"""The true class of every sample from what several annotators, and perhaps a model, say of it.

    .. math:: p(y^* = i \mid \tilde y, x) \propto w_i(x) \prod_s Q_{s\, \tilde y_s\, i}

    with w the class prior or, with ``probs``, what a model says of the sample. The matrices are estimated by
    expectation-maximisation (Dawid and Skene 1979), each drawn to what is common to all annotators by as much
    as it has too few labels, see :func:`noiselayer.annotators.fit_prior`.

    Annotators are taken to err independently of each other given the class. Where two agree in errors more than
    that, a warning says so: their common errors then pass for the truth.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        labels: Shape (N, S), a column per annotator, -1, None or NaN where it gave none. Or shape (M,), one label
            after another, with ``annotators``. Class numbers, or names where ``class_names`` says their order.
        annotators: Shape (M,), which annotator gave each label, integers from 0.
        samples: Shape (M,), of which sample; one label per sample if None.
        probs: Shape (N, K), out-of-sample probabilities of a model: fitted to none of the labels that its
            samples carry, or cross-fitted.
        true_labels: Shape (N,), the true class of samples that have been checked; -1, None or NaN for
            others.
        noise_matrices: Shape (S, K, K), ``[s, j, i] = p(annotator s says j | true = i)``, columns sum to 1, if
            they are known. Estimated if None.
        class_prior: Shape (K,), with ``noise_matrices``; uniform if None. Not used where ``probs`` are given.
        calibrate: Sharpen and shift ``probs`` so that they agree with what the annotators say. If None, where
            samples carry 1.5 labels and more on average: with fewer, a model that repeats the annotators' errors
            cannot be told from annotators without errors.
        num_classes: K; if None that of ``probs``, of ``class_names``, or the largest label and one.
        num_annotators: S; if None the number of columns, of ``annotator_names``, or the largest number and one.
        annotator_names: For tables and messages.
        class_names: In the order of the classes, for names among the labels, tables and messages.
        confidence: Of the intervals.

    Returns:
        Posterior and labels of every sample, and the annotators' matrices with errors: NumPy arrays, or tensors
        if one was given.

    Raises:
        TypeError: If labels, annotators or samples are not integers.
        ValueError: If shapes do not fit, a number is out of range, matrices are none, probabilities are none,
            or there is nothing to learn from: every sample has one label, no model and no true class.

    >>> from noiselayer.noise import symmetric
    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.arange(3000) % 3
    >>> Q = torch.stack([symmetric(3, rate) for rate in (0.2, 0.3, 0.3, 0.5)])
    >>> votes = torch.stack([torch.multinomial(q.T[truth], 1, generator=generator)[:, 0] for q in Q], dim=1)
    >>> combined = combine_labels(votes)
    >>> bool((combined.labels == truth).float().mean() > (votes[:, 0] == truth).float().mean())
    True
    >>> combined.annotators.accuracy.sub(torch.tensor([0.8, 0.7, 0.7, 0.5])).abs().max() < 0.05
    tensor(True)
    """
    check_confidence(confidence)
    given = (labels, annotators, samples, probs, true_labels, noise_matrices, class_prior)
    check_names(class_names, "class_names")
    check_names(annotator_names, "annotator_names")
    labels = class_numbers(labels, "labels", class_names, missing=True).cpu()
    probs, noise_matrices, class_prior = (
        None if values is None else as_tensor(values, name)
        for values, name in (
            (probs, "probs"),
            (noise_matrices, "noise_matrices"),
            (class_prior, "class_prior"),
        )
    )
    if noise_matrices is not None and noise_matrices.ndim != 3:
        raise ValueError(
            f"noise_matrices must have shape (S, K, K), one per annotator; got {tuple(noise_matrices.shape)}."
        )
    if num_classes is None:
        known = noise_matrices.shape[-1] if noise_matrices is not None else None
        width = probs.shape[-1] if probs is not None else None
        num_classes = known or width or (len(class_names) if class_names is not None else None)
    if num_annotators is None and annotator_names is not None:
        num_annotators = len(annotator_names)
    if num_annotators is None and noise_matrices is not None:
        num_annotators = len(noise_matrices)
    checked = (
        None if true_labels is None else class_numbers(true_labels, "true_labels", class_names, missing=True)
    )
    for name, one in (("probs", probs), ("true_labels", checked)):
        if one is not None and one.ndim == 0:
            raise ValueError(f"{name} must have an entry for every sample; got a single number.")
    N = len(probs) if probs is not None else (len(checked) if checked is not None else None)
    votes = votes_of(
        labels, annotators, samples, num_classes=num_classes, num_annotators=num_annotators, num_samples=N
    )
    _check_names(annotator_names, votes.num_annotators, "annotator_names", "annotator")
    _check_names(class_names, votes.num_classes, "class_names", "class")
    truth = None if checked is None else _check_truth(checked, votes)
    evidence = None
    if probs is not None:
        check_probs(probs, votes.num_classes, name="probs")
        evidence = Evidence.of(probs)
    if noise_matrices is not None:
        return in_kind(_with_known(votes, noise_matrices, evidence, class_prior, truth, labels), *given)
    if class_prior is not None:
        raise ValueError("class_prior goes with noise_matrices; where these are estimated, so is the prior.")
    per_sample = len(votes) / max(1, int((votes.tally().sum(dim=1) > 0).sum()))
    if per_sample == 1 and evidence is None and (truth is None or not bool((truth >= 0).any())):
        raise ValueError(
            "every sample has one label, so nothing tells right ones from wrong ones. Give probs, a model's "
            "out-of-sample probabilities, or true_labels of some samples, or several labels per sample."
        )
    if calibrate is None:
        calibrate = per_sample >= _LABELS_TO_CALIBRATE
    answer = maximise(votes, evidence=evidence, calibrate=calibrate, true_labels=truth)
    names = None if annotator_names is None else tuple(annotator_names)
    notes = _notes(votes, answer, names)
    estimate = _estimate(
        votes, answer, truth, confidence, names, None if class_names is None else tuple(class_names), notes
    )
    label_errors, by_annotator = _wrong(votes, answer.posterior, labels)
    combined = CombinedLabels(
        labels=_hard(votes, answer.posterior, evidence, truth),
        posterior=answer.posterior.float(),
        label_errors=label_errors,
        wrong_by_annotator=by_annotator,
        annotators=estimate,
        temperature=None if answer.evidence is None else 1 / answer.evidence.sharpness,
        warnings=notes,
    )
    return in_kind(combined, *given)


def estimate_annotator_matrices(
    labels: Any, annotators: Any = None, samples: Any = None, **options: Any
) -> AnnotatorEstimate:
    """A noise matrix for each annotator, with intervals: :func:`combine_labels` without the labels.

    What it is learned from: ``true_labels`` of samples that have been checked, ``probs`` of a model, several
    labels of the same samples, or all of these. An annotator that has labelled much gets a matrix of its own, one
    that has labelled little what is common to all, with its own share of errors.

    Args:
        labels: As in :func:`combine_labels`: shape (N, S), or (M,) with ``annotators``.
        annotators: Shape (M,).
        samples: Shape (M,).
        **options: Of :func:`combine_labels`, but for ``noise_matrices``.

    Raises:
        TypeError: As :func:`combine_labels` does, or if matrices are given.
        ValueError: As :func:`combine_labels` does.

    >>> truth = torch.tensor([0, 0, 0, 1, 1, 1] * 50)
    >>> annotators = torch.tensor([0, 1] * 150)
    >>> labels = torch.where(annotators == 1, 0, truth)  # annotator 1 knows one word
    >>> found = estimate_annotator_matrices(labels, annotators, true_labels=truth)
    >>> found.accuracy.round(decimals=1)
    tensor([1.0000, 0.5000])
    """
    if "noise_matrices" in options:
        raise TypeError("noise_matrices are what is estimated here; use combine_labels where they are known.")
    found = combine_labels(labels, annotators, samples, **options).annotators
    assert found is not None
    return found


def _with_known(
    votes: Votes,
    noise_matrices: Tensor,
    evidence: Evidence | None,
    class_prior: Tensor | None,
    truth: Tensor | None,
    labels: Tensor,
) -> CombinedLabels:
    check_stack(noise_matrices, num_classes=votes.num_classes, name="noise_matrices")
    if len(noise_matrices) != votes.num_annotators:
        raise ValueError(
            f"noise_matrices holds {len(noise_matrices)} matrices, but there are {votes.num_annotators} annotators."
        )
    K = votes.num_classes
    prior = torch.full((K,), 1 / K) if class_prior is None else class_prior
    if tuple(prior.shape) != (K,) or bool((prior < 0).any()) or abs(float(prior.sum()) - 1) > 1e-3:
        raise ValueError(f"class_prior must be {K} shares that sum to 1, one per class.")
    log_prior = prior.double().log() if evidence is None else evidence.log_prior()
    posterior = posterior_of(votes, noise_matrices.detach().cpu(), log_prior, truth)
    label_errors, by_annotator = _wrong(votes, posterior, labels)
    return CombinedLabels(
        labels=_hard(votes, posterior, evidence, truth),
        posterior=posterior.float(),
        label_errors=label_errors,
        wrong_by_annotator=by_annotator,
        annotators=None,
        temperature=None if evidence is None else 1.0,
    )


def _wrong(votes: Votes, posterior: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which labels are wrong, in the shape in which they came, and how many of each annotator."""
    error = 1 - posterior[votes.samples, votes.labels]
    by_annotator = torch.zeros(votes.num_annotators, dtype=torch.float64).index_add_(
        0, votes.annotators, error
    )
    shaped = torch.full(labels.shape, torch.nan)
    shaped[labels != MISSING] = error.float()
    return shaped, by_annotator


def _hard(votes: Votes, posterior: Tensor, evidence: Evidence | None, truth: Tensor | None) -> Tensor:
    labels = posterior.argmax(dim=1)
    if evidence is None:
        seen = torch.zeros(votes.num_samples, dtype=torch.bool)
        seen[votes.samples] = True
        if truth is not None:
            seen |= truth >= 0
        labels = labels.masked_fill(~seen, -1)
    return labels


def _estimate(
    votes: Votes,
    answer: Answer,
    truth: Tensor | None,
    confidence: float,
    annotator_names: tuple[str, ...] | None,
    class_names: tuple[str, ...] | None,
    notes: tuple[str, ...],
) -> AnnotatorEstimate:
    Q, dtype = answer.noise_matrices, torch.get_default_dtype()
    precision = precision_of(votes, answer, truth)
    n = precision.entries
    low, high = wilson(Q, n, confidence)
    accuracy = (Q.diagonal(dim1=1, dim2=2) * answer.class_prior).sum(dim=1)
    worst, best = wilson(accuracy, precision.accuracy, confidence)
    return AnnotatorEstimate(
        noise_matrices=Q.to(dtype),
        common_matrix=answer.prior.common.to(dtype),
        class_prior=answer.class_prior.to(dtype),
        strength=answer.prior.strength.to(dtype),
        num_labels=votes.per_annotator,
        standard_error=(Q * (1 - Q) / n).sqrt().to(dtype),
        interval=(low.to(dtype), high.to(dtype)),
        accuracy=accuracy.to(dtype),
        accuracy_interval=(worst.to(dtype), best.to(dtype)),
        confidence=confidence,
        annotator_names=annotator_names,
        class_names=class_names,
        warnings=notes,
    )


def _notes(votes: Votes, answer: Answer, names: tuple[str, ...] | None) -> tuple[str, ...]:
    def named(s: int) -> str:
        return names[s] if names else f"annotator {s}"

    notes = []
    silent = (votes.per_annotator == 0).nonzero().flatten().tolist()
    if silent:
        shown = ", ".join(named(s) for s in silent[:8]) + (", ..." if len(silent) > 8 else "")
        notes.append(f"No label by {shown}: there the matrix is what is common to all.")
    for one in dependent_pairs(votes, answer)[:1]:
        notes.append(
            f"Annotators do not err independently: {named(one.first)} and {named(one.second)} give the same label "
            f"{one.observed:.1%} of the time, and independent errors would have them agree {one.expected:.1%}. Errors "
            "that some annotators share, perhaps others than these two, pass for the truth, and those look better "
            "than they are. Checked samples (true_labels) or a model (probs) help."
        )
    if not answer.converged:
        notes.append(f"The matrices still moved after {answer.rounds} rounds of expectation-maximisation.")
    return tuple(notes)


def _check_truth(true_labels: Tensor, votes: Votes) -> Tensor:
    if tuple(true_labels.shape) != (votes.num_samples,):
        raise ValueError(
            f"true_labels must have shape ({votes.num_samples},), one per sample and -1 where unknown; got "
            f"{tuple(true_labels.shape)}."
        )
    low, high = (int(k) for k in true_labels.aminmax())
    if low < -1 or high >= votes.num_classes:
        raise ValueError(
            f"true_labels must lie in 0..{votes.num_classes - 1}, or be -1 where unknown; got "
            f"{low if low < -1 else high}."
        )
    return true_labels.cpu()


def _check_names(names: Sequence[str] | None, number: int, what: str, one: str) -> None:
    if names is not None and len(names) != number:
        raise ValueError(f"{what} must be {number}, one per {one}; got {len(names)}.")

"""The audit of labels that come from several annotators, each through a noise matrix of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from noiselayer.annotators.combine_labels import combine_labels
from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.arrays.class_labels import class_numbers
from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.audit import AuditResult, audit_labels
from noiselayer.audit.candidates import candidates_of
from noiselayer.audit.noise_model import NoiseModel


def audit_annotators(
    labels: Any,
    probs: Any,
    annotators: Any,
    *,
    noise_matrix: Any = None,
    probs_predict: Literal["given", "true"] | None = None,
    verified: Any = None,
    annotator_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> CombinedLabels:
    """Find wrong labels where annotators differ, and say which annotator is how good at what.

    An audit that takes all annotators for one, :func:`noiselayer.audit_labels`, finds what the probabilities say of the
    true classes: how sharp they are, and how much of the noise they repeat. With that as evidence every annotator gets
    a matrix of its own, drawn to what is common, and every label is judged by its annotator's.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        labels: Shape (N,), one label per sample: integers 0..K-1, or names where ``class_names`` says their order.
        probs: Shape (N, K), out-of-sample probabilities, as for :func:`noiselayer.audit_labels`.
        annotators: Shape (N,), integers from 0, who gave each label.
        noise_matrix: Shape (K, K), columns = true classes, of all annotators together, if it is known better than
            the probabilities tell it.
        probs_predict: "given" or "true", required; see :func:`noiselayer.audit_labels`.
        verified: Shape (N,), bool: labels that are known to be right. They tell nothing of their annotator: who
            verified them chose them.
        annotator_names: For tables and messages.
        class_names: In the order of the classes, for names among the labels, tables and messages.
        confidence: Of the intervals.

    Returns:
        ``label_errors``, the probability that each label is wrong, ``labels``, what they should be,
        ``wrong_by_annotator``, how many of each annotator's are expected to be wrong, verified ones not counted, and
        ``annotators``, their matrices. NumPy arrays, or tensors if one was given.

    Raises:
        TypeError: If numbers are not integers or probabilities no floating-point numbers.
        ValueError: If shapes do not fit or probabilities are none.
        IndexError: If a label is out of range.

    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.arange(3000) % 3
    >>> scores = 2 * torch.eye(3)[truth] + torch.randn(3000, 3, generator=generator)
    >>> annotators = torch.arange(3000) // 1500
    >>> wrong = (torch.rand(3000, generator=generator) < 0.4) & (annotators == 1)  # the second is careless
    >>> labels = torch.where(wrong, (truth + 1) % 3, truth)
    >>> found = audit_annotators(labels, (2 * scores).softmax(dim=1), annotators, probs_predict="true")
    >>> (found.annotators.accuracy - torch.tensor([1.0, 0.6])).abs().max() < 0.05
    tensor(True)
    """
    arrays = (labels, probs, annotators, noise_matrix, verified)
    given, p = class_numbers(labels, "labels", class_names).cpu(), as_tensor(probs, "probs")
    audit = audit_labels(
        given,
        p,
        noise_matrix,
        probs_predict=probs_predict,
        verified=verified,
        class_names=class_names,
        check_model=False,
    )
    numbers = as_tensor(annotators, "annotators").cpu()
    if tuple(numbers.shape) != tuple(given.shape):
        raise ValueError(
            f"annotators must have shape ({len(given)},), one per label; got {tuple(numbers.shape)}."
        )
    if verified is None:
        unverified = torch.arange(len(given))
    else:
        unverified = (~as_tensor(verified, "verified").cpu()).nonzero().flatten()
    found = combine_labels(
        given[unverified],
        numbers[unverified],
        probs=_evidence(audit, given, p)[unverified],
        calibrate=False,
        num_annotators=int(numbers.max()) + 1 if annotator_names is None else None,
        annotator_names=annotator_names,
        class_names=class_names,
        confidence=confidence,
    )
    K = audit.noise_matrix.shape[0]
    posterior = torch.nn.functional.one_hot(given, K).float()
    posterior[unverified] = found.posterior
    suggested, errors = given.clone(), torch.zeros(len(given))
    suggested[unverified], errors[unverified] = found.labels, found.label_errors
    judged = replace(
        found,
        labels=suggested,
        posterior=posterior,
        label_errors=errors,
        temperature=audit.temperature,
        warnings=(*audit.warnings, *found.warnings),
    )
    return in_kind(judged, *arrays)


def _evidence(audit: AuditResult, labels: Tensor, probs: Tensor) -> Tensor:
    """What an audit takes a sample's class to be before it has looked at the label, shape (N, K)."""
    model = NoiseModel(audit.noise_matrix.float(), 1 / (audit.temperature or 1.0), audit.learned_share)
    samples = candidates_of(probs.float().cpu(), labels)
    w = samples.dense(model.true_probs(samples), probs.shape[1])
    return w / w.sum(dim=1, keepdim=True)

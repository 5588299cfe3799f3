"""The audit of estimators that predict true classes through a noise matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from noiselayer.audit import AuditResult, audit_labels
from noiselayer.audit.neighbours import Rows, mixed_with_neighbours

_OPTIONS = ("verified", "threshold", "top", "calibrate", "check_model")


def check_audit_options(options: dict[str, Any]) -> None:
    """Raise before anything is trained if an estimator's audit cannot follow one of its options.

    >>> check_audit_options({"annotators": [0, 1]})
    Traceback (most recent call last):
    ...
    TypeError: audit takes the options verified, threshold, top, calibrate and check_model; got annotators. ...
    """
    for name in options.keys() - set(_OPTIONS):
        more = {
            "class_names": "The classes are the sorted labels: give y by name where they have names.",
            "annotators": "Which label came from whom is for noiselayer.annotators.audit_annotators, with out-of-fold "
            "probabilities.",
        }.get(name, "Others are for noiselayer.audit_labels, with out-of-fold probabilities.")
        raise TypeError(
            f"audit takes the options {', '.join(_OPTIONS[:-1])} and {_OPTIONS[-1]}; got {name}. {more}"
        )


def audited(
    labels: Tensor, probs: Tensor, noise_matrix: Tensor, *, learned_from: Tensor | Rows | None, **options: Any
) -> AuditResult:
    """Judge labels through a matrix, unless it was learned and holds the estimator's own mistakes.

    It does where neighbours explain the labels better than both, p(noisy) = Q p(true), do. Then these are mixed with
    the neighbours' labels, and the audit finds the noise itself.

    Args:
        labels: Shape (N,), the given labels.
        probs: Shape (N, K), of the true class, out of sample.
        noise_matrix: Shape (K, K), columns = true classes.
        learned_from: Shape (N, D), or a function of positions that gives these rows, if the matrix was learned from
            noisy labels alone and samples are numbers.
        **options: Of :func:`noiselayer.audit_labels`; ``standard_error`` is of the matrix.
    """
    if learned_from is not None:
        noisy = probs @ noise_matrix.to(probs.dtype).T
        mixed = mixed_with_neighbours(labels, noisy / noisy.sum(dim=1, keepdim=True), learned_from)
        if mixed is not None:
            options = {
                name: value for name, value in options.items() if name not in ("standard_error", "calibrate")
            }
            found = audit_labels(labels, mixed.probs, probs_predict="given", **options)
            return replace(found, warnings=(mixed.warning, *found.warnings))
    return audit_labels(labels, probs, noise_matrix, probs_predict="true", **options)

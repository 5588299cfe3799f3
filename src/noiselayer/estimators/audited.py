"""The audit of estimators that predict true classes through a noise matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from noiselayer.audit import AuditResult, audit_labels
from noiselayer.audit.neighbours import Rows, mixed_with_neighbours


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

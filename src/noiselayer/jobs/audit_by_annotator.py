"""Labels that come from several annotators: every one is judged by its annotator's noise matrix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noiselayer.annotators import audit_annotators
from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.audit import AuditResult
from noiselayer.audit.verdict import best_threshold
from noiselayer.data import LabeledData


def judged_by_annotator(
    result: AuditResult,
    data: LabeledData,
    probs: Tensor,
    *,
    threshold: float | None = None,
    top: int | None = None,
) -> tuple[AuditResult, CombinedLabels]:
    """The audit with rows, verdicts and suggestions by each annotator's own matrix, and what was found of them.

    The counts stay those of the common matrix, which is the annotators' mean, and so do their intervals.

    >>> from noiselayer import audit_labels
    >>> from noiselayer.data import from_arrays
    >>> truth = torch.arange(900) % 3
    >>> annotators = torch.arange(900) % 2
    >>> wrong = (torch.rand(900, generator=torch.Generator().manual_seed(0)) < 0.3) & (annotators == 1)
    >>> labels = torch.where(wrong, (truth + 1) % 3, truth)
    >>> probs = torch.nn.functional.one_hot(truth, 3) * 0.85 + 0.05
    >>> data = from_arrays(torch.zeros(900, 1), labels).with_annotators(annotators, "a doctest")
    >>> audit, found = judged_by_annotator(audit_labels(labels, probs, probs_predict="true"), data, probs)
    >>> bool((audit.is_error == wrong).all()), found.annotators.annotator_names
    (True, ('0', '1'))
    """
    assert data.annotators is not None
    found = audit_annotators(
        data.given,
        probs,
        data.annotators,
        noise_matrix=result.noise_matrix.double(),
        probs_predict=result.probs_predict,
        annotator_names=data.annotator_names,
        class_names=data.class_names,
    )
    errors = found.label_errors
    cut = best_threshold(errors) if threshold is None else threshold
    order = errors.argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    kept = torch.arange(len(order)) if top is None else order[:top]
    flagged = errors > cut
    # A label that is called wrong is never suggested again.
    others = found.posterior.scatter(1, data.given.unsqueeze(1), -1.0).argmax(dim=1)
    suggested = torch.where(flagged, others, found.labels)
    judged = replace(
        result,
        samples=kept,
        labels=data.given[kept],
        error_probability=errors[kept],
        suggested_label=suggested[kept],
        is_error=flagged[kept],
        rank=rank[kept],
        flagged=int(flagged.sum()),
        threshold=cut,
        warnings=tuple(dict.fromkeys((*result.warnings, *found.warnings))),
    )
    return judged, found


def whole_probs(probs: Any) -> Tensor:
    """All probabilities at once, wherever they come from: annotators are judged in memory.

    >>> whole_probs(lambda: iter([([0], [[0.5, 0.5]]), ([1], [[0.25, 0.75]])]))
    tensor([[0.5000, 0.5000],
            [0.2500, 0.7500]])
    """
    if callable(probs):
        return torch.cat([torch.as_tensor(np.asarray(part), dtype=torch.float32) for _, part in probs()])
    if isinstance(probs, str | Path):
        probs = np.load(probs, allow_pickle=False)
    return torch.as_tensor(probs)

"""What is known of the sources, as plain types for a file."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from noiselayer.annotators.estimates import CombinedLabels, SourceEstimate

__all__ = ["describe_sources"]

_CONFUSIONS = 10


def describe_sources(combined: CombinedLabels, sources: SourceEstimate, num_samples: int) -> dict[str, Any]:
    """Every source's labels, accuracy, matrix and strongest confusions, with intervals and names.

    Matrices are lists of rows, ``[j][i] = p(source says j | true = i)``: columns are true classes, and sum to 1.

    Args:
        combined: Labels of all samples.
        sources: Who gave them.
        num_samples: N.

    >>> import torch
    >>> from noiselayer.annotators import combine_labels
    >>> combined = combine_labels(torch.tensor([[0, 0], [1, 1], [1, 0]] * 30), class_names=["cat", "dog"])
    >>> described = describe_sources(combined, combined.sources, 90)
    >>> described["classes"], [source["labels"] for source in described["sources"]]
    (['cat', 'dog'], [90, 90])
    """
    return {
        "samples": num_samples,
        "labels": int(sources.num_labels.sum()),
        "expected_wrong": _number(combined.expected_wrong),
        "classes": [sources.class_name(k) for k in range(sources.num_classes)],
        "class_prior": _numbers(sources.class_prior),
        "confidence": sources.confidence,
        "orientation": "noise_matrix[j][i] = p(source says classes[j] | true class is classes[i])",
        "common_matrix": _numbers(sources.common_matrix),
        "warnings": list(combined.warnings),
        "sources": [_source(combined, sources, s) for s in range(sources.num_sources)],
    }


def _source(combined: CombinedLabels, sources: SourceEstimate, s: int) -> dict[str, Any]:
    return {
        "name": sources.source_name(s),
        "labels": int(sources.num_labels[s]),
        "expected_wrong": _number(float(combined.wrong_by_source[s])),
        "accuracy": _number(float(sources.accuracy[s])),
        "accuracy_interval": [_number(float(end[s])) for end in sources.accuracy_interval],
        "confusions": [
            {
                "true": sources.class_name(c.true),
                "says": sources.class_name(c.given),
                "probability": _number(c.probability),
                "interval": [_number(c.low), _number(c.high)],
                "share_of_labels": _number(c.share),
            }
            for c in sources.confusions(s, _CONFUSIONS)
        ],
        "noise_matrix": _numbers(sources.noise_matrices[s]),
        "noise_matrix_low": _numbers(sources.interval[0][s]),
        "noise_matrix_high": _numbers(sources.interval[1][s]),
    }


def _number(value: float) -> float | None:
    """To six digits after the point; None for what JSON lacks."""
    return round(value, 6) if math.isfinite(value) else None


def _numbers(values: Tensor) -> Any:
    if values.ndim == 1:
        return [_number(value) for value in values.tolist()]
    return [_numbers(row) for row in values]

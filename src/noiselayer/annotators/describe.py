"""What is known of the annotators, as plain types for a file."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from noiselayer.annotators.estimates import AnnotatorEstimate, CombinedLabels

_CONFUSIONS = 10


def describe_annotators(
    combined: CombinedLabels, annotators: AnnotatorEstimate, num_samples: int
) -> dict[str, Any]:
    """Every annotator's labels, accuracy, matrix (a list of rows) and strongest confusions, with intervals and names.

    >>> import torch
    >>> from noiselayer.annotators import combine_labels
    >>> combined = combine_labels(torch.tensor([[0, 0], [1, 1], [1, 0]] * 30), class_names=["cat", "dog"])
    >>> described = describe_annotators(combined, combined.annotators, 90)
    >>> described["classes"], [annotator["labels"] for annotator in described["annotators"]]
    (['cat', 'dog'], [90, 90])
    """
    return {
        "samples": num_samples,
        "labels": int(annotators.num_labels.sum()),
        "expected_wrong": _number(combined.expected_wrong),
        "classes": [annotators.class_name(k) for k in range(annotators.num_classes)],
        "class_prior": _numbers(annotators.class_prior),
        "confidence": annotators.confidence,
        "orientation": "noise_matrix[j][i] = p(annotator says classes[j] | true class is classes[i])",
        "common_matrix": _numbers(annotators.common_matrix),
        "warnings": list(combined.warnings),
        "annotators": [_annotator(combined, annotators, s) for s in range(annotators.num_annotators)],
    }


def _annotator(combined: CombinedLabels, annotators: AnnotatorEstimate, s: int) -> dict[str, Any]:
    return {
        "name": annotators.annotator_name(s),
        "labels": int(annotators.num_labels[s]),
        "expected_wrong": _number(float(combined.wrong_by_annotator[s])),
        "accuracy": _number(float(annotators.accuracy[s])),
        "accuracy_interval": [_number(float(end[s])) for end in annotators.accuracy_interval],
        "confusions": [
            {
                "true": annotators.class_name(c.true),
                "says": annotators.class_name(c.given),
                "probability": _number(c.probability),
                "interval": [_number(c.low), _number(c.high)],
                "share_of_labels": _number(c.share),
            }
            for c in annotators.confusions(s, _CONFUSIONS)
        ],
        "noise_matrix": _numbers(annotators.noise_matrices[s]),
        "noise_matrix_low": _numbers(annotators.interval[0][s]),
        "noise_matrix_high": _numbers(annotators.interval[1][s]),
    }


def _number(value: float) -> float | None:
    """To six digits after the point; None for what JSON lacks."""
    return round(value, 6) if math.isfinite(value) else None


def _numbers(values: Tensor) -> Any:
    if values.ndim == 1:
        return [_number(value) for value in values.tolist()]
    return [_numbers(row) for row in values]

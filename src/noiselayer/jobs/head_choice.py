"""When a head on features is fitted instead of training a network, and how long that takes."""

from __future__ import annotations

from typing import Any

from noiselayer.data.labeled import LabeledData
from noiselayer.jobs.option import differing
from noiselayer.training.frozen_head import HEAD, OF_NETWORKS

_EMBEDDINGS_FROM = 64
"""Numbers a sample: vectors of fewer are measurements rather than somebody's embeddings."""


def suits_head(job: Any, data: LabeledData) -> bool:
    """Whether samples are embeddings, and nobody asked for a network, or for what only one has."""
    chosen = differing(job)
    return (
        data.inputs.kind == "vector"
        and data.inputs.shape[0] >= _EMBEDDINGS_FROM
        and data.annotators is None
        and not {"model", *OF_NETWORKS} & set(chosen)
        and chosen.get("method") != "refined"
    )


def about_head(data: LabeledData, method: str) -> str:
    """What is going to be fitted, in a line, with the time that it takes on one core."""
    N, D, K = len(data), data.inputs.shape[0], data.num_classes
    return (
        f"Model {HEAD}: a linear classifier of {D:,} features, about {in_words(head_seconds(N, D, K, method))} on one "
        "core; --model mlp would train a network."
    )


def head_seconds(num_samples: int, num_features: int, num_classes: int, method: str) -> float:
    """About how many seconds :func:`noiselayer.features.fit_head` takes on one core.

    >>> head_seconds(20_000, 512, 4, "normal") < head_seconds(20_000, 512, 4, "learned")
    True
    """
    passes = 10 if method in ("normal", "top-down") else 50  # measured on 5,000 to 20,000 samples
    return 0.5 + 1.7e-9 * passes * num_samples * num_features * (num_classes + 20)


def in_words(seconds: float) -> str:
    """A length of time, roughly.

    >>> in_words(0.4), in_words(42), in_words(300), in_words(9000)
    ('a second', '42 seconds', '5 minutes', '2.5 hours')
    """
    if seconds < 1.5:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"

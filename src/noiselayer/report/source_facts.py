"""What a page says of sources of labels, from the file of figures that stands beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noiselayer.errors import InputError
from noiselayer.files.records import read_json

__all__ = ["MOST_CLASSES", "Share", "SourceClass", "SourceFacts", "Sources", "read_sources", "source_facts"]

MOST_CLASSES = 30
"""With a row of their own in a source's table: those that cost it most labels."""

_LISTED = 1_000  # in the table of all sources
_TABLES = 60  # sources with a table of their own: those with most labels
_LEAST = 0.001  # a confusion that is put in words


@dataclass(frozen=True)
class Share:
    """A share with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SourceClass:
    """How a source does with one true class, and what it takes it for if it errs."""

    name: str
    right: Share
    other: str
    taken: Share | None


@dataclass(frozen=True)
class SourceFacts:
    """How good one source is, at all and class by class."""

    name: str
    labels: int
    wrong: float
    accuracy: Share
    classes: Sequence[SourceClass]


@dataclass(frozen=True)
class Sources:
    """All sources, the best first.

    Attributes:
        listed: Those in the table of all.
        tables: Those with a table of their own.
        total: How many there are.
        num_classes: K.
        confidence: Of the intervals, in percent.
    """

    listed: Sequence[SourceFacts]
    tables: Sequence[SourceFacts]
    total: int
    num_classes: int
    confidence: str


def source_facts(figures: Mapping[str, Any]) -> Sources:
    """What the figures of :func:`noiselayer.annotators.describe.describe_sources` say, in the order of a page.

    Args:
        figures: As they were written, or read again.

    Raises:
        KeyError: If they lack something.

    >>> import torch
    >>> from noiselayer.annotators import combine_labels
    >>> from noiselayer.annotators.describe import describe_sources
    >>> combined = combine_labels(torch.tensor([[0, 0], [1, 1], [1, 0]] * 30), source_names=["ann", "bob"])
    >>> facts = source_facts(describe_sources(combined, combined.sources, 90))
    >>> sorted(source.name for source in facts.listed), facts.confidence
    (['ann', 'bob'], '95')
    """
    sources = figures["sources"]
    best_first = sorted(range(len(sources)), key=lambda s: -sources[s]["accuracy"])
    most_labels = set(sorted(range(len(sources)), key=lambda s: -sources[s]["labels"])[:_TABLES])
    facts = [_facts(figures, one) for one in sources]
    return Sources(
        listed=[facts[s] for s in best_first[:_LISTED]],
        tables=[facts[s] for s in best_first if s in most_labels],
        total=len(sources),
        num_classes=len(figures["classes"]),
        confidence=f"{100 * figures['confidence']:g}",
    )


def read_sources(folder: Path) -> Sources | None:
    """What the file ``sources.json`` in the folder of a run or an audit says; None if there is none.

    Raises:
        InputError: If the file is damaged.

    >>> read_sources(Path("nowhere")) is None
    True
    """
    path = folder / "sources.json"
    if not path.is_file():
        return None
    try:
        return source_facts(read_json(path))
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path} is damaged: {error!r}.") from error


def _facts(figures: Mapping[str, Any], source: Mapping[str, Any]) -> SourceFacts:
    prior, matrix = figures["class_prior"], source["noise_matrix"]
    cost = [(1 - matrix[i][i]) * prior[i] for i in range(len(prior))]
    # The classes it does worst, counted in labels, first where not all fit; else in their own order.
    kept = sorted(sorted(range(len(cost)), key=lambda i: -cost[i])[:MOST_CLASSES])
    return SourceFacts(
        source["name"],
        source["labels"],
        source["expected_wrong"] or 0.0,
        Share(source["accuracy"], *source["accuracy_interval"]),
        [_class(figures["classes"], source, i) for i in kept],
    )


def _class(names: Sequence[str], source: Mapping[str, Any], i: int) -> SourceClass:
    def share(j: int) -> Share:
        return Share(
            *(source[name][j][i] for name in ("noise_matrix", "noise_matrix_low", "noise_matrix_high"))
        )

    j = max((j for j in range(len(names)) if j != i), key=lambda j: source["noise_matrix"][j][i])
    taken = share(j) if source["noise_matrix"][j][i] >= _LEAST else None
    return SourceClass(names[i], share(i), names[j] if taken else "", taken)

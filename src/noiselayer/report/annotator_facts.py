"""What a page says of annotators, from the file of figures that stands beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noiselayer.errors import InputError
from noiselayer.storage.annotators_file import read_annotator_figures

MOST_CLASSES = 30
"""With a row of their own in an annotator's table: those that cost it most labels."""

_LISTED = 1_000  # in the table of all annotators
_TABLES = 60  # annotators with a table of their own: those with most labels
_LEAST = 0.001  # a confusion that is put in words


@dataclass(frozen=True)
class Share:
    """A share with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AnnotatorClass:
    """How an annotator does with one true class, and what it takes it for if it errs."""

    name: str
    right: Share
    other: str
    taken: Share | None


@dataclass(frozen=True)
class AnnotatorFacts:
    """How good one annotator is, at all and class by class."""

    name: str
    labels: int
    wrong: float
    accuracy: Share
    classes: Sequence[AnnotatorClass]


@dataclass(frozen=True)
class Annotators:
    """All annotators, the best first: those in the table of all, and those with a table of their own."""

    listed: Sequence[AnnotatorFacts]
    tables: Sequence[AnnotatorFacts]
    total: int
    num_classes: int
    confidence: str


def annotator_facts(figures: Mapping[str, Any]) -> Annotators:
    """What the figures of :func:`noiselayer.annotators.describe.describe_annotators` say, in the order of a page.

    >>> import torch
    >>> from noiselayer.annotators import combine_labels
    >>> from noiselayer.annotators.describe import describe_annotators
    >>> combined = combine_labels(torch.tensor([[0, 0], [1, 1], [1, 0]] * 30), annotator_names=["ann", "bob"])
    >>> facts = annotator_facts(describe_annotators(combined, combined.annotators, 90))
    >>> sorted(annotator.name for annotator in facts.listed), facts.confidence
    (['ann', 'bob'], '95')
    """
    annotators = figures["annotators"]
    best_first = sorted(range(len(annotators)), key=lambda s: -annotators[s]["accuracy"])
    most_labels = set(sorted(range(len(annotators)), key=lambda s: -annotators[s]["labels"])[:_TABLES])
    facts = [_facts(figures, one) for one in annotators]
    return Annotators(
        listed=[facts[s] for s in best_first[:_LISTED]],
        tables=[facts[s] for s in best_first if s in most_labels],
        total=len(annotators),
        num_classes=len(figures["classes"]),
        confidence=f"{100 * figures['confidence']:g}",
    )


def read_annotators(folder: Path) -> Annotators | None:
    """What the file ``annotators.json`` in the folder of a run or an audit says; None if there is none.

    >>> read_annotators(Path("nowhere")) is None
    True
    """
    figures = read_annotator_figures(folder)
    if figures is None:
        return None
    try:
        return annotator_facts(figures)
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"the file of annotators' figures in {folder} is damaged: {error!r}.") from error


def _facts(figures: Mapping[str, Any], annotator: Mapping[str, Any]) -> AnnotatorFacts:
    prior, matrix = figures["class_prior"], annotator["noise_matrix"]
    cost = [(1 - matrix[i][i]) * prior[i] for i in range(len(prior))]
    # The classes it does worst, counted in labels, first where not all fit; else in their own order.
    kept = sorted(sorted(range(len(cost)), key=lambda i: -cost[i])[:MOST_CLASSES])
    return AnnotatorFacts(
        annotator["name"],
        annotator["labels"],
        annotator["expected_wrong"] or 0.0,
        Share(annotator["accuracy"], *annotator["accuracy_interval"]),
        [_class(figures["classes"], annotator, i) for i in kept],
    )


def _class(names: Sequence[str], annotator: Mapping[str, Any], i: int) -> AnnotatorClass:
    def share(j: int) -> Share:
        return Share(
            *(annotator[name][j][i] for name in ("noise_matrix", "noise_matrix_low", "noise_matrix_high"))
        )

    j = max((j for j in range(len(names)) if j != i), key=lambda j: annotator["noise_matrix"][j][i])
    taken = share(j) if annotator["noise_matrix"][j][i] >= _LEAST else None
    return AnnotatorClass(names[i], share(i), names[j] if taken else "", taken)

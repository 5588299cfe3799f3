"""What a report says, as plain data: builders make it from a run, an audit or the demonstration, a page shows it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.checks import Finding
from noiselayer.estimation.in_words import strongest_confusions
from noiselayer.report.annotator_facts import Annotators
from noiselayer.report.wording import in_prose, percent


@dataclass(frozen=True)
class ClassErrors:
    """How many of the labels of one class, or of all, are wrong.

    Attributes:
        name: The class that the labels name.
        labels: How many samples carry the label.
        expected: How many of these are expected to be wrong.
        low: Lower end of an interval around ``expected``; None if nobody has measured one.
        high: Its upper end.
        flagged: How many are called wrong; None if no verdict was made.
    """

    name: str
    labels: int
    expected: float
    low: float | None = None
    high: float | None = None
    flagged: int | None = None

    @property
    def share(self) -> float:
        """The expected share of wrong labels; 0 for a class that no sample carries.

        >>> ClassErrors("cat", 200, 30.0).share
        0.15
        """
        return self.expected / self.labels if self.labels else 0.0


@dataclass(frozen=True)
class Answer:
    """How many labels are wrong if one thing or another is so: a bar of the picture.

    Attributes:
        assumption: What is then so.
        wrong: How many are wrong; None where no number can be named.
        low: Lower end of an interval; None if there is none.
        high: Its upper end.
    """

    assumption: str
    wrong: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Note:
    """A warning, or a finding of a check.

    Attributes:
        name: A short title.
        message: Whole sentences.
        p_value: Of the test behind it, if there is one.
    """

    name: str
    message: str
    p_value: float | None = None


NO_DATA = "Data not at hand"
"""The title of the note that the data have moved or changed since, so that a page shows less than it could."""


def notes_of(findings: Iterable[Finding]) -> list[Note]:
    """The findings of checks of the noise model."""
    return [Note(f.name.replace("_", " ").capitalize(), f.message, f.p_value) for f in findings]


@dataclass(frozen=True)
class StageLosses:
    """The losses of a stage of training, in nats.

    Attributes:
        name: Of the stage.
        training: Mean training loss of every epoch; None where there is none.
        validation: Loss on held-out labels after every epoch.
        joined: Epochs finished when the noise matrix joined on the way; None if it did not.
        best: The epoch, counted from 0, whose weights were kept.
    """

    name: str
    training: tuple[float | None, ...]
    validation: tuple[float | None, ...]
    joined: int | None = None
    best: int | None = None


def strongest_fact(
    noise_matrix: npt.NDArray[np.float64], standard_error: Any, class_names: Sequence[str]
) -> list[str]:
    """The strongest confusion in a sentence; nothing if none can be told from chance."""
    return [
        f"The strongest confusion: {percent(most.share)} of true {in_prose(class_names[most.true])} carry the label "
        f"{in_prose(class_names[most.label])}."
        for most in strongest_confusions(noise_matrix, standard_error, limit=1, sure=True)
    ]


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong, and something to recognise its sample by.

    Attributes:
        sample: The sample's row, counted from 0.
        id: Its name in the data: a path, or the row as text.
        given: The class, 0..K-1, that the label names; -1 of a sample without a label.
        suggested: The most probable class; -1 if none is suggested.
        probability: That the given label is wrong; NaN if nobody knows.
        image: A data URI, or None.
        pixels: Whether the image is so small that its pixels should be shown as squares.
        text: The sample as text, or None.
        cells: The sample as a row of a table: names of columns and values.
        inclusion_probability: With which the label was drawn to be looked at; None if it was no draw.
    """

    sample: int
    id: str
    given: int
    suggested: int
    probability: float
    image: str | None = None
    pixels: bool = False
    text: str | None = None
    cells: tuple[tuple[str, str], ...] = ()
    inclusion_probability: float | None = None


@dataclass(frozen=True, eq=False)
class ReportContent:
    """All that a page shows.

    Attributes:
        title: Of the page.
        facts: What happened, in whole sentences.
        class_names: The K names.
        figures: A few numbers to stand out: what they are, and their value in words.
        noise_matrix: Shape (K, K), row = noisy label, column = true class, columns sum to 1; None if unknown.
        standard_error: Of its entries, shape (K, K); None if nobody has measured it.
        stages: Losses of every stage of training.
        noise_floor: The loss on noisy labels of a perfect classifier, in nats, where ``stages`` are such.
        total: Wrong labels among all samples; None if unknown.
        answers: How many labels are wrong under one assumption or another; and in words, ``answers_note``.
        answers_note: What to make of them.
        errors: Wrong labels, class by class.
        notes: Warnings and findings.
        suspects: Labels to look at, surest first.
        suspects_note: What is to be known of these, or why there are none.
        apply_command: Words of the command line that turn decisions into corrected labels; None if they
            cannot be applied.
        details: What it was made with: names and values.
        annotators: Who gave the labels and how good each is; None if that is not known.
    """

    title: str
    facts: Sequence[str]
    class_names: Sequence[str]
    figures: Sequence[tuple[str, str]] = ()
    noise_matrix: npt.NDArray[np.float64] | None = None
    standard_error: npt.NDArray[np.float64] | None = None
    stages: Sequence[StageLosses] = ()
    noise_floor: float | None = None
    total: ClassErrors | None = None
    answers: Sequence[Answer] = ()
    answers_note: str = ""
    errors: Sequence[ClassErrors] = ()
    notes: Sequence[Note] = ()
    suspects: Sequence[Suspect] = ()
    suspects_note: str = ""
    apply_command: str | None = None
    details: Sequence[tuple[str, str]] = field(default=())
    annotators: Annotators | None = None

    def __post_init__(self) -> None:
        K = len(self.class_names)
        for name, matrix in (("noise_matrix", self.noise_matrix), ("standard_error", self.standard_error)):
            if matrix is not None and matrix.shape != (K, K):
                raise ValueError(f"{name} must be {K} x {K} for {K} class names; got {matrix.shape}.")
        for suspect in self.suspects:
            if not (-1 <= suspect.given < K and -1 <= suspect.suggested < K):
                raise ValueError(
                    f"suspects must name classes in 0..{K - 1}; sample {suspect.sample} has given = "
                    f"{suspect.given}, suggested = {suspect.suggested}; -1 is none."
                )

    def name_of(self, label: int) -> str:
        """The name of a class, and what stands on the page where there is no label.

        >>> ReportContent("A", [], ["cat"]).name_of(-1)
        'no answer'
        """
        return "no answer" if label < 0 else self.class_names[label]

    @property
    def id(self) -> str:
        """A name by what is to be reviewed: progress in the browser belongs to it, also when the page is written again.

        >>> one = ReportContent("A", [], ["cat", "dog"], suspects=[Suspect(0, "0", 0, 1, 0.9)])
        >>> one.id == ReportContent("B", [], ["cat", "dog"], suspects=one.suspects).id
        True
        """
        reviewed = [list(self.class_names)] + [[s.sample, s.id, s.given, s.suggested] for s in self.suspects]
        return hashlib.blake2b(json.dumps(reviewed).encode(), digest_size=8).hexdigest()

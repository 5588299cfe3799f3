r"""May a labeller stand in for people? The alternative annotator test (Calderon, Reichart and Dror 2025).

Each person j is left out in turn, and two are compared by how often they agree with the other people who labelled the
same sample: the labeller and person j. The share of samples on which the labeller agrees at least as often is
:math:`\rho^f_j`, on which the person does, :math:`\rho^h_j`. A person's label has its price, so the labeller may be a
little worse: it beats person j if :math:`\rho^f_j > \rho^h_j - \varepsilon`, by a one-sided t-test. False discoveries
among all people are held below a rate by Benjamini and Yekutieli's procedure, which holds for tests that depend on each
other. The share of people it beats is the winning rate :math:`\omega`; from a half on it may stand in for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.arrays.class_labels import class_numbers

Array = npt.NDArray[Any]

FEWEST = 30
"""Samples that a person and somebody else labelled, for the t-test to hold."""


@dataclass(frozen=True)
class Duel:
    """The labeller against one person.

    Attributes:
        person: Column of ``people``.
        num_samples: Labelled by this person, another one and, or not, by the labeller.
        labeller: Share of these on which the labeller agrees with the others at least as often as the person does.
        human: Share on which the person agrees with the others at least as often as the labeller does.
        p_value: Of "the labeller is worse than this person by epsilon or more".
        beaten: Whether that is rejected, with all people in view.
    """

    person: int
    num_samples: int
    labeller: float
    human: float
    p_value: float
    beaten: bool


@dataclass(frozen=True)
class StandIn:
    """Whether a labeller may stand in for people.

    Attributes:
        winning_rate: Share of the people in ``duels`` that it beats.
        advantage: Mean share of samples on which it is at least as near to the others as the person left out.
        epsilon: By how much less often it may be, for what people's labels cost.
        duels: One for every person with at least 30 samples that somebody else labelled too.
    """

    winning_rate: float
    advantage: float
    epsilon: float
    duels: tuple[Duel, ...]

    @property
    def passed(self) -> bool:
        """Whether it beats at least half of them."""
        return self.winning_rate >= 0.5


def alternative_annotator_test(
    labels: Any, people: Any, *, epsilon: float = 0.1, false_discoveries: float = 0.05
) -> StandIn:
    """Test whether a labeller agrees with people as well as they do with each other, less ``epsilon``.

    Args:
        labels: Shape (N,), the labeller's class numbers, -1 where it gave none: there it loses.
        people: Shape (N, S), those of S people, -1 where one gave none. Samples of one person alone are not used.
        epsilon: 0.1 against a crowd, 0.15 against trained people, 0.2 against experts, by the authors' advice.
        false_discoveries: The rate that Benjamini and Yekutieli's procedure keeps.

    Raises:
        TypeError: If labels are no integers.
        ValueError: If shapes or values do not fit, or nobody labelled 30 samples that another person labelled too.

    >>> generator = np.random.default_rng(0)
    >>> truth = generator.integers(3, size=200)
    >>> def says(right):
    ...     return np.where(generator.random(200) < right, truth, generator.integers(3, size=200))
    >>> people = np.stack([says(0.7), says(0.7), says(0.7)], axis=1)
    >>> alternative_annotator_test(says(0.9), people).passed, alternative_annotator_test(says(0.2), people).passed
    (True, False)
    """
    f, h = (
        class_numbers(x, name, missing=True).numpy() for x, name in ((labels, "labels"), (people, "people"))
    )
    if f.ndim != 1 or h.ndim != 2 or len(f) != len(h):
        raise ValueError(
            f"labels must have shape (N,) and people (N, S); got {tuple(f.shape)} and {tuple(h.shape)}."
        )
    if h.shape[1] < 2:
        raise ValueError(f"people must hold the labels of two or more, a column each; got {h.shape[1]}.")
    for name, value in (("epsilon", epsilon), ("false_discoveries", false_discoveries)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, as in 0.1; got {value}.")
    given = h >= 0
    compared = []
    for j in range(h.shape[1]):
        others = given.copy()
        others[:, j] = False
        rows = given[:, j] & others.any(axis=1)
        n = int(rows.sum())
        if n < FEWEST:
            continue
        machine, human = (
            ((h[rows] == label[rows, None]) & others[rows]).sum(axis=1) - (label[rows] < 0)
            for label in (f, h[:, j])
        )
        wins, losses = machine >= human, human >= machine
        p = _p_value(losses.astype(float) - wins, epsilon)
        compared.append((j, n, float(wins.mean()), float(losses.mean()), p))
    if not compared:
        raise ValueError(
            f"people must hold somebody who labelled at least {FEWEST} samples that another labelled too; the most "
            f"are {max(int((given[:, j] & (given.sum(axis=1) > 1)).sum()) for j in range(h.shape[1]))}."
        )
    beaten = _discoveries(np.array([row[-1] for row in compared]), false_discoveries)
    duels = tuple(Duel(*row, bool(won)) for row, won in zip(compared, beaten, strict=True))
    advantage = float(np.mean([duel.labeller for duel in duels]))
    return StandIn(float(beaten.mean()), advantage, float(epsilon), duels)


def _p_value(worse: Array, epsilon: float) -> float:
    """Of a mean of at least ``epsilon``, against a smaller one: Student's t, by the angle whose tangent it is."""
    n, spread = len(worse), float(worse.std(ddof=1))
    gap = float(worse.mean()) - epsilon
    if spread == 0:
        return float(gap >= 0)
    angle = atan(gap / (spread / sqrt(n)) / sqrt(n - 1))
    steps = (np.arange(4000) + 0.5) / 4000
    below, everything = (
        float((np.cos(end * steps - pi / 2 * (1 - steps)) ** (n - 2)).sum() * (end + pi / 2))
        for end in (angle, pi / 2)
    )
    return below / everything


def _discoveries(p: Array, rate: float) -> Array:
    """Which hypotheses Benjamini and Yekutieli (2001) reject."""
    m = len(p)
    ranks = np.arange(1, m + 1)
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= rate * ranks / (m * (1 / ranks).sum()))
    rejected = np.zeros(m, dtype=bool)
    rejected[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return rejected

"""The labels that are most surely wrong, by the learned noise matrix and the classifier trained with it."""

from __future__ import annotations

from noiselayer.jobs.demo.digits import Demo
from noiselayer.report import Suspect
from noiselayer.report.find_suspects import find_suspects as find

LIMIT = 60


def find_suspects(demo: Demo, limit: int = LIMIT) -> list[Suspect]:
    """The labels most surely wrong, surest first; ``sample`` is a place among the training samples.

    Args:
        demo: What the demonstration found.
        limit: At most so many.
    """
    return find(demo.learned_logits, demo.noisy_labels, demo.learned_matrix, limit=limit, least=-1)[0]


def label_errors(demo: Demo) -> dict[str, int]:
    """How many training labels are called wrong (more probably than not), rightly so, and how many are.

    Args:
        demo: What the demonstration found.
    """
    flagged = find(demo.learned_logits, demo.noisy_labels, demo.learned_matrix, limit=0)[1] > 0.5
    wrong = demo.noisy_labels != demo.true_labels
    return {
        "flagged": int(flagged.sum()),
        "flagged_and_wrong": int((flagged & wrong).sum()),
        "wrong": int(wrong.sum()),
    }


def really_wrong(demo: Demo, suspects: list[Suspect]) -> int:
    """How many of the suspects are wrong, which only the demonstration knows."""
    return sum(s.given != int(demo.true_labels[s.sample]) for s in suspects)

"""The labels that are most surely wrong, by the learned noise matrix and the classifier trained with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.jobs.demo.digits import Demo
from noiselayer.noise.posterior import label_error_probability, posterior

__all__ = ["Suspect", "find_suspects", "label_errors"]


@dataclass(frozen=True)
class Suspect:
    """A label that is probably wrong.

    Attributes:
        place: Of the sample among the training samples.
        sample: Its row number in scikit-learn's digits.
        given_label: What it carries.
        suggested_label: The most probable true class, given the image and the label.
        probability_wrong: That the given label is not the true class.
        true_label: What only the demonstration knows.
    """

    place: int
    sample: int
    given_label: int
    suggested_label: int
    probability_wrong: float
    true_label: int


def find_suspects(demo: Demo, limit: int = 60) -> list[Suspect]:
    """The labels most surely wrong, surest first.

    Args:
        demo: What the demonstration found.
        limit: At most so many.
    """
    logits, matrix = _in_double(demo)
    probs = posterior(logits, demo.noisy_labels, matrix)
    wrong = label_error_probability(logits, demo.noisy_labels, matrix)
    # By what the given label has left: near 1 all probabilities look alike.
    left = probs.gather(1, demo.noisy_labels.unsqueeze(1)).squeeze(1)
    surest = torch.argsort(left, stable=True)[:limit].tolist()
    return [
        Suspect(
            place=place,
            sample=int(demo.samples[place]),
            given_label=int(demo.noisy_labels[place]),
            suggested_label=int(probs[place].argmax()),
            probability_wrong=float(wrong[place]),
            true_label=int(demo.true_labels[place]),
        )
        for place in surest
    ]


def label_errors(demo: Demo) -> dict[str, int]:
    """How many training labels are called wrong (more probably than not), rightly so, and how many are.

    Args:
        demo: What the demonstration found.
    """
    logits, matrix = _in_double(demo)
    flagged = label_error_probability(logits, demo.noisy_labels, matrix) > 0.5
    wrong = demo.noisy_labels != demo.true_labels
    return {
        "flagged": int(flagged.sum()),
        "flagged_and_wrong": int((flagged & wrong).sum()),
        "wrong": int(wrong.sum()),
    }


def _in_double(demo: Demo) -> tuple[Tensor, Tensor]:
    """The learned logits and noise matrix, its columns summing to 1 in the wider type too."""
    matrix = demo.learned_matrix.double()
    return demo.learned_logits.double(), matrix / matrix.sum(dim=0)

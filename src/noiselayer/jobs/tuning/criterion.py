"""What a value is chosen by: errors and likelihoods on samples held out, never on test samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from noiselayer.choices import ObjectiveName
from noiselayer.data import LabeledData
from noiselayer.data.inputs import Inputs
from noiselayer.errors import InputError
from noiselayer.losses.bottom_up import noisy_label_loss
from noiselayer.training import TrainedClassifier, TrainingOptions, predict_logits

_NOTES = {
    "clean": "",
    "through": (
        "It is measured through the noise matrix, on noisy labels: it is no error on true labels, and one that is "
        "lower need not mean that the classifier is better."
    ),
    "against": (
        "It is measured against noisy labels, so it is no error on true ones; but it ranks values as that would, as "
        "long as every class keeps its right label more often than it gets any other (a diagonally dominant noise)."
    ),
}


@dataclass(frozen=True)
class Objective:
    """What is to be as small as possible.

    Attributes:
        name: "error" (share of wrong predictions) or "loss" (mean negative log-likelihood, nats).
        labels: Whose labels: "clean", "through" (noisy ones, through Q), "against" (noisy ones, as they are).
    """

    name: ObjectiveName
    labels: Literal["clean", "through", "against"]

    @property
    def words(self) -> str:
        """What it is called in a sentence.

        >>> Objective("error", "clean").words
        'error on held-out clean samples'
        """
        what = "error" if self.name == "error" else "negative log-likelihood (nats)"
        where = {
            "clean": "on held-out clean samples",
            "through": "of held-out noisy labels through Q",
            "against": "against held-out noisy labels",
        }
        return f"{what} {where[self.labels]}"

    @property
    def note(self) -> str:
        """What must be known to read it; may be empty."""
        return _NOTES[self.labels]


def choose_objective(
    options: TrainingOptions, *, clean: bool, wanted: ObjectiveName | None = None
) -> Objective:
    """What can be measured here.

    Args:
        options: The method is not "auto" any more.
        clean: Whether there is a clean set.
        wanted: With a clean set either can be asked for; "error" if None.

    Raises:
        InputError: If what is wanted says nothing without clean samples.

    >>> choose_objective(TrainingOptions("learned"), clean=False)
    Objective(name='loss', labels='through')
    """
    if clean:
        return Objective(wanted or "error", "clean")
    through = options.method not in ("normal", "top-down")
    only = Objective("loss", "through") if through else Objective("error", "against")
    if wanted not in (None, only.name):
        why = (
            "the error against noisy labels is not what a noise matrix makes small"
            if through
            else "the likelihood of noisy labels without a noise matrix rewards fitting the noise"
        )
        raise InputError(
            f"the objective {wanted!r} needs clean samples: {why}. Give some, or take {only.name!r}."
        )
    return only


@dataclass(frozen=True)
class Score:
    """How a classifier does on samples held out.

    Attributes:
        error: Share of wrong predictions.
        error_standard_error: Its binomial standard error; without any error, that of a single one.
        loss: Mean negative log-likelihood, nats.
        loss_standard_error: Its standard error.
        samples: How many.
    """

    error: float
    error_standard_error: float
    loss: float
    loss_standard_error: float
    samples: int

    def of(self, name: ObjectiveName) -> tuple[float, float]:
        """The value of an objective and its standard error."""
        if name == "error":
            return self.error, self.error_standard_error
        return self.loss, self.loss_standard_error


def score(logits: Tensor, labels: Tensor, noise_matrix: Tensor | None = None) -> Score:
    """Compare predictions with labels.

    Args:
        logits: Of the true class, shape (N, K).
        labels: Shape (N,).
        noise_matrix: Shape (K, K), columns = true classes: then the labels are noisy ones, and predicted as
            such. None takes them as they are.

    >>> score(torch.tensor([[5.0, 0.0], [5.0, 0.0]]), torch.tensor([0, 1])).error
    0.5
    """
    N = len(labels)
    if noise_matrix is None:
        losses = cross_entropy(logits, labels, reduction="none").double()
        predicted = logits.argmax(dim=1)
    else:
        losses = noisy_label_loss(logits, labels, noise_matrix, reduction="none").double()
        predicted = (logits.softmax(dim=1) @ noise_matrix.T.to(logits)).argmax(dim=1)
    wrong = int((predicted != labels).sum())
    # No error at all in N samples does not mean that the next one is certain to be right.
    share = min(max(wrong, 1), max(N - 1, 1)) / N
    spread = float(losses.std()) / math.sqrt(N) if N > 1 else math.inf
    return Score(wrong / N, math.sqrt(share * (1 - share) / N), float(losses.mean()), spread, N)


@dataclass(frozen=True)
class HeldOut:
    """Samples to measure on.

    Attributes:
        inputs: The samples.
        labels: Theirs, clean or noisy, shape (N,).
        through: Whether the labels are seen through the noise matrix.
    """

    inputs: Inputs
    labels: Tensor
    through: bool

    def score(
        self, network: nn.Module, noise_matrix: Tensor, *, device: torch.device | str | None = None
    ) -> Score:
        """Ask the network; see :func:`score`.

        Args:
            network: Raw inputs to logits of the true class.
            noise_matrix: Shape (K, K), columns = true classes.
            device: Where to compute; where the network is if None.
        """
        logits = predict_logits(network, self.inputs, device=device)
        return score(logits, self.labels, noise_matrix.detach().float().cpu() if self.through else None)


def held_out_samples(
    objective: Objective, trained: TrainedClassifier, data: LabeledData, clean: LabeledData | None
) -> HeldOut:
    """The samples that a classifier was not trained on, to measure it with.

    Args:
        objective: Says which.
        trained: Its ``splits`` say what was held out.
        data: The noisy samples, none of them in ``clean`` too.
        clean: The clean ones.
    """
    if objective.labels == "clean":
        assert clean is not None
        chosen = clean.subset(trained.splits["clean_validation"])
    else:
        chosen = data.subset(trained.splits["validation"])
    assert chosen.labels is not None
    return HeldOut(chosen.inputs, chosen.labels, through=objective.labels == "through")

"""What a value is chosen by: errors and likelihoods on samples held out, never on test samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pytorch_lightning as pl
import torch
from optuna import Trial
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from noiselayer.choices import ObjectiveName
from noiselayer.data import LabeledData
from noiselayer.errors import InputError
from noiselayer.losses.bottom_up import noisy_label_loss
from noiselayer.training.logits import predict_logits
from noiselayer.training.options import TrainingOptions
from noiselayer.training.phases import find_noise_layer

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
    """What is to be as small as possible: the share of wrong predictions, or the mean negative log-likelihood (nats).

    The labels are "clean" ones, noisy ones "through" Q, or held "against" noisy ones as they are.
    """

    name: ObjectiveName
    labels: Literal["clean", "through", "against"]

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
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
    """What can be measured here: with a clean set what is wanted ("error" if None), else what the method allows.

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
    """How a classifier does on samples held out; without any error its standard error is that of a single one."""

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
    """Compare predictions of the true class with labels, which are predicted through the noise matrix if there is one.

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


class ReportObjective(Callback):
    """Tells a trial the objective after every epoch: the validation loss holds the very weights that are searched."""

    def __init__(self, trial: Trial, objective: Objective, held_out: LabeledData) -> None:
        self.trial = trial
        self.objective = objective
        self.held_out = held_out
        self.pruned = False

    def measure(
        self, network: nn.Module, noise_matrix: Tensor, device: torch.device | str | None = None
    ) -> Score:
        """Ask the network where it is, or on another device."""
        logits = predict_logits(network, self.held_out.inputs, device=device)
        Q = noise_matrix.detach().float().cpu() if self.objective.labels == "through" else None
        return score(logits, self.held_out.given, Q)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, report, and stop if it is hopeless: the epoch that just ended is the last one then."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        found = self.measure(pl_module.network, find_noise_layer(pl_module).noise_matrix)  # type: ignore[arg-type]
        self.trial.report(found.of(self.objective.name)[0], step=trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = True
            trainer.should_stop = True

"""What a search has found: the value, its uncertainty, and both in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from noiselayer.jobs.tuning.criterion import Objective
from noiselayer.jobs.tuning.search import SearchRange, apply_values
from noiselayer.training.options import TrainingOptions


@dataclass(frozen=True)
class TrialRecord:
    """One trial; measured at the epoch that was kept, on samples held out, or not at all.

    Its state is "complete", "pruned" (stopped early), "failed" (its worker died or was stopped; done again),
    "running" or "waiting".
    """

    number: int
    state: str
    values: dict[str, float]
    objective: float | None = None
    standard_error: float | None = None
    error: float | None = None
    loss: float | None = None
    samples: int | None = None
    epochs: int | None = None
    seconds: float | None = None


def records(study: optuna.Study) -> tuple[TrialRecord, ...]:
    """The trials of a study, in order."""
    return tuple(
        TrialRecord(
            trial.number,
            "failed" if trial.state == TrialState.FAIL else trial.state.name.lower(),
            dict(trial.params),
            **trial.user_attrs.get("measured", {}),
        )
        for trial in study.get_trials(deepcopy=False)
    )


@dataclass(frozen=True)
class Chosen:
    """The value of the best trial, and the range of those tried whose objective is within one standard error of it."""

    value: float
    low: float
    high: float
    all_alike: bool


@dataclass(frozen=True)
class TuningResult:
    """The outcome of :func:`~noiselayer.jobs.tuning.tune.tune`: all trials, of other workers and earlier ones too."""

    search: tuple[SearchRange, ...]
    objective: Objective
    trials: tuple[TrialRecord, ...]
    base: TrainingOptions
    interrupted: bool = False

    @property
    def complete(self) -> list[TrialRecord]:
        """Trials that ran to their end, the best one first; of equals, the likelier one."""
        ended = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(ended, key=lambda t: (_number(t.objective), _number(t.loss), t.number))

    @property
    def best(self) -> TrialRecord | None:
        """The trial with the smallest objective; None if none has ended yet."""
        return next(iter(self.complete), None)

    @property
    def options(self) -> TrainingOptions:
        """The options with the values chosen: what to train with."""
        if self.best is None:
            raise ValueError("no trial has ended yet, so no value is chosen. Run some with tune(trials=...).")
        return apply_values(self.base, self.best.values)

    @property
    def chosen(self) -> dict[str, Chosen]:
        """Every option searched -> its value and the range that cannot be told from it."""
        if self.best is None:
            return {}
        limit = _number(self.best.objective) + _number(self.best.standard_error)
        near = [trial for trial in self.complete if _number(trial.objective) <= limit]
        alike = len(near) == len(self.complete)
        found = {}
        for search in self.search:
            values = [trial.values[search.name] for trial in near]
            found[search.name] = Chosen(near[0].values[search.name], min(values), max(values), alike)
        return found

    def counts(self) -> dict[str, int]:
        """How many trials are in each state."""
        states = [trial.state for trial in self.trials]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    def sentence(self) -> str:
        """The outcome in words."""
        best = self.best
        if best is None:
            return "No trial has ended yet, so nothing is chosen."
        value, spread = self.in_words(best.objective), self.in_words(best.standard_error, unit=False)
        named = " and ".join(f"{s.title} = {best.values[s.name]:.4g}" for s in self.search)
        tried = len(self.complete)
        verb = "has" if len(self.search) == 1 else "have"
        lines = [
            f"{named} {verb} the smallest {self.objective.words} of {tried} complete trial{'s' * (tried > 1)}: {value} "
            f"(standard error {spread}, {best.samples:,} samples)."
        ]
        if tried > 1:
            lines.append(self._range_in_words())
            lines.append(
                "As the smallest of several it is a little too small; the error of the final model is for other data "
                "to tell."
            )
        if self.objective.note:
            lines.append(self.objective.note)
        return " ".join(lines)

    def train_command(self, arguments: Sequence[str] = ("noiselayer", "train")) -> list[str]:
        """The words of a command line that trains with the values chosen, after its beginning."""
        values = {} if self.best is None else self.best.values
        titles = {f"--{s.title}": values[s.name] for s in self.search if s.name in values}
        return [*arguments, *(word for flag, value in titles.items() for word in (flag, repr(value)))]

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for best.json."""
        best, chosen = self.best, self.chosen
        parameters: dict[str, dict[str, Any]] = {}
        for s in self.search:
            searched = {"from": s.low, "to": s.high, "log": s.log, "values": list(s.values) or None}
            parameters[s.title] = {"searched": searched}
            if s.name in chosen:
                parameters[s.title] |= {
                    "value": chosen[s.name].value,
                    "within_one_standard_error": [chosen[s.name].low, chosen[s.name].high],
                    "all_within_one_standard_error": chosen[s.name].all_alike,
                }
        objective = {key: getattr(self.objective, key) for key in ("name", "words", "note")}
        if best:
            objective["value"] = best.objective
            objective |= {key: getattr(best, key) for key in ("standard_error", "samples", "error", "loss")}
        return {
            "parameters": parameters,
            "objective": objective,
            "trial": best.number if best else None,
            "trials": self.counts(),
            "sentence": self.sentence(),
        }

    def in_words(self, value: float | None, *, unit: bool = True) -> str:
        """A value of the objective as people read it: per cent for errors, nats for likelihoods."""
        if value is None:
            return ""
        if self.objective.name == "error":
            return f"{100 * value:.2f}" + (" %" if unit else "")
        return f"{value:.4f}"

    def _range_in_words(self) -> str:
        chosen = self.chosen
        if all(c.all_alike for c in chosen.values()):
            return (
                "All values tried lie within one standard error of it: these samples do not tell them apart, and more "
                "held-out samples would be needed to."
            )
        parts = [
            f"{s.title} from {chosen[s.name].low:.4g} to {chosen[s.name].high:.4g}"
            for s in self.search
            if chosen[s.name].low < chosen[s.name].high
        ]
        if not parts:
            return "No other value tried lies within one standard error of it."
        verb = "lies" if len(parts) == 1 else "lie"
        return f"{' and '.join(parts)} {verb} within one standard error of it."


def _number(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else value

"""The study: trials in a storage that several workers share and that outlives each of them."""

from __future__ import annotations

import inspect
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from noiselayer.errors import InputError
from noiselayer.files.differences import differences
from noiselayer.jobs.tuning.search import SearchRange

_ATTEMPTS = 5


def open_study(
    storage: str | None,
    *,
    seed: int,
    prune: bool = True,
    spared: int = 0,
    heartbeat: int = 60,
    resume: bool = False,
    on_dead: Callable[[optuna.Study, FrozenTrial], None] | None = None,
) -> optuna.Study:
    """Open or begin the study in a storage, in memory if None; the pruner leaves the first ``spared`` epochs alone.

    A worker without a sign of life for two heartbeats counts as dead; ``on_dead`` does its trial again.
    """
    study = optuna.create_study(
        study_name="noiselayer",
        storage=None if storage is None else _storage(storage, heartbeat, on_dead or queue_again),
        sampler=sampler_of(seed, 0),
        pruner=(
            optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=spared)
            if prune
            else optuna.pruners.NopPruner()
        ),
        direction="minimize",
        load_if_exists=True,
    )
    if study.trials and not resume:
        raise InputError(
            f"the storage {storage} holds {len(study.trials)} trials already. Go on with them, or help another "
            "worker with them, with --resume; or name another storage."
        )
    return study


def sampler_of(seed: int, trial: int) -> BaseSampler:
    """What proposes the values of one trial; a grid's are queued instead (:func:`queue_next`).

    Its seed is of the trial: workers do not repeat each other, and a stopped study goes on as if it had not been.
    """
    mixed = (seed * 1_000_003 + trial) % 2**32
    # Trials that others are running are taken for bad ones, so that workers spread out.
    return TPESampler(seed=mixed, constant_liar=True)


def suggest(trial: optuna.Trial, search: Sequence[SearchRange]) -> dict[str, float]:
    """A value for each option."""
    return {s.name: trial.suggest_float(s.name, s.low, s.high, log=s.log and s.low > 0) for s in search}


def remaining(study: optuna.Study, search: Sequence[SearchRange], *, heartbeat: float = 0.0) -> int | None:
    """Values of the grid that no trial has tried, with those that wait to be tried again; None without a grid.

    If only values are left that other workers are trying, it waits for a little more than two heartbeats, to see
    whether one has died and left its value.
    """
    if not search[0].values:
        return None
    until = time.monotonic() + 2.5 * heartbeat
    while True:
        optuna.storages.fail_stale_trials(study)  # what a dead worker has begun is not being tried
        trials = study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
        waiting = sum(trial.state == TrialState.WAITING for trial in trials)
        left = max(waiting, len(_untried(study, search[0])))
        if left or waiting == len(trials) or time.monotonic() > until:
            return left
        for trial in trials:
            began = trial.datetime_start or datetime.now()
            age = (datetime.now() - began).total_seconds()
            if trial.state == TrialState.RUNNING and not trial.params and age > 2 * heartbeat:
                # Its worker was killed before the first sign of life, and optuna takes it for alive.
                with suppress(ValueError, RuntimeError):  # another worker was quicker
                    study.tell(trial.number, state=TrialState.FAIL)
        time.sleep(min(1.0, heartbeat / 4))


def queue_next(study: optuna.Study, search: Sequence[SearchRange], seed: int) -> None:
    """Queue the next value of a grid, in the order that the seed gives, unless a trial waits already.

    Optuna's own sampler takes a failed value for done unless it is queued again, which a killed worker never does: the
    search would not end. Here a failed trial counts for nothing.
    """
    if not search[0].values or study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        return
    order = list(search[0].values)
    random.Random(seed).shuffle(order)
    untried = _untried(study, search[0])
    value = next((value for value in order if value in untried), None)
    if value is not None:
        study.enqueue_trial({search[0].name: value})


def _untried(study: optuna.Study, search: SearchRange) -> set[float]:
    """Values of the grid that no trial has tried or is trying."""
    taken = set()
    for trial in study.get_trials(deepcopy=False):
        if trial.state not in (TrialState.FAIL, TrialState.WAITING):
            # Until a trial that runs has asked for its value, the queue's word stands.
            queued = trial.system_attrs.get("fixed_params", {})
            taken.add(trial.params.get(search.name, queued.get(search.name)))
    return set(search.values) - taken


def queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put a trial that did not end back in the queue, the value it was given with it."""
    # The class has changed its name in optuna 4.9.
    name = "RetryHeartbeatStaleTrialCallback"
    retry = getattr(optuna.storages, name, None) or optuna.storages.RetryFailedTrialCallback
    retry(max_retry=_ATTEMPTS)(study, trial)


def check_same(study: optuna.Study, config: dict[str, Any]) -> None:
    """Keep what the study is about with it, or compare with what is kept there."""
    kept = study.user_attrs.get("config")
    if kept is None:
        study.set_user_attr("config", config)
        return
    differing = differences(kept, config)
    if differing:
        raise InputError(
            f"the trials in the storage were made otherwise, so they cannot be compared with new ones: {differing}. "
            "Use the same options, or name another storage and another folder."
        )


def tried(study: optuna.Study, before: int | None = None) -> int:
    """How many trials have not failed, of those below ``before``: a search goes on as if none had been killed."""
    return sum(
        trial.state != TrialState.FAIL and (before is None or trial.number < before)
        for trial in study.get_trials(deepcopy=False)
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna logs every trial, which is said in the words of the program here, and warns of what is experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _storage(
    address: str, heartbeat: int, on_dead: Callable[[optuna.Study, FrozenTrial], None]
) -> optuna.storages.RDBStorage:
    arguments: dict[str, Any] = {"heartbeat_interval": heartbeat, "grace_period": 2 * heartbeat}
    # This one too has changed its name in optuna 4.9.
    known = inspect.signature(optuna.storages.RDBStorage).parameters
    name = "heartbeat_stale_trial_callback"
    arguments[name if name in known else "failed_trial_callback"] = on_dead
    if address.startswith("sqlite"):
        arguments["engine_kwargs"] = {"connect_args": {"timeout": 60}}
    for attempt in range(_ATTEMPTS):
        try:
            return optuna.storages.RDBStorage(address, **arguments)
        except Exception as error:  # SQLAlchemy's and its drivers' errors have no base in common
            # Of two workers that begin at the same moment one finds the tables half made, or their version written.
            together = any(words in str(error) for words in ("already exists", "UNIQUE constraint failed"))
            if not together or attempt == _ATTEMPTS - 1:
                raise InputError(
                    f"cannot open the storage {address}: {str(error).splitlines()[0]}. It should be like "
                    "sqlite:///FILE, in a folder that exists."
                ) from error
            time.sleep(0.5)
    raise AssertionError("unreachable")

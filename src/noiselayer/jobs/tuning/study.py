"""The study: trials in a storage that several workers share and that outlives each of them."""

from __future__ import annotations

import inspect
import json
import random
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from noiselayer.errors import InputError, list_some
from noiselayer.jobs.tuning.search import SearchRange

__all__ = [
    "check_same",
    "open_study",
    "queue_again",
    "queue_next",
    "quiet",
    "remaining",
    "sampler_of",
    "suggest",
]

STUDY = "noiselayer"
_ATTEMPTS = 5


def open_study(
    storage: str | None,
    *,
    search: Sequence[SearchRange],
    seed: int,
    prune: bool = True,
    spared: int = 0,
    heartbeat: int = 60,
    resume: bool = False,
) -> optuna.Study:
    """Open the study in a storage, or begin one.

    Args:
        storage: An address that SQLAlchemy knows, such as "sqlite:///study.db"; None keeps it in memory.
        search: What is searched.
        seed: Of the sampler.
        prune: Stop trials that are worse than the median of the others at the same epoch.
        spared: Epochs in which no trial is stopped.
        heartbeat: Seconds between the signs of life of a running trial. Without one for twice as long its
            worker counts as dead, and another one does the trial again.
        resume: Whether trials may lie there already.

    Raises:
        InputError: If the storage cannot be opened, or holds trials and nobody asked to go on with them.

    >>> study = open_study(None, search=[SearchRange("alpha", 0.0, 1.0)], seed=0)
    >>> len(study.trials)
    0
    """
    study = optuna.create_study(
        study_name=STUDY,
        storage=None if storage is None else _storage(storage, heartbeat),
        sampler=sampler_of(search, seed, 0),
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


def sampler_of(search: Sequence[SearchRange], seed: int, trial: int) -> BaseSampler:
    """What proposes the values of one trial.

    Its seed is of the trial, not of the process: what is proposed depends on the trials before and on nothing
    else, so workers do not repeat each other, and a study that was stopped goes on as if it had not been. Of a
    grid the values are queued (:func:`queue_next`), and nothing is left to propose.
    """
    mixed = (seed * 1_000_003 + trial) % 2**32
    with _no_experimental_warnings():
        # Trials that others are running are taken for bad ones, so that workers spread out.
        return TPESampler(seed=mixed, constant_liar=True)


def suggest(trial: optuna.Trial, search: Sequence[SearchRange]) -> dict[str, float]:
    """A value for each option."""
    return {s.name: trial.suggest_float(s.name, s.low, s.high, log=s.log and s.low > 0) for s in search}


def remaining(study: optuna.Study, search: Sequence[SearchRange]) -> int | None:
    """Values of the grid that no trial has tried, with those that wait to be tried again; None without a grid."""
    if not search[0].values:
        return None
    with _no_experimental_warnings():
        optuna.storages.fail_stale_trials(study)  # what a dead worker has begun is not being tried
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return max(len(waiting), len(_untried(study, search[0])))


def queue_next(study: optuna.Study, search: Sequence[SearchRange], seed: int) -> None:
    """Queue the next value of a grid, in the order that the seed gives, unless a trial waits already.

    Optuna's own sampler of grids takes a value for done when its trial has failed, unless somebody queues the trial
    again. A worker that is killed just before it does so would leave a value that is never offered, and a search
    that never ends. Here a failed trial counts for nothing.
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
    with _no_experimental_warnings():
        retry(max_retry=_ATTEMPTS)(study, trial)


def check_same(study: optuna.Study, config: dict[str, Any]) -> None:
    """Keep what the study is about with it, or compare with what is kept there.

    Raises:
        InputError: Names what differs.
    """
    now = _flat(json.loads(json.dumps(config)))
    kept = study.user_attrs.get("config")
    if kept is None:
        study.set_user_attr("config", config)
        return
    before = _flat(kept)
    differing = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    if differing:
        listed = list_some((f"{key} was {before.get(key)}, now {now.get(key)}" for key in differing), 5)
        raise InputError(
            f"the trials in the storage were made otherwise, so they cannot be compared with new ones: {listed}. Use "
            "the same options, or name another storage and another folder."
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna logs every trial; here that is said in the words of the program."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _storage(address: str, heartbeat: int) -> optuna.storages.RDBStorage:
    arguments: dict[str, Any] = {"heartbeat_interval": heartbeat, "grace_period": 2 * heartbeat}
    # This one too has changed its name in optuna 4.9.
    known = inspect.signature(optuna.storages.RDBStorage).parameters
    name = "heartbeat_stale_trial_callback"
    arguments[name if name in known else "failed_trial_callback"] = queue_again
    if address.startswith("sqlite"):
        arguments["engine_kwargs"] = {"connect_args": {"timeout": 60}}
    for attempt in range(_ATTEMPTS):
        try:
            with _no_experimental_warnings():
                return optuna.storages.RDBStorage(address, **arguments)
        except Exception as error:  # SQLAlchemy's and its drivers' errors have no base in common
            # Of two workers that begin at the same moment one finds the tables half made.
            if "already exists" not in str(error) or attempt == _ATTEMPTS - 1:
                raise InputError(
                    f"cannot open the storage {address}: {str(error).splitlines()[0]}. It should be like "
                    "sqlite:///FILE, in a folder that exists."
                ) from error
            time.sleep(0.5)
    raise AssertionError("unreachable")


@contextmanager
def _no_experimental_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, keys joined by dots."""
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat

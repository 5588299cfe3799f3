"""Which process does a trial, and whether it still lives: so that the trial of one that was killed is done again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

__all__ = ["fail_trials_of_the_dead", "lives", "mark", "this_worker", "tried"]

_KEY = "worker"
_UNMARKED = 2.0  # seconds that a living worker leaves its trial without a mark, at most


def this_worker() -> dict[str, Any]:
    """The process, as plain types.

    >>> lives(this_worker())
    True
    """
    return {"host": socket.gethostname(), "process": os.getpid(), "began": _began(os.getpid())}


def lives(worker: dict[str, Any]) -> bool:
    """Whether a worker may be running: False only if it was on this machine and is not there any more.

    >>> lives({**this_worker(), "began": "long ago"}), lives({"host": "another machine", "process": 1})
    (False, True)
    """
    if worker["host"] != socket.gethostname():
        return True
    try:
        os.kill(worker["process"], 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        pass
    # Numbers are used again; where the system says when a process began, another one is not taken for it.
    return worker.get("began") in (None, _began(worker["process"]))


def mark(trial: optuna.Trial) -> None:
    """Keep with a trial who does it."""
    trial.set_user_attr(_KEY, this_worker())


def fail_trials_of_the_dead(
    study: optuna.Study, then: Callable[[optuna.Study, FrozenTrial], None]
) -> list[int]:
    """Count trials whose worker was killed on this machine as failed, without waiting for its heartbeat to stop.

    Args:
        study: Shared by all workers.
        then: Called with each, such as :func:`noiselayer.jobs.tuning.study.queue_again`.

    Returns:
        The numbers of those trials.
    """
    failed = []
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if any(_KEY not in trial.user_attrs for trial in running):
        # Begun a moment ago, and about to be marked; or its worker was killed in that moment.
        time.sleep(_UNMARKED)
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in running:
        if _KEY in trial.user_attrs:
            alive = lives(trial.user_attrs[_KEY])
        else:
            began = trial.datetime_start or datetime.min
            alive = datetime.now() - began < timedelta(seconds=_UNMARKED)
        if alive:
            continue
        try:
            ended = study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, RuntimeError):  # another worker was quicker
            continue
        then(study, ended)
        failed.append(trial.number)
    return failed


def tried(study: optuna.Study, before: int | None = None) -> int:
    """How many trials there are that have not failed, of those numbered below ``before`` if it is given.

    It numbers what is proposed: a search of which a trial was killed goes on as if it had not been.

    >>> tried(optuna.create_study())
    0
    """
    return sum(
        trial.state != TrialState.FAIL and (before is None or trial.number < before)
        for trial in study.get_trials(deepcopy=False)
    )


def _began(process: int) -> str | None:
    """When a process began, in the system's own count; None where it does not say."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None

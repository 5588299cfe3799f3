"""Trials in a storage: dead workers' are done again, workers do not repeat each other."""

import functools
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from noiselayer.jobs.tuning.search import SearchRange, parse_search, with_grid
from noiselayer.jobs.tuning.study import (
    open_study,
    queue_again,
    queue_next,
    quiet,
    remaining,
    sampler_of,
    suggest,
)
from noiselayer.jobs.tuning.tuning_result import records

GRID = with_grid([parse_search("alpha")], [0.0, 0.5, 1.0])
RANGE = (SearchRange("trace_penalty", 0.001, 1.0, log=True),)


@pytest.mark.parametrize("search", [GRID, RANGE], ids=["grid", "range"])
def test_a_dead_workers_trial_is_done_again(tmp_path: Path, search: tuple[SearchRange, ...]) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    with quiet():
        dead = open_study(storage, seed=0)
        queue_next(dead, search, 0)
        with pytest.warns(UserWarning, match="Heartbeat"):  # it expects Study.optimize, which would not die
            trial = dead.ask()
        begun = suggest(trial, search)
        dead._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
        other = open_study(storage, seed=0, resume=True)
        if search is GRID:
            assert remaining(other, search) == 2, "the worker may still live"
        with sqlite3.connect(tmp_path / "study.db") as database:
            database.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 day')")
        database.close()
        if search is GRID:
            assert remaining(other, search) == 3
        done: list[dict[str, float]] = []

        def objective(trial: optuna.Trial) -> float:
            done.append(suggest(trial, search))
            return 0.0

        other.optimize(objective, n_trials=1)
    assert done == [begun]
    assert [trial.state for trial in records(other)] == ["failed", "complete"]


def test_a_value_of_the_grid_whose_trial_failed_is_tried_again_though_nobody_queued_it() -> None:
    """As if a worker had been killed between the two; after more attempts than optuna queues, too."""
    with quiet():
        study, done = open_study(None, seed=0), []
        for attempt in range(20):
            if not remaining(study, GRID):
                break
            queue_next(study, GRID, 0)
            trial = study.ask()
            value = suggest(trial, GRID)["alpha"]
            fails = attempt < 8
            study.tell(trial, None if fails else 0.0, state=TrialState.FAIL if fails else None)
            if fails and attempt % 2:
                queue_again(study, study.trials[-1])
            if not fails:
                done.append(value)
    assert sorted(done) == [0.0, 0.5, 1.0]
    assert len(study.trials) == 8 + 3


def test_a_worker_killed_before_its_first_sign_of_life_leaves_its_value(tmp_path: Path) -> None:
    """Optuna never counts a trial as stale that has no heartbeat at all."""
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    with quiet():
        dead = open_study(storage, seed=0, heartbeat=1)
        for value in (0.0, 0.5):
            dead.add_trial(
                optuna.create_trial(
                    params={"alpha": value},
                    distributions={"alpha": optuna.distributions.FloatDistribution(0.0, 1.0)},
                    value=1.0,
                )
            )
        queue_next(dead, GRID, 0)
        with pytest.warns(UserWarning, match="Heartbeat"):
            begun = dead.ask()
        other = open_study(storage, seed=0, heartbeat=1, resume=True)
        assert remaining(other, GRID) == 0, "the worker may still live"
        assert remaining(other, GRID, heartbeat=1) == 1
        queue_next(other, GRID, 0)
        other.optimize(lambda trial: suggest(trial, GRID)["alpha"], n_trials=1)
    assert [trial.state for trial in records(other)] == ["complete", "complete", "failed", "complete"]
    assert other.trials[-1].value == 1.0
    assert begun.number == 2


def test_the_order_of_a_grid_is_the_seeds() -> None:
    def order(seed: int) -> list[float]:
        study = open_study(None, seed=seed)
        while remaining(study, GRID):
            queue_next(study, GRID, seed)
            study.tell(study.ask(), 0.0)
        return [trial.system_attrs["fixed_params"]["alpha"] for trial in study.trials]

    with quiet():
        orders = [order(seed) for seed in range(8)]
        assert order(0) == orders[0]
    assert all(sorted(values) == [0.0, 0.5, 1.0] for values in orders)
    assert len({tuple(values) for values in orders}) > 2


def test_proposals_depend_on_the_trials_and_not_on_the_process() -> None:
    def proposals(seed: int, sessions: tuple[int, ...]) -> list[float]:
        study = open_study(None, seed=seed)
        for trials in sessions:
            for _ in range(trials):
                study.sampler = sampler_of(seed, len(study.trials))
                trial = study.ask()
                study.tell(trial, suggest(trial, RANGE)["trace_penalty"])
        return [trial.params["trace_penalty"] for trial in study.trials]

    with quiet():
        once = proposals(0, (14,))
        assert proposals(0, (5, 9)) == once
        assert len(set(once)) == 14
        assert proposals(1, (14,)) != once
    assert all(0.001 <= value <= 1 for value in once)
    assert min(once[10:]) < sorted(once[:10])[3], "after ten random ones the search goes where it is low"


@pytest.mark.parametrize(
    "reason", ["table trials already exists", "UNIQUE constraint failed: alembic_version"]
)
def test_of_two_workers_that_begin_together_one_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    usual, calls = optuna.storages.RDBStorage.__init__, []

    @functools.wraps(usual)
    def slower(*arguments: Any, **more: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError(reason)
        usual(*arguments, **more)

    monkeypatch.setattr(optuna.storages.RDBStorage, "__init__", slower)
    with quiet():
        assert not open_study(f"sqlite:///{tmp_path / 'study.db'}", seed=0).trials
    assert len(calls) == 2


@pytest.mark.slow
def test_two_workers_share_a_storage(tmp_path: Path) -> None:
    script = """
import sys, numpy as np
from noiselayer.data import from_arrays
from noiselayer.training.options import Hardware, default_options
from noiselayer.jobs.tuning.tune import tune
g = np.random.default_rng(0)
y = np.arange(90) % 3
data = from_arrays((np.eye(3)[y] + g.normal(size=(90, 3))).astype("float32"), y)
options = default_options("vector", method="top-down", model="linear", model_options={}, max_epochs=2)
tune(data, options, trials=4, out=sys.argv[1], resume=True, hardware=Hardware(accelerator="cpu"))
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out")], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=600)
        assert worker.returncode == 0, errors.decode()
    with quiet():
        study = open_study(f"sqlite:///{tmp_path / 'out' / 'study.db'}", seed=0, resume=True)
    trials = records(study)
    assert [trial.state for trial in trials] == ["complete"] * 8
    assert len({trial.values["alpha"] for trial in trials}) == 8
    table = pd.read_csv(tmp_path / "out" / "trials.csv")  # of the one that ended last
    assert sorted(table["trial"]) == list(range(8))

"""``noiselayer tune``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from noiselayer.cli._errors import INTERRUPTED, say
from noiselayer.errors import InputError, argument
from noiselayer.jobs.tune_options import TuneJob

if TYPE_CHECKING:
    from noiselayer.jobs.tuning.search import SearchRange
    from noiselayer.jobs.tuning.tuning_result import TuningResult


def tune(job: TuneJob) -> None:
    """Choose alpha, the weight of noisy samples, or a penalty, on samples held out.

    Trains once for every value it tries; all other options are those of "train". Values are compared on held-out
    samples of --clean, or of DATA if there are none; test data have no part in it.

    Leaves trials.csv, best.json with the command that trains with the value chosen, and the curve as a picture.

    For several workers start the same command with --resume several times: they share the trials, and do those of a
    worker that was killed again.
    """
    from noiselayer.data.numpy_files import split_address
    from noiselayer.files.given import check_not_read
    from noiselayer.jobs.train_prepare import prepare_run
    from noiselayer.jobs.tuning.search import parse_search
    from noiselayer.jobs.tuning.tune import tune as run_search

    ranges = [parse_search(text) for text in job.search or ()]
    for each in ranges:
        if getattr(job, each.name) is not None:
            raise InputError(f"{argument(each.name)} is both searched and given; leave one of them out.")
    read = (job.data, job.clean, job.outside)
    check_not_read((job.out,), (None if one is None else split_address(one)[0] for one in read))
    run = prepare_run(job.trial(), may_choose_head=False)
    say(run.sets.summary())
    if run.choice:
        say(run.choice)
    result = run_search(
        run.data,
        run.options,
        search=ranges,
        clean=run.sets.clean,
        outside=None if run.sets.outside is None else run.sets.outside.inputs,
        noise_matrix=run.noise_matrix,
        trials=job.trials,
        grid=job.grid,
        objective=job.objective,
        prune=job.prune,
        out=job.out,
        storage=job.storage,
        resume=job.resume,
        heartbeat=job.heartbeat,
        hardware=run.hardware,
        config=run.config,
        train_arguments=job.train_command(),
        on_event=say,
    )
    _show(result, job.out, job.train_command(), job.heartbeat)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


def _show(result: TuningResult, out: Path, command: Sequence[str], heartbeat: int) -> None:
    """The trials as a table, the outcome in words, and what to do next."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{result.objective.words[0].upper()}{result.objective.words[1:]}")
    for search in result.search:
        table.add_column(search.title, justify="right", no_wrap=True)
    for title in (result.objective.name, "standard error", "epochs", "trial", ""):
        table.add_column(title, justify="right" if title else "left")
    first: SearchRange = result.search[0]
    for trial in sorted(result.trials, key=lambda t: (t.values.get(first.name, float("inf")), t.number)):
        chosen = result.best is not None and trial.number == result.best.number
        table.add_row(
            *(f"{trial.values[s.name]:.4g}" if s.name in trial.values else "" for s in result.search),
            result.in_words(trial.objective),
            result.in_words(trial.standard_error, unit=False),
            "" if trial.epochs is None else str(trial.epochs),
            str(trial.number),
            "chosen" if chosen else _STATES.get(trial.state, trial.state),
            style="bold" if chosen else "" if trial.state == "complete" else "dim",
        )
    console.print(table)
    console.print(result.sentence(), markup=False, highlight=False, soft_wrap=True)
    if result.best is not None:
        words = shlex.join(result.train_command(command))
        console.print(f"Train with it:\n{words}", markup=False, highlight=False, soft_wrap=True)
    running = sum(trial.state == "running" for trial in result.trials)
    if running:
        say(
            f"{running} trial{'s are' if running > 1 else ' is'} running elsewhere. If the worker is dead, --resume "
            f"does the trial again {2 * heartbeat} seconds after its last sign of life."
        )
    say(f"Written to {out}. " + ("Stopped; " if result.interrupted else "") + "--resume adds trials.")


_STATES = {"complete": "", "pruned": "stopped early", "failed": "not finished"}

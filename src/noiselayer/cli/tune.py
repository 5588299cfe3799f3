"""``noiselayer tune``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noiselayer.cli._errors import INTERRUPTED, say
from noiselayer.cli._options import DataPath
from noiselayer.cli._parse import parse_list
from noiselayer.cli._prepared import prepared
from noiselayer.cli.train import train
from noiselayer.errors import InputError

if TYPE_CHECKING:
    from noiselayer.jobs.tuning import SearchRange, TuningResult

__all__ = ["tune"]

_SEARCH = "Search"


class ObjectiveName(str, Enum):
    """What is to be small."""

    error = "error"
    loss = "loss"


def tune(
    ctx: typer.Context,
    data: DataPath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the search.", rich_help_panel=_SEARCH)],
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=LOW:HIGH[:log], NAME one of alpha, noisy-weight, noise-weight-decay, trace-penalty, "
            "outside-weight; may be given again. By default what the method has: alpha for top-down, noisy-weight "
            "with --clean, noise-weight-decay for a Q learned from the identity.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(help="Try these values, and no others: 0,0.1,0.2,0.4,1.", rich_help_panel=_SEARCH),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Trials to add now: 20, or what is left of the grid, if not given; 0 writes the report again.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    objective: Annotated[
        ObjectiveName | None,
        typer.Option(help="With --clean: the error (default) or the loss on it.", rich_help_panel=_SEARCH),
    ] = None,
    no_prune: Annotated[
        bool, typer.Option("--no-prune", help="Run every trial to its end.", rich_help_panel=_SEARCH)
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where trials are kept, for workers to share: sqlite:///FILE; study.db in --out if not given.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Add trials to those in --out or --storage, at any time.",
            rich_help_panel=_SEARCH,
        ),
    ] = False,
    heartbeat: Annotated[
        int,
        typer.Option(
            min=1,
            help="Seconds between a worker's signs of life; without one for twice as long its trial is done again.",
            rich_help_panel=_SEARCH,
        ),
    ] = 20,
    **training: Any,
) -> None:
    """Choose alpha, the weight of noisy samples, or a penalty, on samples held out.

    Trains once for every value it tries; all other options are those of "train". Values are compared on held-out
    samples of --clean, or of DATA if there are none; test data have no part in it.

    Leaves trials.csv, best.json with the command that trains with the value chosen, and the curve as a picture.

    For several workers start the same command with --resume several times: they share the trials, and do those of a
    worker that was killed again.
    """
    from noiselayer.jobs.tuning import parse_search
    from noiselayer.jobs.tuning import tune as run_search

    ranges = [parse_search(text) for text in search or ()]
    for each in ranges:
        if training.get(each.name) is not None:
            raise InputError(f"{each.flag} is both searched and given; leave one of them out.")
    # The folder is the search's own matter; a trial is trained in no folder.
    given = {**_defaults(), **training, "data": data, "out": out / "trial"}
    run = prepared({**given, "devices": "1", "no_progress": True})
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
        trials=trials,
        grid=None if grid is None else _values(grid),
        objective=None if objective is None else objective.value,
        prune=not no_prune,
        out=out,
        storage=storage,
        resume=resume,
        heartbeat=heartbeat,
        hardware=run.hardware,
        config=run.config,
        train_arguments=_train_command(ctx, out),
        on_event=say,
    )
    _show(result, out, _train_command(ctx, out))
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


# Of train's options those that are about one run, or about a test, have no place in a search.
_NOT_TAKEN = {
    "test",
    "test_labels",
    "dry_run",
    "keep_checkpoints",
    "no_progress",
    "devices",
    "nodes",
    "strategy",
}
_TRAIN = inspect.signature(train, eval_str=True).parameters
_OWN = inspect.signature(tune, eval_str=True).parameters
_TAKEN = [p for name, p in _TRAIN.items() if name not in {*_NOT_TAKEN, *_OWN}]
# "The same options as train" cannot come to mean something else when train gets a new one.
tune.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [*(p.replace(kind=p.KEYWORD_ONLY) for p in [*list(_OWN.values())[:-1], *_TAKEN])]
)


def _defaults() -> dict[str, Any]:
    return {name: parameter.default for name, parameter in _TRAIN.items()}


def _values(text: str) -> list[float]:
    try:
        return [float(part) for part in parse_list(text) or ()]
    except ValueError:
        raise InputError(
            f"--grid takes numbers with commas between them, as 0,0.1,0.2,0.4,1; got {text!r}."
        ) from None


def _train_command(ctx: typer.Context, out: Path) -> list[str]:
    """The command that trains as the trials did, but for the options searched."""
    words = ["noiselayer", "train", str(ctx.params["data"])]
    taken = {parameter.name for parameter in _TAKEN}
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if option.name not in taken or source is None or source.name != "COMMANDLINE":
            continue
        value = ctx.params[option.name]
        if value is True:
            words.append(option.opts[0])
        else:
            words += [option.opts[0], str(value.value if isinstance(value, Enum) else value)]
    return [*words, "--out", f"{out}-best"]


def _show(result: TuningResult, out: Path, command: Sequence[str]) -> None:
    """The trials as a table, the outcome in words, and what to do next."""
    import shlex

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
            "does the trial again two minutes after its last sign of life."
        )
    say(f"Written to {out}. " + ("Stopped; " if result.interrupted else "") + "--resume adds trials.")


_STATES = {"complete": "", "pruned": "stopped early", "failed": "not finished"}

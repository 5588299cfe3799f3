"""What a search leaves in its folder."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from pathlib import Path

from noiselayer.errors import InputError, argument
from noiselayer.files.whole_file import whole_file, write_json, write_rows
from noiselayer.jobs.tuning.curve import draw_curve
from noiselayer.jobs.tuning.tuning_result import TuningResult
from noiselayer.report.pictures import save_figure

_MEASURED = ("objective", "standard_error", "error", "loss", "samples", "epochs", "seconds")


def save_report(
    folder: Path, result: TuningResult, *, train_arguments: Sequence[str] = ("noiselayer", "train")
) -> None:
    """Write the trials, what was chosen, and the curve.

    =============  ======================================================================================
    trials.csv     a trial a row, of all workers: values, objective, standard error, epochs, seconds
    best.json      the values chosen, their uncertainty, and the command that trains with them
    curve.png      objective against value, with error bars; ``curve.svg`` the same
    =============  ======================================================================================
    """
    names = [search.name for search in result.search]
    rows = [
        [t.number, t.state, *(t.values.get(name) for name in names), *(getattr(t, key) for key in _MEASURED)]
        for t in result.trials
    ]
    titles = [search.title for search in result.search]
    write_rows(folder / "trials.csv", ["trial", "state", *titles, *_MEASURED], rows)
    command = shlex.join(result.train_command(train_arguments)) if result.best else None
    write_json(folder / "best.json", {**result.to_dict(), "train_command": command})
    figure = draw_curve(result)
    for ending in ("png", "svg"):
        with whole_file(folder / f"curve.{ending}") as beside:
            save_figure(figure, beside)


def check_kept(folder: Path) -> list[str]:
    """A sentence for every report removed or emptied; an error if ``study.db`` has lost trials that a report shows."""
    names = {file.name for file in folder.iterdir() if file.name.startswith(("trials.", "best.", "curve."))}
    database = folder / "study.db"
    if names and not (database.is_file() and database.stat().st_size):
        state = "is empty" if database.exists() else "is missing"
        raise InputError(
            f"{database} {state}, and with it the trials of the search whose results lie beside it. Put it back, or "
            f"begin a new search in another folder with {argument('out')}."
        )
    if not names:
        return []
    reports = ("trials.csv", "best.json")
    lost = [name for name in reports if not (folder / name).is_file() or not (folder / name).stat().st_size]
    return [f"{folder / name} was removed or emptied; it is written again from study.db." for name in lost]


def check_none_lost(folder: Path, num_trials: int) -> None:
    """Raise an error if the report of a search lists more trials than its study holds."""
    table = folder / "trials.csv"
    try:
        with table.open(encoding="utf-8", newline="") as file:
            listed = max(sum(1 for _ in csv.reader(file)) - 1, 0)
    except (OSError, UnicodeDecodeError, csv.Error):
        return  # written again
    if listed > num_trials:
        raise InputError(
            f"{table} lists {listed:,} trials, and the study of this search holds {num_trials:,}. Put study.db back as "
            f"it was, or begin a new search in another folder with {argument('out')}."
        )

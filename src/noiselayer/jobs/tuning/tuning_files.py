"""What a search leaves in its folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from noiselayer.files.whole_file import whole_file, write_json, write_rows
from noiselayer.jobs.tuning.curve import draw_curve
from noiselayer.jobs.tuning.tuning_result import TuningResult
from noiselayer.report import save_figure

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

    Args:
        folder: Where; it exists.
        result: Of :func:`noiselayer.jobs.tuning.tune`.
        train_arguments: The beginning of the command that trains, without the options searched.
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

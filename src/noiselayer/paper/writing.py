"""What is made of the rows: one JSON file, a table in Markdown, a figure as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from noiselayer.files.records import whole_file
from noiselayer.paper.experiment import Cell, Experiment, Row
from noiselayer.paper.grid import collect
from noiselayer.paper.markdown import notes

__all__ = ["section", "write_results"]


def write_results(experiment: Experiment, cells: Sequence[Cell], out: Path) -> list[Row]:
    """Write ``NAME.json``, ``NAME.md`` and, for a figure, ``NAME.png`` and ``NAME.svg``, from the cells that are done.

    Args:
        experiment: Which.
        cells: Its grid.
        out: Folder of results.

    Returns:
        The rows.
    """
    rows = collect(experiment, cells, out)
    with whole_file(out / f"{experiment.name}.md") as beside:
        beside.write_text(section(experiment, rows), encoding="utf-8")
    if experiment.figure is not None and rows:
        from noiselayer.report import save_figure

        figure = experiment.figure(rows)
        for ending in ("svg", "png"):
            with whole_file(out / f"{experiment.name}.{ending}") as beside:
                save_figure(figure, beside)
    return rows


def section(experiment: Experiment, rows: Sequence[Row]) -> str:
    """The experiment in Markdown: what the paper found, our table, and how it was made.

    Args:
        experiment: Which.
        rows: Of the cells that are done.
    """
    table = experiment.table(rows) if rows else ""
    return f"The paper: {experiment.paper}\n\n{table}\n{notes(rows)}"

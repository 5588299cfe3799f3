"""What is made of the rows: one JSON file, a table in Markdown, a figure as PNG and SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from noiselayer.errors import InputError
from noiselayer.reproduce.experiment import Cell, Experiment, Row
from noiselayer.reproduce.grid import collect
from noiselayer.reproduce.tables import notes
from noiselayer.runs import whole_file

__all__ = ["section", "write_page", "write_results"]

_MARKED = re.compile(r"(<!-- experiment: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


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


def write_page(page: Path, out: Path) -> bool:
    """Fill the sections of a page from the results, between ``<!-- experiment: NAME -->`` and ``<!-- end -->``.

    Args:
        page: A Markdown file.
        out: Folder of results.

    Returns:
        Whether the page has changed.

    Raises:
        InputError: If an experiment that the page names has no results.
    """
    text = page.read_text(encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        source = out / f"{match[2]}.md"
        if not source.exists():
            raise InputError(f"{page} shows the experiment {match[2]}, but there is no {source}.")
        return f"{match[1]}{source.read_text(encoding='utf-8')}{match[3]}"

    filled = _MARKED.sub(fill, text)
    if filled == text:
        return False
    with whole_file(page) as beside:
        beside.write_text(filled, encoding="utf-8")
    return True

"""Rows into Markdown and into the numbers of a figure: means, spread, and the paper's figure beside ours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from noiselayer.paper.experiment import Row

__all__ = ["grouped", "markdown", "mean", "methods_of", "notes", "spread"]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean, and the standard deviation where there is more than one value; a dash where there is none.

    >>> spread([1.0, 2.0]), spread([1.0]), spread([])
    ('1.5 ± 0.7', '1.0', '–')
    """
    if not values:
        return "–"
    text = f"{statistics.mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.{digits}f}"


def mean(rows: Sequence[Row], column: str = "test_error") -> float:
    """The mean of a column over rows that have it; nan if none has.

    >>> mean([{"test_error": 1.0}, {"test_error": 2.0}])
    1.5
    """
    values = [row[column] for row in rows if row.get(column) is not None]
    return statistics.mean(values) if values else float("nan")


def grouped(rows: Sequence[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Rows by a key, in the order in which the keys come.

    >>> grouped([{"a": 1}, {"a": 2}, {"a": 1}], lambda row: row["a"])
    {1: [{'a': 1}, {'a': 1}], 2: [{'a': 2}]}
    """
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def methods_of(rows: Sequence[Row]) -> list[str]:
    """The methods, in the order in which they come."""
    return list(dict.fromkeys(row["method"] for row in rows))


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table.

    >>> print(markdown(["a", "b"], [["1", "2"]]), end="")
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    rows = [header, ["---"] * len(header), *lines]
    return "".join(
        ("|" + "|".join(row) + "|" if n == 1 else "| " + " | ".join(row) + " |") + "\n"
        for n, row in enumerate(rows)
    )


def notes(rows: Sequence[Row]) -> str:
    """What the rows have in common: data, machine, versions, seeds and time."""
    if not rows:
        return "No cell has been run yet.\n"
    first = rows[0]
    seeds = sorted({row["seed"] for row in rows})
    hours = sum(row["seconds"] for row in rows) / 3600
    hardware, versions, budget = first["hardware"], first["versions"], first["budget"]
    datasets = ", ".join(dict.fromkeys(row["dataset"] for row in rows))
    return (
        f"{datasets}; {budget['model']} network, {budget['epochs']} epochs"
        f"{_at_least(budget)}; {len(rows)} cells, seeds "
        f"{', '.join(map(str, seeds))}, {hours:.1f} hours of one processor; {hardware['processor']}, "
        f"{_threads(rows)}, {hardware['precision']}; PyTorch {versions['torch']}, "
        f"noiselayer {versions['noiselayer']}.\n"
    )


def _threads(rows: Sequence[Row]) -> str:
    counts = sorted({row["hardware"]["threads"] for row in rows})
    return f"{' or '.join(map(str, counts))} thread{'s' if counts != [1] else ''}"


def _at_least(budget: dict[str, Any]) -> str:
    steps = budget.get("steps", 0)
    return f" or as many as make {steps:,} steps" if steps else ""

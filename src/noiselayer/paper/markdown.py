"""Rows into Markdown: means and spread, a table, and what the rows have in common."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from noiselayer.paper.experiment import Experiment, Row

FIGURES = ("test error, %", "relative L1 error of Q", "seeds")
"""The heading of :func:`figures`."""


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean, and the standard deviation where there is more than one value; a dash where there is none.

    >>> spread([1.0, 2.0]), spread([1.0]), spread([])
    ('1.5 ± 0.7', '1.0', '–')
    """
    if not values:
        return "–"
    text = f"{statistics.mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.{digits}f}"


def errors(rows: Sequence[Row], digits: int = 1, *, column: str = "test_error") -> str:
    """:func:`spread` of a column, over the rows that have it.

    >>> errors([{"test_error": 1.0}, {"test_error": 2.0}, {"test_error": None}])
    '1.5 ± 0.7'
    """
    return spread([row[column] for row in rows if row[column] is not None], digits)


def figures(rows: Sequence[Row], matrix_digits: int = 3) -> list[str]:
    """Test error, the noise matrix's error and the number of seeds, as the tables show them."""
    return [errors(rows), errors(rows, matrix_digits, column="noise_matrix_error"), str(len(rows))]


def matching(rows: Sequence[Row], method: str, **settings: Any) -> list[Row]:
    """The rows of a method with these settings."""
    return [
        row
        for row in rows
        if row["method"] == method and all(row["settings"][name] == settings[name] for name in settings)
    ]


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
    rule = "|---" * len(header) + "|\n"
    first, *rest = ("| " + " | ".join(row) + " |\n" for row in (header, *lines))
    return first + rule + "".join(rest)


def side_by_side(
    rows: Sequence[Row],
    key: Callable[[Row], Any],
    heading: Sequence[str],
    show: Callable[[Any], Sequence[str]],
    *,
    label: Callable[[str], str] = str,
    learned_matrix: bool = False,
) -> str:
    """A line per value of ``key``, put in words by ``show``, with the errors of methods and learned matrix."""
    methods = methods_of(rows)
    lines = []
    for value, of_value in grouped(rows, key).items():
        line = [*show(value), *(errors(matching(of_value, method)) for method in methods)]
        if learned_matrix:
            line.append(errors(matching(of_value, "learned"), 3, column="noise_matrix_error"))
        lines.append(line)
    last = ["relative L1 error of the learned Q"] if learned_matrix else []
    return markdown([*heading, *map(label, methods), *last], lines)


def section(experiment: Experiment, rows: Sequence[Row]) -> str:
    """The experiment in Markdown: what the paper found, our table, and how it was made."""
    table = experiment.table(rows) if rows else ""
    return f"The paper: {experiment.paper}\n\n{table}\n{notes(rows)}"


def notes(rows: Sequence[Row]) -> str:
    """What the rows have in common: data, machine, versions, seeds and time."""
    if not rows:
        return "No cell has been run yet.\n"
    hardware, budget = rows[0]["hardware"], rows[0]["budget"]
    torch, ours = (
        " and ".join(sorted({row["versions"][of] for row in rows})) for of in ("torch", "noiselayer")
    )
    steps = budget.get("steps", 0)
    threads = sorted({row["hardware"]["threads"] for row in rows})
    epochs = sorted({row["budget"]["epochs"] for row in rows})
    precisions = dict.fromkeys(row["hardware"]["precision"] for row in rows)
    return (
        f"{', '.join(dict.fromkeys(row['dataset'] for row in rows))}; "
        f"{budget['model']} network, {' or '.join(map(str, epochs))} epochs"
        f"{f' or as many as make {steps:,} steps' if steps else ''}; "
        f"{len(rows)} cells, seeds {', '.join(map(str, sorted({row['seed'] for row in rows})))}, "
        f"{sum(row['seconds'] for row in rows) / 3600:.1f} hours of one processor; {hardware['processor']}, "
        f"{' or '.join(map(str, threads))} thread{'s' if threads != [1] else ''}, {' or '.join(precisions)}; "
        f"PyTorch {torch}, noiselayer {ours}.\n"
    )

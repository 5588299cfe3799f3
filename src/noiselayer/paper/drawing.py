"""The pictures that several experiments share."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noiselayer.paper.experiment import Row
from noiselayer.paper.markdown import grouped, matching, methods_of

# Okabe and Ito's colours, told apart with any kind of colour vision; markers and dashes say it again.
_STYLES = [("#000000", "o", "-"), ("#0072B2", "s", "-"), ("#D55E00", "^", "-"), ("#009E73", "D", "--")]
_MORE = [("#CC79A7", "v", "--"), ("#E69F00", "P", ":"), ("#56B4E9", "X", ":")]


def error_lines(
    rows: Sequence[Row],
    x: Callable[[Row], float],
    *,
    xlabel: str,
    logarithmic: bool = False,
    label: Callable[[str], str] = str,
) -> Figure:
    """Test error over ``x``, a line per method named by ``label``, with the spread over seeds."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for method, style in zip(methods_of(rows), _STYLES + _MORE, strict=False):
        colour, marker, line = style
        points = grouped([row for row in rows if row["method"] == method], x)
        at = sorted(points)
        means = [_mean(points[value]) for value in at]
        errors = [[row["test_error"] for row in points[value]] for value in at]
        bars = [statistics.stdev(values) if len(values) > 1 else 0.0 for values in errors]
        axes.errorbar(
            at, means, yerr=bars if any(bars) else None, color=colour, marker=marker, linestyle=line,
            markersize=5, linewidth=1.5, capsize=2, label=label(method),
        )  # fmt: skip
    if logarithmic:
        axes.set_xscale("log")
        ticks = sorted({x(row) for row in rows})
        axes.set_xticks(ticks, [_short(tick) for tick in ticks])
        axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel="Test error, %")
    _plain(axes)
    if rows:
        axes.legend(frameon=False, fontsize="small")
    return figure


def contours(rows: Sequence[Row], methods: Sequence[str]) -> Figure:
    """Test error over numbers of right and wrong labels, a panel per method, as numbers and lines of equal error."""
    figure = Figure(figsize=(4.2 * len(methods), 3.8), layout="constrained")
    panels = figure.subplots(1, len(methods), sharex=True, sharey=True, squeeze=False)[0]
    right = sorted({row["settings"]["right"] for row in rows})
    wrong = sorted({row["settings"]["wrong"] for row in rows})
    errors = [row["test_error"] for row in rows]
    levels = np.linspace(min(errors, default=0), max(errors, default=1), 9)[1:-1]
    for axes, method in zip(panels, methods, strict=True):
        z = np.array([[_mean(matching(rows, method, right=r, wrong=w)) for r in right] for w in wrong])
        # Equal steps between grid points of unequal distance: the grid is about doubling.
        axes.imshow(z, origin="lower", cmap="cividis_r", vmin=min(errors, default=0), vmax=max(errors, default=1),
                    aspect="auto", alpha=0.35)  # fmt: skip
        if min(z.shape) > 2 and np.isfinite(z).all() and np.ptp(z) > 0:
            axes.contour(z, levels=levels, colors="#333333", linewidths=1)
        for (row, column), value in np.ndenumerate(z):
            if np.isfinite(value):
                axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize="small")
        axes.set_xticks(range(len(right)), [_short(r) for r in right])
        axes.set_yticks(range(len(wrong)), [_short(w) for w in wrong])
        axes.set(title=method, xlabel="Right labels")
    panels[0].set_ylabel("Wrong labels")
    return figure


def _mean(rows: Sequence[Row]) -> float:
    return statistics.mean(row["test_error"] for row in rows) if rows else float("nan")


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _short(number: float) -> str:
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"

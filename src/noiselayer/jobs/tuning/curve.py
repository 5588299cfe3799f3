"""The objective against what was searched, as in the paper's Fig. 7."""

from __future__ import annotations

from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noiselayer.jobs.tuning.search import SearchRange
from noiselayer.jobs.tuning.tuning_result import TuningResult

_DARK, _GOLD, _GREY = "#00224e", "#b8860b", "0.6"


def draw_curve(result: TuningResult) -> Figure:
    """A panel per option: trials with standard errors, a band of one from the best. Crosses stopped early."""
    error = result.objective.name == "error"
    scale = 100.0 if error else 1.0
    figure = Figure(figsize=(5.2 * len(result.search), 3.8), layout="constrained")
    axes = figure.subplots(1, len(result.search), squeeze=False, sharey=True)[0]
    for search, ax in zip(result.search, axes, strict=True):
        _draw_panel(ax, result, search, scale)
        if result.best is not None:
            low = scale * (result.best.objective or 0.0)
            high = low + scale * (result.best.standard_error or 0.0)
            ax.axhspan(low, high, color=_GOLD, alpha=0.15, linewidth=0, label="within one standard error")
    axes[0].set_ylabel(fill(result.objective.words + (" (%)" if error else ""), 34))
    handles, labels = axes[-1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return figure


def _draw_panel(ax: Axes, result: TuningResult, search: SearchRange, scale: float) -> None:
    name = search.name
    ended = sorted(result.complete, key=lambda trial: trial.values[name])
    stopped = [trial for trial in result.trials if trial.state == "pruned" and trial.objective is not None]
    if search.log:
        # A grid may hold 0, which has no place on a logarithmic axis of its own.
        values = [trial.values[name] for trial in (*ended, *stopped)]
        if 0.0 in values:
            ax.set_xscale("symlog", linthresh=min((value for value in values if value > 0), default=1.0))
        else:
            ax.set_xscale("log")
    if ended:
        ax.errorbar(
            [trial.values[name] for trial in ended],
            [scale * (trial.objective or 0.0) for trial in ended],
            yerr=[scale * (trial.standard_error or 0.0) for trial in ended],
            # With several options searched at once neighbours differ in the others: no line joins them.
            fmt="o-" if len(result.search) == 1 else "o",
            color=_DARK,
            ecolor=_GREY,
            markersize=4,
            linewidth=1,
            capsize=2,
            label="trial, ± standard error",
        )
    if stopped:
        places = [scale * (trial.objective or 0.0) for trial in stopped]
        values = [trial.values[name] for trial in stopped]
        ax.plot(values, places, "x", color=_GREY, markersize=5, label="stopped early")
    if result.best is not None:
        chosen = result.best.values[name]
        ax.plot(
            [chosen],
            [scale * (result.best.objective or 0.0)],
            "o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=_GOLD,
            markeredgewidth=2,
            label="chosen",
        )
        ax.set_title(f"chosen: {chosen:.4g}", fontsize=9)
    ax.set_xlabel(search.title)

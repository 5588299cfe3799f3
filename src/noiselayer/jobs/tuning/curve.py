"""The objective against what was searched, as in the paper's Fig. 7."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noiselayer.jobs.tuning.tuning_result import TuningResult

__all__ = ["CurvePanel", "curve_panels", "draw_curve"]

_DARK, _GOLD, _GREY = "#00224e", "#b8860b", "0.6"


@dataclass(frozen=True)
class CurvePanel:
    """What one panel shows.

    Attributes:
        title: The option, under the axis.
        log: Whether its axis is logarithmic.
        values: Of the complete trials, ascending.
        objective: Of the same trials.
        standard_error: Of the same trials.
        pruned: Values and objectives of the trials that were stopped early.
        chosen: The chosen value; None before any trial has ended.
        line: Whether to join the points: with several options searched at once neighbours differ in the others.
    """

    title: str
    log: bool
    values: list[float]
    objective: list[float]
    standard_error: list[float]
    pruned: tuple[list[float], list[float]]
    chosen: float | None
    line: bool


def curve_panels(result: TuningResult) -> list[CurvePanel]:
    """Find out what is drawn: a panel per option; errors in per cent.

    Args:
        result: Of a search.
    """
    scale = 100.0 if result.objective.name == "error" else 1.0
    panels = []
    for search in result.search:
        name = search.name
        ended = sorted(result.complete, key=lambda t: t.values[name])
        stopped = [t for t in result.trials if t.state == "pruned" and t.objective is not None]
        panels.append(
            CurvePanel(
                search.title,
                search.log,
                [t.values[name] for t in ended],
                [scale * (t.objective or 0.0) for t in ended],
                [scale * (t.standard_error or 0.0) for t in ended],
                ([t.values[name] for t in stopped], [scale * (t.objective or 0.0) for t in stopped]),
                result.best.values[name] if result.best else None,
                line=len(result.search) == 1,
            )
        )
    return panels


def draw_curve(result: TuningResult) -> Figure:
    """Draw a panel for every option: points with one standard error up and down, the chosen value marked.

    The band is one standard error from the best: values in it cannot be told from it by these samples. Trials
    stopped early are crosses at where they had come to.

    Args:
        result: Of a search.
    """
    panels = curve_panels(result)
    figure = Figure(figsize=(5.2 * len(panels), 3.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for panel, ax in zip(panels, axes, strict=True):
        _draw_panel(ax, panel)
        if result.best is not None:
            scale = 100.0 if result.objective.name == "error" else 1.0
            low = scale * (result.best.objective or 0.0)
            high = low + scale * (result.best.standard_error or 0.0)
            ax.axhspan(low, high, color=_GOLD, alpha=0.15, linewidth=0, label="within one standard error")
    unit = " (%)" if result.objective.name == "error" else ""
    axes[0].set_ylabel(_wrapped(result.objective.words + unit))
    handles, labels = axes[-1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return figure


def _draw_panel(ax: Axes, panel: CurvePanel) -> None:
    if panel.log:
        # A grid may hold 0, which has no place on a logarithmic axis of its own.
        positive = [value for value in (*panel.values, *panel.pruned[0]) if value > 0]
        if 0.0 in panel.values or 0.0 in panel.pruned[0]:
            ax.set_xscale("symlog", linthresh=min(positive, default=1.0))
        else:
            ax.set_xscale("log")
    if panel.values:
        ax.errorbar(
            panel.values,
            panel.objective,
            yerr=panel.standard_error,
            fmt="o-" if panel.line else "o",
            color=_DARK,
            ecolor=_GREY,
            markersize=4,
            linewidth=1,
            capsize=2,
            label="trial, ± standard error",
        )
    if panel.pruned[0]:
        ax.plot(*panel.pruned, "x", color=_GREY, markersize=5, label="stopped early")
    if panel.chosen is not None:
        place = min(y for x, y in zip(panel.values, panel.objective, strict=True) if x == panel.chosen)
        ax.plot(
            [panel.chosen],
            [place],
            "o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=_GOLD,
            markeredgewidth=2,
            label="chosen",
        )
        ax.set_title(f"chosen: {panel.chosen:.4g}", fontsize=9)
    ax.set_xlabel(panel.title)


def _wrapped(text: str) -> str:
    """Long words beside a low picture: on two lines."""
    if len(text) < 34:
        return text
    middle = text.find(" ", len(text) // 2 - 4)
    return text[:middle] + "\n" + text[middle + 1 :]

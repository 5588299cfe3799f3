"""Losses over the epochs of every stage, with the moment Q joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from noiselayer.report.heatmap import save_figure

if TYPE_CHECKING:
    from noiselayer.training import StageResult

__all__ = ["StageCurves", "draw_curves", "save_curves", "stage_curves"]

_STYLES = (
    ("train_loss", "training", "#00224e", "-"),
    ("val_loss", "validation, noisy labels", "#b8860b", "--"),
)


@dataclass(frozen=True)
class StageCurves:
    """What is drawn of one stage.

    Attributes:
        title: Its name.
        lines: "train_loss" and "val_loss" -> epochs (counted from 1) and losses in nats.
        joined: Epochs finished when Q joined, where it joined on the way; else None.
        best: The epoch (from 1) whose weights were kept; None if there was none.
    """

    title: str
    lines: dict[str, tuple[list[float], list[float]]]
    joined: int | None
    best: int | None


def stage_curves(stages: Sequence[StageResult]) -> list[StageCurves]:
    """Find out what is drawn: a panel per stage that has at least one epoch.

    >>> from noiselayer.training import StageResult
    >>> rows = [{"epoch": 0.0, "train_loss": 1.0}, {"epoch": 1.0, "train_loss": 0.5}]
    >>> stage_curves([StageResult("main", curves=rows, best_epoch=1)])[0].lines
    {'train_loss': ([1.0, 2.0], [1.0, 0.5])}
    """
    panels = []
    for stage in stages:
        lines = {}
        for name, *_ in _STYLES:
            points = [(row["epoch"] + 1, row[name]) for row in stage.curves if name in row]
            if points:
                lines[name] = ([x for x, _ in points], [y for _, y in points])
        if lines:
            best = None if stage.best_epoch is None else stage.best_epoch + 1
            panels.append(StageCurves(stage.name, lines, stage.switched_at, best))
    return panels


def draw_curves(panels: Sequence[StageCurves], *, noise_floor: float | None = None) -> Figure:
    """Draw a panel per stage on one scale of losses.

    Args:
        panels: See :func:`stage_curves`.
        noise_floor: The loss of a perfect classifier seen through the final Q, in nats: a training loss of
            the main stage below it means that labels are learned by heart.

    >>> len(draw_curves([StageCurves("main", {"val_loss": ([1.0], [0.7])}, joined=None, best=1)]).axes)
    1
    """
    figure = Figure(figsize=(max(4.5, 3.6 * len(panels)), 3.4), layout="constrained")
    axes = figure.subplots(1, max(len(panels), 1), squeeze=False, sharey=True)[0]
    for place, (panel, ax) in enumerate(zip(panels, axes, strict=False)):
        for name, label, color, style in _STYLES:
            if name in panel.lines:
                mark = "o" if len(panel.lines[name][0]) == 1 else None
                ax.plot(*panel.lines[name], style, color=color, label=label, marker=mark)
        if panel.best is not None:
            ax.axvline(panel.best, color="0.75", linewidth=1, label="kept")
        if panel.joined is not None:
            ax.axvline(panel.joined, color="black", linestyle=":", label="Q joins")
        if noise_floor is not None and place == len(panels) - 1:
            ax.axhline(noise_floor, color="0.4", linestyle="-.", linewidth=1, label="noise floor")
        ax.set_title(panel.title)
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("loss (nats)")
    if panels:
        axes[len(panels) - 1].legend(fontsize=7)
    return figure


def save_curves(path: str | Path, stages: Sequence[StageResult], *, noise_floor: float | None = None) -> None:
    """Draw the losses of all stages into a file; its ending decides on the format.

    >>> import tempfile
    >>> from noiselayer.training import StageResult
    >>> stage = StageResult("main", curves=[{"epoch": 0.0, "train_loss": 1.0}])
    >>> save_curves(Path(tempfile.mkdtemp()) / "curves.png", [stage])
    """
    save_figure(draw_curves(stage_curves(stages), noise_floor=noise_floor), path)

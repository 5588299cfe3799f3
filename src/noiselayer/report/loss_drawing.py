"""Losses over the epochs of all stages on one axis, with the moment the noise matrix joined."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from noiselayer.report.content import StageLosses
from noiselayer.report.pictures import PALETTE, STYLE, save_figure
from noiselayer.report.stages import losses_of
from noiselayer.report.wording import clip

if TYPE_CHECKING:
    from noiselayer.training.trained import StageResult

_LINES = (("training", "training", "-"), ("validation", "validation, held-out labels", "--"))


def draw_losses(
    stages: Sequence[StageLosses], noise_floor: float | None = None, *, width: int = 720, height: int = 320
) -> Figure:
    """Draw training and validation losses; a line wherever a stage begins, or the noise matrix joins.

    Args:
        stages: In their order; those without an epoch are left out.
        noise_floor: The loss of a perfect classifier seen through the final noise matrix, in nats; drawn over
            the last stage, whose losses may be compared with it: a training loss below it means that labels are
            learned by heart.
        width: In 72nds of an inch.
        height: In 72nds of an inch.

    >>> ax = draw_losses([StageLosses("main", (1.0, 0.5), (1.1, 0.9))], 0.7).axes[0]
    >>> [line.get_label() for line in ax.lines]
    ['training', 'validation, held-out labels', 'noise floor']
    """
    drawn = [stage for stage in stages if stage.training or stage.validation]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72))
        keys = 22 if width > 600 else 56  # of the legend, on one line or on three
        ax = figure.add_axes((46 / width, (keys + 52) / height, 1 - 58 / width, 1 - (keys + 92) / height))
        start, epochs = 0, sum(map(_length, drawn))
        every = max(1, math.ceil(epochs / max(2, (width - 80) // 42)))
        ticks: list[tuple[int, str]] = []
        for number, stage in enumerate(drawn, start=1):
            if start:
                ax.axvline(start + 0.5, color=PALETTE["edge"], linewidth=1)
            if len(drawn) > 1:
                ax.text(start + 0.6, 1.02, str(number), transform=ax.get_xaxis_transform(), weight="bold")
            for name, label, style in _LINES:
                points = _points(getattr(stage, name))
                mark = "o" if len(points) == 1 else None
                xs, ys = [start + x for x, _ in points], [y for _, y in points]
                ax.plot(xs, ys, style, color=PALETTE[name], label=label, marker=mark, markersize=4)
            for epoch, loss in _points(stage.validation):
                if stage.best is not None and epoch == stage.best + 1:
                    kept: Any = {"markerfacecolor": PALETTE["paper"], "markersize": 8, "linestyle": "none"}
                    ax.plot(
                        [start + epoch],
                        [loss],
                        "o",
                        color=PALETTE["validation"],
                        label="weights kept",
                        **kept,
                    )
            if stage.joined is not None and 0 < stage.joined < _length(stage):
                ax.axvline(
                    start + stage.joined + 0.5,
                    color=PALETTE["ink"],
                    linestyle=":",
                    label="noise matrix joins",
                )
            ticks += [(start + epoch, str(epoch)) for epoch in range(1, _length(stage) + 1, every)]
            start += _length(stage)
        if noise_floor is not None and drawn:
            over = [start - _length(drawn[-1]) + 0.5, start + 0.5]
            ax.plot(over, [noise_floor] * 2, "-.", color=PALETTE["soft"], linewidth=1.5, label="noise floor")
        ax.set_xlim(0.5, max(start, 1) + 0.5)
        ax.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        ax.grid(axis="y", color=PALETTE["line"])
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(length=0)
        figure.text(8 / width, 1 - 14 / height, "loss (nats)", color=PALETTE["soft"])
        named = ", ".join(f"{n} ({clip(stage.name, 40)})" for n, stage in enumerate(drawn, start=1))
        words = textwrap.wrap(f"epoch of stage {named}" if len(drawn) > 1 else "epoch", width // 7)
        soft: Any = {"va": "top", "color": PALETTE["soft"], "parse_math": False}
        figure.text(46 / width, (keys + 32) / height, "\n".join(words[:2]), **soft)
        handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        columns = 5 if width > 600 else 2
        figure.legend(
            handles.values(), handles, loc="lower left", ncols=columns, columnspacing=1.2, borderaxespad=0
        )
    return figure


def save_curves(path: str | Path, stages: Sequence[StageResult], *, noise_floor: float | None = None) -> None:
    """Draw the losses of all stages into a file; its ending decides on the format.

    >>> import tempfile
    >>> from noiselayer.training.trained import StageResult
    >>> stage = StageResult("main", curves=[{"epoch": 0.0, "train_loss": 1.0}])
    >>> save_curves(Path(tempfile.mkdtemp()) / "curves.png", [stage])
    """
    save_figure(draw_losses([losses_of(stage) for stage in stages], noise_floor), path)


def describe_losses(stages: Sequence[StageLosses], noise_floor: float | None = None) -> str:
    """The drawing in words, for those who cannot see it.

    >>> describe_losses([StageLosses("main", (1.0, 0.5), ())], 0.25)
    'main: training loss from 1.000 to 0.500. The noise floor is 0.250 nats.'
    """
    sentences = []
    for stage in stages:
        known = {name: _points(getattr(stage, name)) for name, *_ in _LINES}
        parts = [f"{name} loss from {p[0][1]:.3f} to {p[-1][1]:.3f}" for name, p in known.items() if p]
        sentences += [f"{clip(stage.name)}: {', '.join(parts)}"] if parts else []
    return (
        "; ".join(sentences) + "." + (f" The noise floor is {noise_floor:.3f} nats." if noise_floor else "")
    )


def _points(losses: Sequence[float | None]) -> list[tuple[int, float]]:
    """Epochs, counted from 1, and the losses that are known."""
    return [(e, loss) for e, loss in enumerate(losses, start=1) if loss is not None and math.isfinite(loss)]


def _length(stage: StageLosses) -> int:
    return max(len(stage.training), len(stage.validation))

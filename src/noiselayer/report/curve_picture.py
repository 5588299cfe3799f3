"""Losses over the epochs of all stages on one axis, as a picture that needs no program to draw it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from noiselayer.report.content import StageLosses
from noiselayer.report.wording import clip

__all__ = ["draw_losses", "ticks"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 40, 40


def draw_losses(
    stages: Sequence[StageLosses],
    noise_floor: float | None = None,
    *,
    width: int = 720,
    height: int = 300,
    name: str = "curves",
) -> Markup:
    """Draw training and validation losses; a line wherever a stage begins, or the noise matrix joins.

    Args:
        stages: In their order; those without an epoch are left out.
        noise_floor: The loss of a perfect classifier seen through the final noise matrix, in nats; drawn over
            the last stage, whose losses may be compared with it.
        width: In pixels.
        height: In pixels.
        name: Of the picture within its page: two on one page must differ.

    >>> picture = draw_losses([StageLosses("main", (1.0, 0.5), (1.1, 0.9))], 0.7)
    >>> picture.count("<polyline"), "noise floor" in picture
    (2, True)
    """
    drawn = [stage for stage in stages if stage.training or stage.validation]
    lengths = [max(len(stage.training), len(stage.validation)) for stage in drawn]
    losses = [
        value
        for stage in drawn
        for value in (*stage.training, *stage.validation)
        if value is not None and math.isfinite(value)
    ]
    if not losses:
        return Markup("")
    known = losses + ([noise_floor] if noise_floor is not None else [])
    steps = ticks(min(known), max(known))
    low, high = steps[0], steps[-1]
    epochs = sum(lengths)

    def x(epoch: float) -> float:  # epoch 0.5 is the middle of the first one
        return _LEFT + (width - _LEFT - _RIGHT) * epoch / epochs

    def y(loss: float) -> float:
        return _TOP + (height - _TOP - _BOTTOM) * (high - loss) / (high - low)

    summary = "; ".join(_in_words(stage) for stage in drawn)
    floor = "" if noise_floor is None else f" The noise floor is {noise_floor:.3f} nats."
    parts = [
        f'<svg class="curves" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">Losses of every epoch</title>'
        f'<desc id="{name}-desc">{escape(summary)}.{floor}</desc>'
    ]
    for step in steps:
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y(step):.1f}" y2="{y(step):.1f}"/>'
            f'<text class="tick end" x="{_LEFT - 8}" y="{y(step) + 4:.1f}">{step:g}</text>'
        )
    every = max(1, math.ceil(epochs / max(2, (width - 80) // 42)))
    start = 0
    for number, (stage, length) in enumerate(zip(drawn, lengths, strict=True), start=1):
        if start:
            parts.append(_boundary(x(start), height))
        if len(drawn) > 1:
            parts.append(f'<text class="stage" x="{x(start) + 6:.1f}" y="{_TOP - 10}">{number}</text>')
        for epoch in range(0, length, every):
            parts.append(
                f'<text class="tick middle" x="{x(start + epoch + 0.5):.1f}" y="{height - _BOTTOM + 18}">'
                f"{epoch + 1}</text>"
            )
        if stage.joined is not None and 0 < stage.joined < length:
            parts.append(_boundary(x(start + stage.joined), height, joins=True))
        for line, values in (("training", stage.training), ("validation", stage.validation)):
            points = [
                (x(start + epoch + 0.5), y(value))
                for epoch, value in enumerate(values)
                if value is not None and math.isfinite(value)
            ]
            drawn_points = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
            parts.append(f'<polyline class="{line}" points="{drawn_points}"/>')
            if len(points) == 1:
                parts.append(
                    f'<circle class="{line}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>'
                )
        best = None if stage.best is None else _at(stage.validation, stage.best)
        if best is not None and stage.best is not None:
            parts.append(
                f'<circle class="kept" cx="{x(start + stage.best + 0.5):.1f}" cy="{y(best):.1f}" r="5"/>'
            )
        start += length
    if noise_floor is not None:
        begin = x(epochs - lengths[-1])
        # Losses lie above the floor, so its name stands below it where there is room.
        below = 16 if y(noise_floor) + 20 < height - _BOTTOM else -6
        parts.append(
            f'<line class="floor" x1="{begin:.1f}" x2="{width - _RIGHT}" y1="{y(noise_floor):.1f}" '
            f'y2="{y(noise_floor):.1f}"/>'
            f'<text class="note end" x="{width - _RIGHT - 4}" y="{y(noise_floor) + below:.1f}">noise floor</text>'
        )
    parts.append(
        f'<text class="tick middle" x="{(width + _LEFT) / 2:.0f}" y="{height - 4}">epoch</text>'
        f'<text class="tick" x="2" y="12">loss (nats)</text></svg>'
    )
    return Markup("".join(parts))


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers, evenly spaced, the first not above ``low`` and the last not below ``high``.

    >>> ticks(0.31, 1.9)
    [0.0, 0.5, 1.0, 1.5, 2.0]
    >>> ticks(0.5, 0.5)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / (wanted - 1)
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def _boundary(place: float, height: int, *, joins: bool = False) -> str:
    word = (
        f'<text class="note" x="{place + 5:.1f}" y="{_TOP + 10}">noise matrix joins</text>' if joins else ""
    )
    kind = "joins" if joins else "boundary"
    return (
        f'<line class="{kind}" x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>{word}'
    )


def _at(values: Sequence[float | None], place: int) -> float | None:
    value = values[place] if 0 <= place < len(values) else None
    return value if value is not None and math.isfinite(value) else None


def _in_words(stage: StageLosses) -> str:
    parts = []
    for word, values in (("training", stage.training), ("validation", stage.validation)):
        known = [value for value in values if value is not None and math.isfinite(value)]
        if known:
            parts.append(f"{word} loss from {known[0]:.3f} to {known[-1]:.3f}")
    return f"{clip(stage.name)}: {', '.join(parts)}"

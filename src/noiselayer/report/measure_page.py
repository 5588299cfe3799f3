"""How right a labeller is, as one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noiselayer.estimation.labeller import LabellerFigures
from noiselayer.estimation.stand_in import StandIn
from noiselayer.report.page import render_page


def render_measure(
    figures: LabellerFigures,
    class_names: Sequence[str],
    groups: Sequence[Any] = (),
    *,
    title: str,
    group_column: str | None = None,
    stand_in: StandIn | None = None,
    people: Sequence[str] = (),
) -> str:
    """The page, as text; names are escaped and clipped, and its policy allows its own style alone."""
    by_class = (figures.shares, figures.label_shares.tolist(), figures.precision, figures.recall)
    return render_page(
        "measure.html",
        title=title,
        notes=figures.notes,
        figures=figures,
        classes=list(zip(class_names, *by_class, strict=True)),
        groups=groups,
        group_column=group_column,
        stand_in=stand_in,
        people=people,
    )

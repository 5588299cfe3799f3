"""How right a labeller is, as one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from noiselayer.estimation.labeller import LabellerFigures
from noiselayer.report.page import environment, hash_of
from noiselayer.report.pictures import web_file


def render_measure(
    figures: LabellerFigures,
    class_names: Sequence[str],
    groups: Sequence[Any] = (),
    *,
    title: str,
    group_column: str | None = None,
) -> str:
    """The page, as text; names are escaped and clipped, and its policy allows its own style alone."""
    style = web_file("report.css")
    return (
        environment()
        .get_template("measure.html")
        .render(
            title=title,
            policy=f"default-src 'none'; style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'",
            style=Markup(style),
            figures=figures,
            classes=list(
                zip(
                    class_names,
                    figures.shares,
                    figures.label_shares.tolist(),
                    figures.precision,
                    figures.recall,
                    strict=True,
                )
            ),
            groups=groups,
            group_column=group_column,
        )
    )

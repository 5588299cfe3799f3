"""``noiselayer estimate``."""

from __future__ import annotations

from typing import Any

from noiselayer.cli._errors import say
from noiselayer.jobs.estimate_options import EstimateJob


def estimate(job: EstimateJob) -> None:
    """Measure how labels are wrong, with the help of trusted ones.

    Either from what a model predicts on trusted and on noisy samples (a model that was trained on neither),
    or from samples that carry both labels; with both, the two estimates are combined.

    Leaves the noise matrix, which train --method known takes, its errors and a picture.
    """
    from noiselayer.jobs.estimate import estimate_files

    found = estimate_files(job)
    for warning in found.warnings:
        say(f"Note: {warning}")
    if found.determined:
        if job.show:
            _print_table(found, job.show)
        say(f"By this matrix about {100 * found.wrong_labels:.0f} % of the noisy labels are wrong.")
    else:
        say("These data say nothing about the noise: every standard error is infinite.")
    say(f"Written to {job.out}.")


def _print_table(found: Any, limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from noiselayer.estimation.in_words import strongest_confusions

    estimate = found.estimate
    confusions = strongest_confusions(
        estimate.noise_matrix, estimate.standard_error, estimate.interval, limit=limit, least=0.0005
    )
    if not confusions:
        say("No class carries another's label as often as once in 2,000.")
        return
    table = Table(title="The strongest confusions")
    table.add_column("± one standard error, in points")
    table.add_column(f"{100 * found.estimate.confidence:g} % interval", justify="right")
    for confusion in confusions:
        low, high = confusion.interval or (0.0, 1.0)
        table.add_row(Text(confusion.in_words(found.class_names)), f"{100 * low:.1f} to {100 * high:.1f} %")
    Console().print(table)

"""``noiselayer reproduce``."""

from __future__ import annotations

import typer

from noiselayer.cli._errors import say
from noiselayer.jobs.reproduce_options import ReproduceJob


def reproduce(job: ReproduceJob) -> None:
    """Run an experiment of the paper: a table or a figure.

    A grid of trainings, each with a file of its own: a grid that was stopped goes on, and several processes may share
    one. Rows are gathered in OUT/NAME.json; table and figure are made from them.
    """
    from noiselayer.errors import InputError
    from noiselayer.paper import SCALES, load_experiment
    from noiselayer.paper import reproduce as run

    experiment, scale = load_experiment(job.name), job.scale
    if scale not in SCALES:
        raise InputError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}.")
    if job.list_cells:
        for cell in experiment.cells(scale, range(job.seeds or experiment.default_seeds[scale])):
            typer.echo(cell.name)
        return
    say(f"{experiment.title}. The paper: {experiment.paper}")
    asked = {name: value for name, value in vars(job).items() if name != "list_cells"}
    run(**{**asked, "cells": None if job.cells is None else list(job.cells)}, say=say)
    typer.echo((job.out / f"{job.name}.md").read_text(encoding="utf-8"))

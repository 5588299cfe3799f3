"""``noiselayer train``."""

from __future__ import annotations

import typer

from noiselayer.cli._errors import INTERRUPTED, say
from noiselayer.cli._outcome import tell_outcome
from noiselayer.jobs.train_options import TrainJob


def train(job: TrainJob) -> None:
    """Train a classifier on noisy labels, and on clean ones where there are some.

    Leaves a folder with the weights, the noise matrix, figures, curves and pictures.

    Ctrl-C leaves one that can be used; --resume goes on with it.
    """
    from noiselayer.jobs.train_prepare import prepare_run

    run = prepare_run(job)
    if run.finished:
        run.tidy(keep_checkpoints=job.keep_checkpoints)
        say(f"The run in {job.out} is finished already; nothing to do.")
        return
    if job.dry_run:
        say(run.plan())
        return
    say(run.sets.summary())
    if run.choice:
        say(run.choice)
    metrics = run.execute(on_stage=say, keep_checkpoints=job.keep_checkpoints)
    if metrics is not None:
        tell_outcome(metrics, job.out)
        if not metrics["finished"]:
            raise typer.Exit(INTERRUPTED)

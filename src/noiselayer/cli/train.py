"""``noiselayer train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from noiselayer.cli._errors import INTERRUPTED, say
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
        _tell_outcome(metrics, job.out)
        if not metrics["finished"]:
            raise typer.Exit(INTERRUPTED)


def _tell_outcome(metrics: dict[str, Any], out: Path) -> None:
    """Print the figures of a run, as :func:`noiselayer.storage.saved_run.summarize` has them."""
    for warning in metrics.get("estimate", {}).get("warnings", ()):
        say(f"Note: {warning}")
    loss = metrics["best_validation_loss"]
    if loss is not None and "head" in metrics:
        say(f"Loss of labels held out {loss:.4f} nats; {metrics['seconds']:.0f} seconds of training.")
    elif loss is not None:
        say(
            f"Best validation loss {loss:.4f} nats on {'held-out' if metrics['mixed'] else 'noisy'} labels "
            f"(epoch {metrics['best_epoch'] + 1}); {metrics['seconds']:.0f} seconds of training."
        )
    if metrics["wrong_labels"] is not None and metrics["finished"]:
        say(f"By the noise matrix about {100 * metrics['wrong_labels']:.0f} % of the noisy labels are wrong.")
    if "test_error" in metrics:
        error, spread = metrics["test_error"], metrics["test_error_standard_error"]
        say(
            f"Test error on {metrics['test_samples']:,} trusted labels: {100 * error:.2f} % "
            f"(standard error {100 * spread:.2f})."
        )
    if metrics["finished"]:
        say(f"Written to {out}.")
    else:
        say(f"Stopped. {out} can be used as it is; --resume goes on after the last whole epoch.")

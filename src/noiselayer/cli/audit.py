"""``noiselayer audit``."""

from __future__ import annotations

import typer

from noiselayer.cli._errors import INTERRUPTED, say
from noiselayer.jobs.audit_options import AuditJob


def audit(job: AuditJob) -> None:
    """Find the labels that are wrong, what they should be, and how many there are.

    Models are cross-fitted for it, unless --probs or --run says where probabilities come from: each judges
    labels that it has not seen. Leaves a folder with a table of labels, counts and the noise matrix.
    """
    from noiselayer.jobs.audit import audit_files

    saved = audit_files(job, on_stage=say)
    if saved is None:
        say(f"Stopped. --resume goes on with the unfinished fold in {job.out}.")
        raise typer.Exit(INTERRUPTED)
    for line in saved.in_words():
        say(line)
    say(f"Written to {job.out}.")

"""``noiselayer combine``."""

from __future__ import annotations

from noiselayer.cli._errors import say
from noiselayer.jobs.combine_options import CombineJob


def combine(job: CombineJob) -> None:
    """Make one label per sample of several annotators', and say which annotator is how good at what.

    Annotators are people, prompts, versions of a model, web sites or rules. Each gets a noise matrix of its
    own, as far as its labels tell one.

    Leaves the labels, which train and audit take, and beside them the annotators' matrices (OUT.annotators.json) and
    a page on them (OUT.annotators.html).
    """
    from noiselayer.jobs.combine import combine_table

    found = combine_table(job)
    for warning in found.combined.warnings:
        say(f"Note: {warning}")
    if job.show:
        say(found.annotators.summary(job.show))
    if found.unlabelled:
        have = "sample has" if found.unlabelled == 1 else "samples have"
        say(
            f"Note: {found.unlabelled:,} {have} no label by any annotator and an empty cell in {job.out}: fill it "
            "or remove the row before training."
        )
    say(
        f"About {found.combined.expected_wrong:,.0f} of {len(found.combined):,} combined labels are expected to "
        f"be wrong. Written to {job.out}, {found.figures} and {found.page}."
    )

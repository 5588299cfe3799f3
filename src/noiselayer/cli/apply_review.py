"""``noiselayer apply-review``."""

from __future__ import annotations

from noiselayer.cli._errors import say
from noiselayer.jobs.review_options import ApplyReviewJob


def apply_review(job: ApplyReviewJob) -> None:
    """Turn the decisions of a review into corrected labels.

    The data stay as they are; a copy is written. Of a folder of images it is a table of ids and labels, or, where
    --out has no ending, a folder of copied images.
    """
    from noiselayer import interchange
    from noiselayer.jobs.apply_review import apply_review as apply

    done = apply(
        job.data,
        interchange.read_review(job.decisions),
        job.out,
        labels=job.labels,
        label_column=job.label_column,
        image_column=job.image_column,
        id_column=job.id_column,
        class_names=job.class_names,
        force=job.force,
    )
    others = ((done.unlabelled, "without label now"), (done.left_out, "left out"), (done.open, "still open"))
    more = "".join(f", {count:,} {what}" for count, what in others if count)
    say(
        f"{done.changed:,} of {done.samples:,} labels changed, {done.kept:,} looked at and kept{more}. "
        f"Written to {done.out}."
    )

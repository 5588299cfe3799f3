"""``noiselayer export-review``."""

from __future__ import annotations

from noiselayer.cli._errors import say
from noiselayer.jobs.review_options import ExportReviewJob


def export_review(job: ExportReviewJob) -> None:
    """Write suspect labels for review in Label Studio, FiftyOne or a spreadsheet.

    Classes are named. noiselayer apply-review takes what comes back.
    """
    from noiselayer import interchange

    written = interchange.export_review(
        job.folder,
        job.format,
        job.out,
        top=job.top,
        data_path=job.data,
        media_prefix=job.media_prefix,
        force=job.force,
    )
    say(f"Written: {', '.join(map(str, written))}.")

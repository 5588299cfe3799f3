"""``noiselayer report``."""

from __future__ import annotations

from noiselayer.cli._errors import say
from noiselayer.jobs.review_options import ReportJob


def report(job: ReportJob) -> None:
    """Make one page of a run or an audit: what happened, how labels are mixed up, which are suspect.

    The page works offline and sends nothing. Suspects are reviewed on it; noiselayer apply-review turns the
    exported decisions into corrected labels.
    """
    from noiselayer import interchange
    from noiselayer.errors import InputError, argument
    from noiselayer.files.given import check_not_read, check_target, reading_folder
    from noiselayer.report.content import NO_DATA
    from noiselayer.report.from_folder import content_from_folder, data_of_folder
    from noiselayer.report.page import save_report
    from noiselayer.report.reviewed import without_reviewed
    from noiselayer.storage.environment import evaluation_device
    from noiselayer.training.options import Hardware

    if job.out is not None:
        if job.out.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"{argument('out')} must end with .html; got {str(job.out)!r}.")
        check_not_read((job.out,), (job.data, data_of_folder(job.folder)))
        check_target(job.out, force=job.force)
    decisions = [] if job.reviewed is None else interchange.read_review(job.reviewed)
    content = content_from_folder(
        job.folder,
        data_path=job.data,
        limit=job.top + len(decisions),
        device=evaluation_device(Hardware(accelerator=job.accelerator)),
    )
    path = job.out or job.folder / "report.html"
    if job.out is None and path.exists() and any(note.name == NO_DATA for note in content.notes):
        say(f"The data are not at hand, so {path} is kept: say where they are with --data.")
        path = path.with_stem("report-without-data")
    with reading_folder(job.folder):  # a number of its files may be none that can be printed
        if decisions:
            content = without_reviewed(content, decisions, job.top)
        save_report(path, content)
    say(f"Written to {path}: {len(content.suspects):,} labels to look at.")

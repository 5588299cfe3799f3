"""``noiselayer report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._errors import say


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that noiselayer train or audit has left.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page.", show_default="report.html in the folder")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the data lie now.", show_default="where they lay then")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="List at most so many suspects.")] = 200,
    reviewed: Annotated[
        Path | None, typer.Option(help="Decisions of an earlier review, whose labels are not listed again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file named with --out.")] = False,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
) -> None:
    """Make one page of a run or an audit: what happened, how labels are mixed up, which are suspect.

    The page works offline and sends nothing. Suspects are reviewed on it; noiselayer apply-review turns the
    exported decisions into corrected labels.
    """
    from noiselayer import interchange
    from noiselayer.errors import InputError
    from noiselayer.files.given import check_not_read, check_target
    from noiselayer.report.from_folder import content_from_folder, data_of_folder
    from noiselayer.report.page import save_report
    from noiselayer.report.reviewed import without_reviewed
    from noiselayer.storage.environment import evaluation_device
    from noiselayer.training.options import Hardware

    if out is not None:
        if out.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"a report is written as .html; got {out}.")
        check_not_read((out,), (data, data_of_folder(folder)))
        check_target(out, force=force)
    decisions = [] if reviewed is None else interchange.read_review(reviewed)
    content = content_from_folder(
        folder,
        data_path=data,
        limit=top + len(decisions),
        device=evaluation_device(Hardware(accelerator=accelerator)),
    )
    if decisions:
        content = without_reviewed(content, decisions, top)
    path = out or folder / "report.html"
    save_report(path, content)
    say(f"Written to {path}: {len(content.suspects):,} labels to look at.")

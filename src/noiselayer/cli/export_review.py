"""``noiselayer export-review``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.choices import ReviewFormat
from noiselayer.cli._errors import say


def export_review(
    folder: Annotated[Path, typer.Argument(help="Folder that noiselayer train or audit has left.")],
    format: Annotated[ReviewFormat, typer.Option(help="The tool that opens it.")] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file.", show_default="review.* in the folder")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="At most so many labels, those most likely wrong.")] = 200,
    data: Annotated[
        str | None, typer.Option(help="Where the data lie now.", show_default="where they lay then")
    ] = None,
    media_prefix: Annotated[
        str | None,
        typer.Option(
            help="Stands before a sample's name in the path or address of its image.",
            show_default="small copies",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an older file.")] = False,
) -> None:
    """Write suspect labels for review in Label Studio, FiftyOne or a spreadsheet.

    Classes are named. noiselayer apply-review takes what comes back.
    """
    from noiselayer import interchange

    written = interchange.export_review(
        folder, format, out, top=top, data_path=data, media_prefix=media_prefix, force=force
    )
    say(f"Written: {', '.join(map(str, written))}.")

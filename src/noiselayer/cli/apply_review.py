"""``noiselayer apply-review``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._errors import say
from noiselayer.cli._job import parse_list


def apply_review(
    data: Annotated[str, typer.Argument(help="FILE.npz, FILE.npy, a folder of images by class, or a table.")],
    decisions: Annotated[
        Path, typer.Argument(help="What a report, a filled-in table, Label Studio or FiftyOne has exported.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The corrected copy.", show_default="NAME.corrected.* beside the labels"
        ),
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Array, column or file with the labels.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the labels.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Column with paths of images.")] = None,
    class_names: Annotated[str | None, typer.Option(help="Names of the classes 0, 1, ...: a,b,c.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an older copy.")] = False,
) -> None:
    """Turn the decisions of a review into corrected labels.

    The data stay as they are; a copy is written. Of a folder of images it is a table of ids and labels, or, where
    --out has no ending, a folder of copied images.
    """
    from noiselayer import interchange
    from noiselayer.jobs import apply_review as job

    done = job.apply_review(
        data,
        interchange.read_review(decisions),
        out,
        labels=labels,
        label_column=label_column,
        image_column=image_column,
        class_names=parse_list(class_names) if class_names else None,
        force=force,
    )
    others = ((done.unlabelled, "without label now"), (done.left_out, "left out"), (done.open, "still open"))
    more = "".join(f", {count:,} {what}" for count, what in others if count)
    say(
        f"{done.changed:,} of {done.samples:,} labels changed, {done.kept:,} looked at and kept{more}. "
        f"Written to {done.out}."
    )

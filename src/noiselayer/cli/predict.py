"""``noiselayer predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from noiselayer.cli._errors import say


def predict(
    run: Annotated[Path, typer.Argument(help="Folder that noiselayer train has left.")],
    data: Annotated[
        str,
        typer.Argument(
            help="FILE.npz[:KEY], FILE.npy, an image or a folder of them, or a table; no labels needed."
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="FILE.csv, FILE.parquet, or - for the screen.")
    ] = "-",
    probs: Annotated[bool, typer.Option("--probs", help="Also the probabilities of all classes.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    inputs_key: Annotated[str | None, typer.Option(help="Array of an .npz file.")] = None,
    layout: Annotated[str | None, typer.Option(help="Of image arrays: NHWC or NCHW.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Column with paths of images.")] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out damaged images.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples at a time.", show_default="512, fewer of large ones")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
) -> None:
    """Say the true class of new samples, and how probable it is.

    The size of images, the columns of a table and how they are encoded come from the run.
    """
    from noiselayer.data.numpy_files import split_address
    from noiselayer.files.given import check_not_read, check_target
    from noiselayer.storage.environment import evaluation_device
    from noiselayer.storage.loaded_run import check_ending, load_run
    from noiselayer.training.options import Hardware

    device = evaluation_device(Hardware(accelerator=accelerator))  # before anything is read
    if out != "-":
        check_ending(Path(out))
        check_not_read((Path(out),), (split_address(data)[0], run))
        check_target(Path(out), force=force)
    loaded = load_run(run)
    given: dict[str, Any] = {
        "inputs_key": inputs_key,
        "layout": layout,
        "image_column": image_column,
        "skip_unreadable": skip_unreadable,
    }
    samples = loaded.read(data, **{name: value for name, value in given.items() if value is not None})
    predictions = loaded.predict(samples, batch_size=batch_size, device=device)
    predictions.write(out, probs=probs)
    if out != "-":
        say(f"{len(predictions):,} predictions written to {out}.")

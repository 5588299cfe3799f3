"""``noiselayer corrupt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._errors import say
from noiselayer.cli._parse import parse_list

__all__ = ["corrupt"]


def corrupt(
    labels: Annotated[str, typer.Argument(help="FILE.npy, FILE.npz:KEY or a table with true labels.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="FILE.npy, .npz, .csv, .tsv or .parquet.")],
    noise: Annotated[
        str, typer.Option(help="symmetric, pair-flip, random, or FILE.csv with a noise matrix.")
    ] = "random",
    rate: Annotated[
        float | None, typer.Option(help="Probability that a label becomes wrong.", show_default="0.4")
    ] = None,
    concentration: Annotated[
        float, typer.Option(help="For random: small, and each class has a few wrong labels of its own.")
    ] = 1.0,
    label_column: Annotated[str | None, typer.Option(help="Column with the labels.")] = None,
    class_names: Annotated[str | None, typer.Option(help="Names of the classes 0, 1, ...: a,b,c.")] = None,
    seed: Annotated[int, typer.Option(help="Of the matrix and of the draw.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Write over files.")] = False,
) -> None:
    """Make labels wrong on purpose, to find out what noise does.

    A table keeps its other columns.

    The noise matrix used goes beside: OUT.noise_matrix.csv, which train --method known takes.
    """
    from noiselayer.jobs.corrupt import corrupt_file

    result = corrupt_file(
        labels,
        out,
        noise=noise,
        rate=rate,
        concentration=concentration,
        label_column=label_column,
        class_names=parse_list(class_names),
        seed=seed,
        force=force,
    )
    say(
        f"{result.changed:,} of {result.total:,} labels ({100 * result.changed / result.total:.1f} %) are "
        f"wrong now. Written to {out} and {result.matrix_path}."
    )

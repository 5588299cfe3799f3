"""``noiselayer reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noiselayer.cli._errors import say


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="fig4a, fig4b, fig4c, fig5a, fig5b, table1, table2, fig7, table3, gold_set, later or "
            "small_network."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="NOISELAYER_DATA", help="Folder of real data sets; docs/datasets.md says what it holds."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of results; finished cells are kept.")
    ] = Path("reproduced"),
    scale: Annotated[
        str, typer.Option(help="small (seconds, stand-in data), reduced (hours on two cores) or paper.")
    ] = "reduced",
    seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="How many; else the experiment's own number.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="cifar10, fashion-mnist, svhn or digits; else the scale's own.")
    ] = None,
    cells: Annotated[str | None, typer.Option(help="Cells to run, by name: a,b,c; else all.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Other than the scale's own.")
    ] = None,
    list_cells: Annotated[bool, typer.Option("--list", help="Name the cells and run nothing.")] = False,
    cleanlab: Annotated[
        str | None, typer.Option(help="An interpreter that has cleanlab, for the comparison with it (later).")
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            min=1, max=1024, help="Of this process; several processes of one thread finish more cells."
        ),
    ] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="32-true, bf16-mixed, 16-mixed.", show_default="the quickest here")
    ] = None,
) -> None:
    """Run an experiment of the paper: a table or a figure.

    A grid of trainings, each with a file of its own: a grid that was stopped goes on, and several processes may share
    one. Rows are gathered in OUT/NAME.json; table and figure are made from them.
    """
    from noiselayer.cli._job import parse_list
    from noiselayer.errors import InputError
    from noiselayer.paper import SCALES, load_experiment
    from noiselayer.paper import reproduce as run

    experiment = load_experiment(name)
    if scale not in SCALES:
        raise InputError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}.")
    if list_cells:
        for cell in experiment.cells(scale, range(seeds or experiment.default_seeds[scale])):
            typer.echo(cell.name)
        return
    say(f"{experiment.title}. The paper: {experiment.paper}")
    chosen = parse_list(cells) if cells else None
    run(
        name,
        out,
        data=data,
        scale=scale,
        seeds=seeds,
        dataset=dataset,
        cells=None if chosen is None else list(chosen),
        epochs=epochs,
        accelerator=accelerator,
        precision=precision,
        cleanlab=cleanlab,
        threads=threads,
        say=say,
    )
    typer.echo((out / f"{name}.md").read_text(encoding="utf-8"))

"""What ``noiselayer reproduce`` and ``noiselayer demo`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.jobs.option import option


@dataclass(frozen=True, kw_only=True)
class DemoJob:
    """The demonstration."""

    out: Path = option(Path("noiselayer-demo"), "Folder for what it finds.", names=("--out", "-o"))
    seed: int = option(0, "Of everything random.", least=0, most=2**32 - 1)
    photos: bool = option(False, "Photographs that people labelled, on features of a network at hand.")
    data: Path | None = option(
        None,
        "Of --photos: folder of cifar10.npz with people's labels, as docs/datasets.md says.",
        variable="NOISELAYER_DATA",
    )


@dataclass(frozen=True, kw_only=True)
class ReproduceJob:
    """An experiment: arguments of :func:`noiselayer.paper.reproduce`."""

    name: str = option(
        ...,
        "fig4a, fig4b, fig4c, fig5a, fig5b, table1, table2, fig7, table3, gold_set, later or small_network.",
        positional=True,
    )
    data: Path | None = option(
        None, "Folder of real data sets; docs/datasets.md says what it holds.", variable="NOISELAYER_DATA"
    )
    out: Path = option(
        Path("reproduced"), "Folder of results; finished cells are kept.", names=("--out", "-o")
    )
    scale: str = option("reduced", "small (seconds, stand-in data), reduced (hours on two cores) or paper.")
    seeds: int | None = option(None, "How many; else the experiment's own number.", least=1, most=1000)
    dataset: str | None = option(None, "cifar10, fashion-mnist, svhn or digits; else the scale's own.")
    cells: tuple[str, ...] | None = option(None, "Cells to run, by name: a,b,c; else all.")
    epochs: int | None = option(None, "Other than the scale's own.", least=1, most=1_000_000)
    list_cells: bool = option(False, "Name the cells and run nothing.", names=("--list",))
    cleanlab: str | None = option(
        None, "An interpreter that has cleanlab, for the comparison with it (later)."
    )
    threads: int = option(
        1, "Of this process; several processes of one thread finish more cells.", least=1, most=1024
    )
    accelerator: str = option("auto", "auto, cpu, gpu or mps.")
    precision: str | None = option(None, "32-true, bf16-mixed, 16-mixed.", shown="the quickest here")

"""What ``noiselayer corrupt`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from noiselayer.jobs.option import Option


@dataclass(frozen=True, kw_only=True)
class CorruptJob:
    """True labels, and how to make some of them wrong."""

    labels: Annotated[str, Option("FILE.npy, FILE.npz:KEY or a table with true labels.", positional=True)]
    out: Annotated[Path, Option("FILE.npy, .npz, .csv, .tsv or .parquet.", names=("--out", "-o"))]
    noise: Annotated[
        str, Option("symmetric, pair-flip, random, or FILE.csv with a noise matrix (columns = true classes).")
    ] = "random"
    rate: Annotated[
        float | None, Option("Probability that a label becomes wrong; not with a file.", default="0.4")
    ] = None
    concentration: Annotated[
        float, Option("For random: small, and each class has a few wrong labels of its own.")
    ] = 1.0
    label_column: Annotated[str | None, Option("Column with the labels.")] = None
    class_names: Annotated[tuple[str, ...] | None, Option("Names of the classes 0, 1, ...: a,b,c.")] = None
    seed: Annotated[int, Option("Of the matrix and of the draw.", least=0, most=2**32 - 1)] = 0
    force: Annotated[bool, Option("Write over files.")] = False

"""What ``noiselayer corrupt`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.jobs.option import option


@dataclass(frozen=True, kw_only=True)
class CorruptJob:
    """True labels, and how to make some of them wrong."""

    labels: str = option(..., "FILE.npy, FILE.npz:KEY or a table with true labels.", positional=True)
    out: Path = option(..., "FILE.npy, .npz, .csv, .tsv or .parquet.", names=("--out", "-o"))
    noise: str = option(
        "random", "symmetric, pair-flip, random, or FILE.csv with a noise matrix (columns = true classes)."
    )
    rate: float | None = option(None, "Probability that a label becomes wrong; not with a file.", shown="0.4")
    concentration: float = option(1.0, "For random: small, and each class has a few wrong labels of its own.")
    label_column: str | None = option(None, "Column with the labels.")
    class_names: tuple[str, ...] | None = option(None, "Names of the classes 0, 1, ...: a,b,c.")
    seed: int = option(0, "Of the matrix and of the draw.", least=0, most=2**32 - 1)
    force: bool = option(False, "Write over files.")

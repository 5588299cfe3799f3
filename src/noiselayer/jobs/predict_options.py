"""What ``noiselayer predict`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.jobs.option import option


@dataclass(frozen=True, kw_only=True)
class PredictJob:
    """New samples, and the run that says what they are."""

    run: Path = option(..., "Folder that noiselayer train has left.", positional=True)
    data: str = option(
        ...,
        "FILE.npz[:KEY], FILE.npy, an image or a folder of them, or a table; no labels needed.",
        positional=True,
    )
    out: str = option("-", "FILE.csv, FILE.parquet, or - for the screen.", names=("--out", "-o"))
    probs: bool = option(False, "Also the probabilities of all classes.")
    force: bool = option(False, "Write over a file.")
    inputs_key: str | None = option(None, "Array of an .npz file.")
    layout: str | None = option(None, "Of image arrays: NHWC or NCHW.")
    image_column: str | None = option(None, "Column with paths of images.")
    skip_unreadable: bool = option(False, "Leave out damaged images.")
    batch_size: int | None = option(None, "Samples at a time.", shown="512, fewer of large ones", least=1)
    accelerator: str = option("auto", "auto, cpu, gpu or mps.")

"""True labels in a file -> noisy labels in another, and the noise matrix that made them (§4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from noiselayer.data.frames import (
    TABLE_SUFFIXES,
    is_table,
    read_columns,
    read_frame,
    table_suffix,
    write_frame,
)
from noiselayer.data.label_files import label_file, labels_of_column
from noiselayer.data.labels import encode_labels
from noiselayer.errors import InputError, argument, as_input_errors, nearest
from noiselayer.files.given import check_not_read, check_target
from noiselayer.files.whole_file import whole_file
from noiselayer.jobs.corrupt_options import CorruptJob
from noiselayer.noise import matrices
from noiselayer.noise.corruption import corrupt_labels
from noiselayer.storage.matrix_file import read_noise_matrix, write_noise_matrix

NOISES = ("symmetric", "pair-flip", "random")
_DEFAULT_RATE = 0.4


@dataclass(frozen=True)
class Corrupted:
    """What was done: how many labels there are, and how many of them are wrong now."""

    total: int
    changed: int
    matrix_path: Path


def corrupt_file(job: CorruptJob) -> Corrupted:
    """Make some of the true labels wrong, and write them and the noise matrix used; nothing if anything is unfit."""
    out, seed = job.out, job.seed
    if out.suffix.lower() not in (".npy", ".npz") and not is_table(out):
        raise InputError(
            f"{argument('out')} must end with .npy, .npz or as a table does ({', '.join(TABLE_SUFFIXES)}); got "
            f"{str(out)!r}."
        )
    matrix_path = out.with_name(f"{out.stem}.noise_matrix.csv")
    place = label_file(job.labels, job.label_column)
    check_not_read((out, matrix_path), (place.file, job.noise))
    check_target(out, matrix_path, force=job.force)
    if is_table(place.file):
        # As text, so that the other columns are written as they were read.
        frame = read_frame(place.file, text_columns=read_columns(place.file))
        values = labels_of_column(frame, str(place.name))
    else:
        frame, values = None, place.read()
    indices, names = encode_labels(values, job.class_names)
    Q = _matrix(job, names)
    # Another stream than the matrix's, so that the draw does not depend on how that was made.
    noisy = corrupt_labels(indices, Q, generator=torch.Generator().manual_seed(seed + 1))
    written, suffix = _as_written(noisy, names, values), out.suffix.lower()
    with whole_file(out) as beside:
        if suffix == ".npy":
            np.save(beside, written)
        elif suffix == ".npz":
            np.savez(beside, labels=written, noise_matrix=Q.numpy(), class_names=np.array(names))
        elif frame is None:
            write_frame(pd.DataFrame({"label": written}), beside, str(table_suffix(out)))
        else:
            frame[place.name] = written
            write_frame(frame, beside, str(table_suffix(out)))
    write_noise_matrix(matrix_path, Q, names)
    return Corrupted(len(noisy), int((noisy != indices).sum()), matrix_path)


def _matrix(job: CorruptJob, names: tuple[str, ...]) -> Tensor:
    noise = job.noise
    if noise not in NOISES:
        if not Path(noise).is_file():
            raise InputError(
                f"{argument('noise')} must be one of {', '.join(NOISES)}, or a file with a noise matrix; got {noise!r}."
                f"{nearest(noise, NOISES)}"
            )
        if job.rate is not None:
            raise InputError(f"the rate is in the noise matrix {noise}; leave it out.")
        return read_noise_matrix(noise, names)
    K, rate = len(names), _DEFAULT_RATE if job.rate is None else job.rate
    with as_input_errors():
        if noise == "symmetric":
            return matrices.symmetric(K, rate)
        if noise == "pair-flip":
            return matrices.pair_flip(K, rate)
        generator = torch.Generator().manual_seed(job.seed)
        return matrices.random(K, rate, concentration=job.concentration, generator=generator)


def _as_written(noisy: Tensor, names: tuple[str, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Noisy labels as the true ones were written: numbers of the same type, or text."""
    chosen = noisy.numpy()
    if values.dtype.kind not in "iubf":
        text: npt.NDArray[Any] = np.array(names)[chosen]
        return text
    whole = values if values.dtype.kind == "b" else values.astype(np.int64)
    if {str(value) for value in np.unique(whole).tolist()} <= set(names):  # the names are the numbers
        chosen = np.array([name == "True" if whole.dtype == bool else int(name) for name in names])[chosen]
    if int(chosen.max()) > (np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 2**53):
        raise InputError(
            f"{len(names)} classes do not fit into the type of the labels, {values.dtype}; give them a wider type."
        )
    return np.asarray(chosen.astype(values.dtype))

"""What to check next: more samples of the labels that are least sure, drawn by chance, with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noiselayer.audit.checked_labels import STRATA, draw_checks
from noiselayer.errors import InputError, argument
from noiselayer.estimation.labeller import LabellerFigures
from noiselayer.files.whole_file import for_spreadsheet, write_rows

Column = npt.NDArray[Any]
COLUMNS = ("label", "checked", "weight")
_UNKNOWN = 0.5  # the error probability of a label of which none was checked


def checks_for(figures: LabellerFigures, half_width: float = 0.02) -> int:
    r"""How many more labels must be checked at random until the accuracy is known to a half-width of its interval.

    Errors fall with the root of the number that was checked: :math:`n (h / h^*)^2 - n`, no more than there are left.

    >>> from noiselayer import measure_labels
    >>> truth = np.arange(4000) % 2
    >>> gold = np.where(np.arange(4000) < 100, truth, -1)
    >>> found = measure_labels(np.where(np.arange(4000) % 5 == 0, 0, truth), gold, 2)
    >>> 500 < checks_for(found) < 1200
    True
    """
    half = (figures.accuracy.high - figures.accuracy.low) / 2
    n = figures.num_checked
    return int(np.clip(np.ceil(n * (half / half_width) ** 2) - n, 0, figures.num_samples - n))


def write_next(
    path: Path,
    number: int,
    figures: LabellerFigures,
    labels: Column,
    gold: Column,
    ids: tuple[str, Sequence[str]],
    names: tuple[str, ...],
) -> None:
    """A table to fill in: ``number`` samples drawn for checking, below those that were checked already.

    Samples are drawn within strata of the probability that their label is wrong, as its precision has it, with
    Neyman's shares. ``weight`` is the number of samples of a stratum divided by that of its checked ones, old and new,
    so that the whole table is a sample with known probabilities. ``ids`` are a column's name and what it holds.

    Raises:
        InputError: If there are not so many samples that nobody has checked.
    """
    wrong = np.array([_UNKNOWN if p is None else 1 - p.value for p in figures.precision] + [_UNKNOWN])
    e = torch.from_numpy(wrong[labels])  # -1, no answer, is the last
    left = np.flatnonzero(gold < 0)
    if not 1 <= number <= len(left):
        raise InputError(
            f"{argument('suggest')} must be from 1 to the {len(left):,} samples that nobody has checked; "
            f"got {number:,}."
        )
    drawn = left[draw_checks(e[left], number).samples.numpy()]
    rows = np.concatenate([np.flatnonzero(gold >= 0), drawn])
    stratum = torch.bucketize(e, torch.tensor(STRATA, dtype=e.dtype)).numpy()
    sizes, chosen = (np.bincount(s, minlength=len(STRATA) + 1) for s in (stratum, stratum[rows]))
    cells = [
        (
            ids[1][row],
            "" if labels[row] < 0 else names[labels[row]],
            "" if gold[row] < 0 else names[gold[row]],
            round(float(sizes[stratum[row]] / chosen[stratum[row]]), 6),
        )
        for row in rows.tolist()
    ]
    write_rows(path, (ids[0], *COLUMNS), [[for_spreadsheet(cell) for cell in row] for row in cells])

"""What a trained run says of samples."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.files.whole_file import whole_file


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of the true class, never of the noisy label.

    Attributes:
        ids: A name per sample: its path or its row number.
        probs: Shape (N, K), rows sum to 1.
        class_names: The K names.

    >>> import torch
    >>> predictions = Predictions(("0", "1"), torch.tensor([[0.75, 0.25], [0.0, 1.0]]), ("cat", "dog"))
    >>> predictions.labels, predictions.confidence
    (['cat', 'dog'], tensor([0.7500, 1.0000]))
    """

    ids: tuple[str, ...]
    probs: Tensor
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def indices(self) -> Tensor:
        """The most probable class of each sample, shape (N,), int64."""
        return self.probs.argmax(dim=1)

    @property
    def labels(self) -> list[str]:
        """Its name."""
        return [self.class_names[k] for k in self.indices.tolist()]

    @property
    def confidence(self) -> Tensor:
        """Its probability, shape (N,)."""
        return self.probs.amax(dim=1)

    def header(self, *, probs: bool = False) -> list[str]:
        """The columns of :meth:`write`."""
        return ["id", "label", "probability", *([f"p({name})" for name in self.class_names] if probs else [])]

    def rows(self, *, probs: bool = False) -> Iterator[list[Any]]:
        """The rows of :meth:`write`."""
        parts = zip(self.ids, self.labels, self.confidence.tolist(), self.probs.tolist(), strict=True)
        for name, label, confidence, all_probs in parts:
            yield [name, label, confidence, *(all_probs if probs else [])]

    def write(self, path: str | Path, *, probs: bool = False) -> None:
        r"""Write a table: id, label, probability, and with ``probs`` a column ``p(name)`` for every class.

        Args:
            path: .csv, .parquet, or "-" for CSV on the standard output.
            probs: Also the probabilities of all classes.

        Raises:
            InputError: If the file has another ending or cannot be written.

        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "predictions.csv"
        >>> Predictions(("a.png",), torch.tensor([[0.75, 0.25]]), ("cat", "dog")).write(path, probs=True)
        >>> path.read_text()
        'id,label,probability,p(cat),p(dog)\na.png,cat,0.75,0.75,0.25\n'
        """
        if str(path) == "-":
            self._write_csv(sys.stdout, probs)
            return
        path = Path(path)
        suffix = check_ending(path)
        try:
            with whole_file(path) as beside:
                if suffix == ".csv":
                    with beside.open("w", encoding="utf-8", newline="") as file:
                        self._write_csv(file, probs)
                else:
                    import pandas as pd

                    frame = pd.DataFrame(list(self.rows(probs=probs)), columns=self.header(probs=probs))
                    frame.to_parquet(beside, index=False)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}.") from error

    def _write_csv(self, file: IO[str], probs: bool) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.header(probs=probs))
        for row in self.rows(probs=probs):
            writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])


def check_ending(path: Path) -> str:
    """The ending of a file of predictions, before anything is computed for it."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InputError(f"predictions are written as .csv or .parquet, or to the screen as -; got {path}.")
    return suffix

"""Probabilities and labels from Parquet files, batch by batch, for an audit of more than memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from noiselayer.audit.checked_batches import ENTRIES, Batches
from noiselayer.data.names import same_names
from noiselayer.errors import InputError


def batches_of_parquet(
    path: str | Path, *, label_column: str, prob_columns: Sequence[str], verified_column: str | None = None
) -> Batches:
    """A function that reads a Parquet file batch by batch, for :func:`noiselayer.audit.stream.audit_stream`.

    Args:
        path: The file.
        label_column: Integers 0..K-1.
        prob_columns: The K columns of probabilities, in the order of the classes.
        verified_column: Bools.

    Raises:
        InputError: If the file cannot be read or lacks a column.

    >>> batches_of_parquet("nowhere.parquet", label_column="y", prob_columns=["a", "b"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no file nowhere.parquet.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    columns = [label_column, *prob_columns, *([verified_column] if verified_column else [])]
    missing = [name for name in columns if name not in pq.read_schema(path).names]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}.")
    rows = max(1, ENTRIES // len(prob_columns))

    def make() -> Iterator[tuple[Any, ...]]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=columns):
                probs = np.stack([batch.column(name).to_numpy() for name in prob_columns], axis=1)
                more = () if verified_column is None else (_whole(batch, verified_column),)
                yield (_whole(batch, label_column), probs, *more)

    return make


def batches_of_columns(
    path: str | Path, prob_columns: Sequence[str], labels: Any, *, ids: Sequence[Sequence[str]] = ()
) -> Batches | None:
    """A function that reads probabilities from a Parquet file batch by batch, with labels from elsewhere.

    Args:
        path: The file.
        prob_columns: The K columns of probabilities, in the order of the classes.
        labels: Shape (N,), integers 0..K-1.
        ids: Names that the samples go by.

    Returns:
        None if the file has other columns than these, another number of rows than there are labels, or names the
        samples, in a column ``id``, in another order.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except (OSError, pa.ArrowInvalid):
        return None
    there = [name for name in schema.names if name.startswith("p(") and name.endswith(")")]
    floating = all(pa.types.is_floating(schema.field(name).type) for name in there)
    if sorted(there) != sorted(prob_columns) or count != len(labels) or not floating:
        return None
    if ids and "id" in schema.names:
        own = list(map(str, pq.read_table(path, columns=["id"]).column(0).to_pylist()))
        if own != list(same_names(own, ids) or own):
            return None
    rows = max(1, ENTRIES // len(there))

    def make() -> Iterator[tuple[Any, ...]]:
        start = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(prob_columns)):
                part = [_whole(batch, name) for name in prob_columns]
                yield labels[start : start + len(batch)], np.stack(part, axis=1)
                start += len(batch)

    return make


def _whole(batch: Any, name: str) -> Any:
    return batch.column(name).to_numpy(zero_copy_only=False)

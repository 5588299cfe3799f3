"""Rows of an array, which may lie in a file: read without keeping the file's pages in memory."""

from __future__ import annotations

import os
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.arrays.memory_map import Mapped, PageBudget
from noiselayer.errors import InputError


class StoredRows:
    """Reads rows of an array. Those of a read-only memory map come from its file and not through the map.

    A byte that is touched through a map can bring a megabyte around it into the process's memory (Linux maps whole
    large folios since 6.18), so a few hundred rows at random would be as many megabytes. Where the system cannot
    read at a place, or rows do not lie in one piece, the map is read, and its pages are given back now and then.

    >>> StoredRows(np.eye(3)).at(np.array([2, 0]))
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array = array
        self._pages = PageBudget(array)
        self._file = _RowFile.of(array)

    def at(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """A copy of these rows."""
        if self._file is not None:
            return self._file.read(indices)
        rows: npt.NDArray[Any] = self._array[indices]
        self._pages.read(rows.nbytes, len(rows))
        return rows

    def between(self, start: int, stop: int) -> npt.NDArray[Any]:
        """The rows from ``start`` to before ``stop``; a view of the array where that holds them in memory."""
        if self._file is not None:
            return self._file.between(start, min(stop, len(self._array)))
        rows = self._array[start:stop]
        self._pages.read(rows.nbytes)
        return rows


class _RowFile:
    """The file behind a memory map, open for reading."""

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped
        self._row_bytes = mapped.dtype.itemsize * int(np.prod(mapped.shape[1:]))
        self._descriptor = os.open(mapped.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> _RowFile | None:
        """None where rows cannot be read from a file, or another one lies in its place since it was mapped."""
        mapped = Mapped.of(array)
        if mapped is None or mapped.order != "C" or array.flags.writeable or not hasattr(os, "preadv"):
            return None
        ends = np.array([0, len(array) - 1]) if len(array) else np.array([], dtype=np.int64)
        try:
            file = cls(mapped)
            same = file.read(ends).tobytes() == array[ends].tobytes()
        except (OSError, InputError):
            return None
        return file if same else None

    def read(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """A copy of these rows; neighbours are read at once."""
        count, *shape = self._mapped.shape
        rows = np.empty((len(indices), *shape), dtype=self._mapped.dtype)
        if not rows.size:
            return rows
        if indices.min() < 0 or indices.max() >= count:
            raise IndexError(f"rows must lie in 0..{count - 1}; got {indices.min()} to {indices.max()}.")
        target = rows.reshape(-1).view(np.uint8).data
        size = self._row_bytes
        first = np.flatnonzero(np.diff(indices, prepend=indices[0]) != 1)
        for start, stop in zip(first.tolist(), [*first[1:].tolist(), len(indices)], strict=True):
            self._fill(target[start * size : stop * size], self._mapped.offset + int(indices[start]) * size)
        return rows

    def between(self, start: int, stop: int) -> npt.NDArray[Any]:
        """A copy of the rows from ``start`` to before ``stop``, which lie in the file."""
        rows = np.empty((max(stop - start, 0), *self._mapped.shape[1:]), dtype=self._mapped.dtype)
        self._fill(rows.reshape(-1).view(np.uint8).data, self._mapped.offset + start * self._row_bytes)
        return rows

    def _fill(self, target: memoryview, position: int) -> None:
        while target:
            count = os.preadv(self._descriptor, [target], position)
            if count == 0:
                raise InputError(
                    f"{self._mapped.path} ends at byte {position}: it was made shorter while it was read."
                )
            target, position = target[count:], position + count

"""Arrays that stay on the disk: read by rows, with memory that does not grow with the file."""

from __future__ import annotations

import mmap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_BUDGET = 64 << 20  # bytes read through a map before its pages are given back
_AROUND = 1 << 20  # what the system may bring in around each place that is read


class PageBudget:
    """Gives the pages of a memory map back to the system every so many bytes.

    Pages that were read count as the process's memory until the system needs them for another one: an epoch over
    a file of 10 GB would look like 10 GB, and in a container with a limit it may be that much. What was read
    stays in the system's cache, so that reading it again costs no disk.

    >>> PageBudget(np.zeros(3)).read(24)
    """

    def __init__(self, array: npt.NDArray[Any], budget: int = _BUDGET) -> None:
        self.budget = budget
        self._unreturned = 0
        self._map = _map_of(array)

    def read(self, num_bytes: int, pieces: int = 1) -> None:
        """So many bytes were read, from so many places of the file."""
        if self._map is None:
            return
        self._unreturned += num_bytes + pieces * _AROUND
        if self._unreturned >= self.budget:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._unreturned = 0


class Mapped:
    """A read-only memory map that travels to another process as an address, not as its content.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.npy"
    >>> np.save(path, np.arange(6).reshape(3, 2))
    >>> Mapped.of(np.load(path, mmap_mode="r")).open()[2]
    memmap([4, 5])
    >>> Mapped.of(np.arange(3)) is None
    True
    """

    def __init__(
        self, path: str, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], order: str
    ) -> None:
        self.path, self.offset, self.shape, self.dtype, self.order = path, offset, shape, dtype, order

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Mapped | None:
        """The address of an array that is a whole memory map of a file; None for any other."""
        if (
            not isinstance(array, np.memmap)
            or array.filename is None
            or not isinstance(array.base, mmap.mmap)
        ):
            return None
        order = "C" if array.flags.c_contiguous else "F"
        return cls(str(array.filename), array.offset, array.shape, array.dtype, order)

    def open(self) -> npt.NDArray[Any]:
        """The array."""
        order: Any = self.order
        return np.memmap(
            self.path, mode="r", dtype=self.dtype, offset=self.offset, shape=self.shape, order=order
        )


def map_stored_member(path: Path, key: str) -> npt.NDArray[Any] | None:
    """An array of an .npz file as a memory map, if it lies there uncompressed, as ``numpy.savez`` leaves it.

    None if it is compressed, holds Python objects, or is of a form of .npy that is not known.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(path, x=np.arange(3), y=np.eye(2))
    >>> map_stored_member(path, "y")
    memmap([[1., 0.],
            [0., 1.]])
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        member = archive.getinfo(f"{key}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        file.seek(
            member.header_offset + 26
        )  # a local header: 30 bytes, a name and an extra field of given lengths
        lengths = np.frombuffer(file.read(4), dtype="<u2")
        start = member.header_offset + 30 + int(lengths.sum())
        file.seek(start)
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            return None
        shape, fortran, dtype = read[version](file)
        if dtype.hasobject or file.tell() + dtype.itemsize * int(np.prod(shape)) > start + member.file_size:
            return None
        return Mapped(str(path), file.tell(), shape, dtype, "F" if fortran else "C").open()


def _map_of(array: npt.NDArray[Any]) -> mmap.mmap | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    found = base if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") else None
    # A map that may be written to would lose what was written, so only read-only ones are given back.
    return found if found is not None and not array.flags.writeable else None

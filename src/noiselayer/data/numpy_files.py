"""Arrays in .npy and .npz files, without pickle, and ``FILE.npz:KEY`` as the address of one."""

from __future__ import annotations

import math
import re
import sys
import tokenize
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from noiselayer.arrays.memory_map import map_stored_member
from noiselayer.errors import InputError, nearest


def split_address(address: str | Path) -> tuple[Path, str | None]:
    """Split ``FILE.npz:KEY`` into the file and the key; any other path comes back whole.

    >>> split_address("digits.npz:x_test")[1]
    'x_test'
    >>> split_address("digits.npy")[1] is None
    True
    """
    match = re.fullmatch(r"(.+\.npz):([^:/\\]+)", str(address), flags=re.IGNORECASE)
    return (Path(match[1]), match[2]) if match else (Path(address), None)


def read_npy(path: Path, *, memory_map: bool = False) -> npt.NDArray[Any]:
    """Read an .npy file, or open it as a read-only memory map: large inputs then stay on the disk.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.npy"
    >>> np.save(path, np.arange(3))
    >>> read_npy(path)
    array([0, 1, 2])
    """
    with _readable(str(path)):
        with path.open("rb") as file:
            _header(file, path.stat().st_size)
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
        _check_text(array)
    return array


def npz_keys(path: Path) -> list[str]:
    """The names of the arrays in an .npz file, in its own order.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "digits.npz"
    >>> np.savez(path, x=np.eye(2), y=np.arange(2))
    >>> npz_keys(path)
    ['x', 'y']
    """
    with _readable(str(path)), zipfile.ZipFile(path) as archive:
        keys = [member[: -len(".npy")] for member in archive.namelist() if member.endswith(".npy")]
    if not keys:
        raise InputError(f"{path} holds no arrays.")
    return keys


def read_npz(path: Path, key: str, *, map_from: int | None = None) -> npt.NDArray[Any]:
    """Read one array of an .npz file and leave the others alone.

    One of at least ``map_from`` bytes stays on the disk, as a memory map, if it lies there uncompressed
    (``numpy.savez``).

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "digits.npz"
    >>> np.savez(path, images=np.eye(2), y=np.arange(2))
    >>> read_npz(path, "y")
    array([0, 1])
    """
    keys = npz_keys(path)
    if key not in keys:
        raise InputError(
            f"{path} has no array {key!r}.{nearest(key, keys)} Its arrays are: {describe_npz(path)}."
        )
    with _readable(f"array {key!r} of {path}"), zipfile.ZipFile(path) as archive:
        size = archive.getinfo(f"{key}.npy").file_size
        if map_from is not None and size >= map_from:
            mapped = map_stored_member(path, key)
            if mapped is not None:
                return mapped
        with archive.open(f"{key}.npy") as file:
            _header(file, size)
        with archive.open(f"{key}.npy") as file:
            array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        _check_text(array)
    return array


def usual_key(path: Path, keys: Sequence[str], usual: Collection[str], what: str, option: str) -> str:
    """The one array of a file that has one of the ``usual`` names, or an error that says how to name it."""
    found = [key for key in keys if key in usual]
    if len(found) == 1:
        return found[0]
    several = (
        f"more than one array of {path} could be" if found else f"no array of {path} has a usual name for"
    )
    raise InputError(f"{several} the {what}; name one with {option}. Its arrays are: {describe_npz(path)}.")


def describe_npz(path: Path) -> str:
    """Names, shapes and types of the arrays in an .npz file, from their headers alone.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "digits.npz"
    >>> np.savez(path, x=np.zeros((5, 8, 8)), y=np.zeros(5, dtype=np.uint8))
    >>> describe_npz(path)
    'x (5, 8, 8) float64, y (5,) uint8'
    """
    texts = []
    for key in npz_keys(path):
        try:
            with _readable(key), zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
                shape, dtype = _header(file, archive.getinfo(f"{key}.npy").file_size)
            texts.append(f"{key} {shape} {'Python objects' if dtype.hasobject else dtype}")
        except InputError:
            texts.append(f"{key} (unreadable)")
    return ", ".join(texts)


def _header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, checked against the size of the file: a damaged header may ask for terabytes."""
    version = np.lib.format.read_magic(file)
    one = np.lib.format.read_array_header_1_0
    shape, _, dtype = one(file) if version == (1, 0) else np.lib.format.read_array_header_2_0(file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"it is cut off: an array of shape {shape} does not fit into {size:,} bytes")
    return shape, dtype


def _check_text(array: npt.NDArray[Any]) -> None:
    """Raise on characters that there are none of, over which NumPy stumbles later."""
    if array.dtype.kind == "U" and array.size:
        codes = np.ascontiguousarray(array).view(f"{array.dtype.byteorder}u4")
        if int(codes.max()) > sys.maxunicode:
            raise ValueError("its text holds what is no character")


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # damaged files make the readers of numpy and zipfile raise almost anything
        is_header = isinstance(error, SyntaxError | tokenize.TokenError)
        text = "its header is no NumPy header" if is_header else str(error)
        if "pickle" in text or "Python objects" in text:
            raise InputError(
                f"{what} holds Python objects, which are not read because loading them could run code. "
                "Save numbers or text: array.astype(float) or array.astype(str)."
            ) from error
        raise InputError(
            f"cannot read {what}: it is damaged or not a NumPy file ({text or type(error).__name__})."
        ) from error

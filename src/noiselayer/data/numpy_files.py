"""Arrays in .npy and .npz files, without pickle, and ``FILE.npz:KEY`` as the address of one."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.arrays.memory_map import map_stored_member
from noiselayer.errors import InputError, nearest

__all__ = ["describe_npz", "npz_keys", "read_npy", "read_npz", "split_address"]

_DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


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

    Raises:
        InputError: If it is damaged or holds Python objects.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.npy"
    >>> np.save(path, np.arange(3))
    >>> read_npy(path)
    array([0, 1, 2])
    """
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
    except _DAMAGED as error:
        raise _unreadable(str(path), error) from error
    return array


def npz_keys(path: Path) -> list[str]:
    """The names of the arrays in an .npz file, in its own order.

    Raises:
        InputError: If it is not an .npz file or holds no array.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "digits.npz"
    >>> np.savez(path, x=np.eye(2), y=np.arange(2))
    >>> npz_keys(path)
    ['x', 'y']
    """
    try:
        with zipfile.ZipFile(path) as archive:
            keys = [member[: -len(".npy")] for member in archive.namelist() if member.endswith(".npy")]
    except _DAMAGED as error:
        raise _unreadable(str(path), error) from error
    if not keys:
        raise InputError(f"{path} holds no arrays.")
    return keys


def read_npz(path: Path, key: str, *, map_from: int | None = None) -> npt.NDArray[Any]:
    """Read one array of an .npz file and leave the others alone.

    Args:
        path: The file.
        key: The array's name.
        map_from: Leave an array of at least so many bytes on the disk, as a memory map, if it lies there
            uncompressed (``numpy.savez``); None reads it whatever its size.

    Raises:
        InputError: If there is no such key (the message lists all, with shapes), the file is damaged, or the
            array holds Python objects.

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
    try:
        with zipfile.ZipFile(path) as archive:
            large = map_from is not None and archive.getinfo(f"{key}.npy").file_size >= map_from
        mapped = map_stored_member(path, key) if large else None
        if mapped is not None:
            return mapped
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except _DAMAGED as error:
        raise _unreadable(f"array {key!r} of {path}", error) from error
    return array


def describe_npz(path: Path) -> str:
    """Names, shapes and types of the arrays in an .npz file, from their headers alone.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "digits.npz"
    >>> np.savez(path, x=np.zeros((5, 8, 8)), y=np.zeros(5, dtype=np.uint8))
    >>> describe_npz(path)
    'x (5, 8, 8) float64, y (5,) uint8'
    """
    with zipfile.ZipFile(path) as archive:
        return ", ".join(f"{key} {_header(archive, key)}" for key in npz_keys(path))


def _header(archive: zipfile.ZipFile, key: str) -> str:
    try:
        with archive.open(f"{key}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, _, dtype = read[version](file)
    except _DAMAGED:
        return "(unreadable)"
    return f"{shape} {'Python objects' if dtype.hasobject else dtype}"


def _unreadable(what: str, error: Exception) -> InputError:
    text = str(error)
    if "pickle" in text or "Python objects" in text:
        return InputError(
            f"{what} holds Python objects, which are not read because loading them could run code. "
            "Save numbers or text: array.astype(float) or array.astype(str)."
        )
    return InputError(
        f"cannot read {what}: it is damaged or not a NumPy file ({text or type(error).__name__})."
    )

"""Rows of features on disk, found again by what they were made of: in half precision, in files that are whole."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError, argument, reason
from noiselayer.files.whole_file import is_unfinished, whole_file, writing

Keys = npt.NDArray[np.bytes_]
Rows = npt.NDArray[np.float16]
_BLOCK = 8192  # rows, copied at a time
_DEAD = 3600.0  # seconds since somebody wrote to a file that is not finished


class FeatureCache:
    """A folder with pieces of rows, each beside the keys of what they were made of.

    Args:
        folder: Made if it is not there. Everything in it can be removed at any time.

    >>> import tempfile
    >>> cache = FeatureCache(Path(tempfile.mkdtemp()))
    >>> cache.add(np.array([b"a", b"b"]), np.array([[1.0], [2.0]]))
    >>> cache.missing(np.array([b"b", b"c"])).tolist()
    [1]
    >>> cache.in_order(np.array([b"b", b"a", b"b"])).ravel().tolist()
    [2.0, 1.0, 2.0]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(str(folder), "Name another folder for features."):
            folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():  # of processes that were killed; others may be writing now
            with suppress(OSError):
                if is_unfinished(file.name) and time.time() - file.stat().st_mtime > _DEAD:
                    file.unlink()

    def missing(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Positions of the keys, each key once, that no piece holds."""
        known = [_load(file) for file, _ in self._pieces()]
        first = np.sort(np.unique(keys, return_index=True)[1])
        return first[~np.isin(keys[first], np.concatenate(known))] if known else first

    def check_room(self, new: int, all_rows: int, width: int) -> None:
        """Raise an error if the disk has no room for new rows, and for all of them in one file."""
        free, needed = shutil.disk_usage(self.folder).free, 2 * width * (new + all_rows)
        if needed > free:
            raise InputError(
                f"features need {needed / 1e9:.1f} GB in {self.folder}, where {free / 1e9:.1f} GB are free. Make room, "
                f"or name another folder with {argument('cache_dir')}."
            )

    def add(self, keys: Keys, rows: npt.NDArray[np.floating]) -> None:
        """Keep rows; two processes that keep the same ones do no harm.

        Raises:
            InputError: If the disk is full, or one may not write there; nothing half-written is left.
        """
        self._write(keys, rows.shape[1], [rows])

    def in_order(self, keys: Keys) -> Rows:
        """Rows of these keys as a memory map, shape (N, D); pieces become one file, which the next call opens.

        Raises:
            InputError: If the disk is full.
        """
        whole = self.folder / f"{_name(keys)}.npy"
        if not whole.exists():
            pieces = [(_load(ids), _load(rows)) for ids, rows in self._pieces()]
            held = np.concatenate([ids for ids, _ in pieces])
            origin = np.repeat(np.arange(len(pieces)), [len(ids) for ids, _ in pieces])
            within = np.concatenate([np.arange(len(ids)) for ids, _ in pieces])
            order = np.argsort(held, kind="stable")
            found = order[np.searchsorted(held, keys, sorter=order)]

            def blocks() -> Iterator[Rows]:
                for some in np.array_split(found, -(-len(found) // _BLOCK)):
                    block = np.empty((len(some), width), dtype=np.float16)
                    for piece in np.unique(origin[some]):
                        of = origin[some] == piece
                        block[of] = pieces[piece][1][within[some[of]]]
                    yield block

            width = pieces[0][1].shape[1]
            self._write(keys, width, blocks())
        self._remove_parts_of(keys, whole)  # also those that a kill has left
        rows: Rows = _load(whole)
        return rows

    def _pieces(self) -> list[tuple[Path, Path]]:
        """Files of keys and of rows; keys come first onto the disk, so rows alone say that both are there."""
        rows = [file for file in sorted(self.folder.glob("[!.]*.npy")) if not file.name.endswith(".keys.npy")]
        return [(file.with_suffix(".keys.npy"), file) for file in rows]

    def _write(self, keys: Keys, width: int, blocks: Iterable[npt.NDArray[np.floating]]) -> None:
        path = self.folder / f"{_name(keys)}.npy"
        header = {"descr": "<f2", "fortran_order": False, "shape": (len(keys), width)}
        with writing(str(path), "Make room, and go on with the same command: what is finished is kept."):
            with whole_file(path.with_suffix(".keys.npy")) as beside:
                np.save(beside, keys)
            # In one stroke after another: a full disk is an error then, and a crash in a memory map.
            with whole_file(path) as beside, beside.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                for block in blocks:
                    file.write(np.ascontiguousarray(block, dtype="<f2").tobytes())

    def _remove_parts_of(self, keys: Keys, whole: Path) -> None:
        for ids, rows in self._pieces():
            with suppress(
                OSError, InputError
            ):  # removed by another process, or open there, where the system minds
                if rows != whole and np.isin(_load(ids), keys).all():
                    rows.unlink()
                    ids.unlink()


def keys_of(contents: Iterable[bytes]) -> Keys:
    """A key for every content.

    >>> keys_of([b"a", b"a"])[0] == keys_of([b"a"])[0]
    True
    """
    return np.array(
        [hashlib.blake2b(content, digest_size=16).hexdigest() for content in contents], dtype="S32"
    )


def _load(file: Path) -> Any:
    """An array as a memory map."""
    try:
        return np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        rows = file.with_name(file.name.replace(".keys.npy", ".npy"))
        raise InputError(
            f"cannot read the features in {file}: {reason(error)}. Remove {rows}; what it held is computed again."
        ) from error


def _name(keys: Keys) -> str:
    return f"{len(keys)}-{hashlib.blake2b(keys.tobytes(), digest_size=8).hexdigest()}"

"""What is known of image files that were looked at before, so that a million of them are decoded for that once."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL

from noiselayer.files.decode import ImageCheck, check_images
from noiselayer.files.whole_file import whole_file

_FORMAT = 1
_WORTH = 2_000  # files; fewer are decoded in a second or two
_NUL = "\0"


def cache_folder() -> Path:
    """Where indexes are kept: ``NOISELAYER_CACHE``, or ``noiselayer`` in the user's folder of caches.

    Everything in it can be removed at any time.

    >>> cache_folder().name != ""
    True
    """
    own = os.environ.get("NOISELAYER_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "noiselayer"


def indexed_checks(paths: Sequence[Path], *, worth: int = _WORTH) -> list[ImageCheck]:
    """As :func:`~noiselayer.files.decode.check_images`, but files that have not changed are not decoded again.

    A file is taken for the same if its path, size and time of change are. The index is a file in
    :func:`cache_folder`, of about 60 bytes and the path for every image; where it cannot be written, there is none.
    Fewer files than ``worth`` are decoded every time.

    >>> [check.error for check in indexed_checks([Path("nowhere.png")])]
    ['no such file']
    """
    if len(paths) < worth:
        return check_images(paths)
    stamps = np.array([_stamp(path) for path in paths], dtype=np.int64)
    names = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - resolve() would ask the disk once more
    file = _file_of(names)
    known = _read(file)
    checks: list[ImageCheck | None] = []
    for path, name, stamp in zip(paths, names, stamps.tolist(), strict=True):
        found = known.get(name)
        same = found is not None and found[0] == tuple(stamp) and stamp[0] >= 0
        checks.append(ImageCheck(path, found[1], found[2]) if same and found is not None else None)
    unknown = [index for index, check in enumerate(checks) if check is None]
    for index, check in zip(unknown, check_images([paths[index] for index in unknown]), strict=True):
        checks[index] = check
    whole = [check for check in checks if check is not None]
    if unknown or len(known) != len(whole):
        _write(file, names, stamps, whole)
    return whole


_Known = tuple[tuple[int, int], tuple[int, int] | None, str | None]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_mtime_ns, found.st_size


def _file_of(names: Sequence[str]) -> Path:
    """One index for everything below a folder."""
    common = os.path.commonpath(names)
    return cache_folder() / f"images-{hashlib.blake2b(common.encode(), digest_size=12).hexdigest()}.npz"


def _read(file: Path) -> dict[str, _Known]:
    """Path -> stamp, height and width, error; empty if there is no index that can be used."""
    try:
        # Opened here: numpy leaves a file open that it cannot read.
        with file.open("rb") as content, np.load(content, allow_pickle=False) as kept:
            about = json.loads(bytes(kept["about"]))
            if about["format"] != _FORMAT or about["pillow"] != PIL.__version__:
                return {}
            names = bytes(kept["names"]).decode("utf-8", "surrogateescape").split(_NUL)
            stamps, sizes, errors = kept["stamps"].tolist(), kept["sizes"].tolist(), about["errors"]
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return {}
    if not len(names) == len(stamps) == len(sizes):
        return {}
    return {
        name: ((stamp[0], stamp[1]), (size[0], size[1]) if size[0] >= 0 else None, errors.get(str(index)))
        for index, (name, stamp, size) in enumerate(zip(names, stamps, sizes, strict=True))
    }


def _write(
    file: Path, names: Sequence[str], stamps: npt.NDArray[np.int64], checks: Sequence[ImageCheck]
) -> None:
    errors = {str(index): check.error for index, check in enumerate(checks) if check.error is not None}
    about = {"format": _FORMAT, "pillow": PIL.__version__, "errors": errors}
    sizes = np.array([check.size or (-1, -1) for check in checks], dtype=np.int32)
    text = _NUL.join(names).encode("utf-8", "surrogateescape")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as beside:
            np.savez(
                beside,
                about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
                names=np.frombuffer(text, dtype=np.uint8),
                stamps=stamps,
                sizes=sizes,
            )
    except OSError:  # a cache that cannot be kept costs time, and nothing else
        return

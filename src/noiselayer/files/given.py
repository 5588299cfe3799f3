"""Files that the user names: that they are there, are files, and are not written over by results."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from noiselayer.errors import InputError, argument, nearest


def existing_file(path: Path, what: str = "file") -> None:
    """Raise unless ``path`` is a regular file: a pipe would be waited for without end. The nearest name is offered."""
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file() raises on names that are too long
        return
    if os.path.exists(path):  # noqa: PTH110
        kind = "a folder" if os.path.isdir(path) else "a pipe, socket or device"  # noqa: PTH112
        raise InputError(f"{path} must be a regular file; it is {kind}.")
    try:
        beside = os.listdir(path.parent)  # noqa: PTH208
    except (OSError, ValueError):
        beside = []
    raise InputError(f"there is no {what} {path}.{nearest(path.name, beside)}")


def check_not_read(outputs: Iterable[Path], inputs: Iterable[str | Path | None]) -> None:
    """Raise if a result would be written over what it is made from; leave to write over files is no leave for that.

    Folders count with all that is in them, and the same file under another name (a link).
    """
    read = [Path(given) for given in inputs if given is not None]
    for out in outputs:
        for given in read:
            if _same(out, given):
                raise InputError(
                    f"{out} is read here, so it cannot be written too; name another with {argument('out')}."
                )
            if is_inside(out, given):
                raise InputError(
                    f"{out} lies in {given}, which is read here; name another place with {argument('out')}."
                )


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder, links followed."""
    if not os.path.isdir(folder):  # noqa: PTH112
        return False
    return any(_same(parent, folder) for parent in Path(os.path.realpath(path)).parents)


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except (OSError, ValueError):
        return False

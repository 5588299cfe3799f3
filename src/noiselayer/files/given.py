"""Files and folders that the user names: inputs are there and are files, nothing is written over unasked."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from noiselayer.errors import InputError, argument, list_some, nearest, reason
from noiselayer.files.whole_file import is_unfinished


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
    text = str(path)
    name = text if text == text.strip() else repr(text)
    raise InputError(f"there is no {what} {name}.{nearest(path.name, beside)}")


def check_regular(folder: Path) -> None:
    """Raise if a file in a folder can't be read to its end, as a pipe can't."""
    for path in folder.iterdir() if os.path.isdir(folder) else ():  # noqa: PTH112
        if path.exists() and not path.is_dir():
            existing_file(path)


@contextmanager
def reading_folder(place: Path) -> Iterator[None]:
    """What stumbles over a file that we wrote, or one in a folder of ours, has met one that was changed since.

    >>> with reading_folder(Path("run/config.json")):
    ...     {}["model"]
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: run/config.json is damaged: 'model' is missing. Put it back as it was written.
    """
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, csv.Error) as error:
        what = f"a file in {place}" if os.path.isdir(place) else place  # noqa: PTH112
        # Python's own words for a value of another type are about the code that met it.
        problem = f"{error} is missing" if isinstance(error, KeyError) else reason(error)
        if isinstance(error, TypeError | AttributeError | IndexError):
            problem = "a value in it is not of the kind that was written there"
        raise InputError(f"{what} is damaged: {problem}. Put it back as it was written.") from error


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


def check_target(*files: Path, force: bool = False) -> None:
    """Raise an error if one of several files cannot be written, or would be written over unasked."""
    for file in files:
        if file.is_dir() or (file.exists() and not force):
            raise InputError(
                f"there is {'a folder' if file.is_dir() else 'a file'} {file} already; name another with "
                f"{argument('out')}, or write over a file with {argument('force')}."
            )
        if not file.parent.is_dir():
            raise InputError(
                f"there is no folder {file.parent} to write {file.name} into; make it, or name another with "
                f"{argument('out')}."
            )


def check_writable(folder: Path) -> None:
    """Raise an error if a folder cannot be made or written into; what is made to find out is removed again.

    Raises:
        InputError: Says why.

    >>> check_writable(Path("x" * 300))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: cannot write to the output folder ...: File name too long. Name another with out.
    """
    made: list[Path] = []
    try:
        for part in (*reversed(folder.parents), folder):
            if not part.is_dir():
                part.mkdir()
                made.append(part)
        tempfile.TemporaryDirectory(prefix=".noiselayer-", dir=folder).cleanup()
    except OSError as error:
        raise InputError(
            f"cannot write to the output folder {folder}: {error.strerror}. Name another with {argument('out')}."
        ) from error
    finally:
        with suppress(OSError):  # another process may have begun to write there
            for part in reversed(made):
                part.rmdir()


def content_of(folder: Path) -> list[str]:
    """The names of what a folder holds, in order; what a killed process had begun does not count."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"the output folder {folder} is a file; name another with {argument('out')}.")
        names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(
            f"cannot use the output folder {folder}: {error.strerror}. Name another with {argument('out')}."
        ) from error
    return [name for name in names if not is_unfinished(name)]


def check_target_folder(folder: Path, *, instead: str) -> None:
    """Raise an error if a folder holds anything; ``instead`` completes "Name another with out, or"."""
    content = content_of(folder)
    if content:
        raise InputError(
            f"the output folder {folder} is in use (it holds {list_some(content, 4)}). Name another with "
            f"{argument('out')}, or {instead}."
        )

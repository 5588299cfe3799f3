"""Files that are whole or not there, and JSON and CSV in such files."""

from __future__ import annotations

import csv
import errno
import fnmatch
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from noiselayer.errors import InputError, reason


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, renamed to it at the end; after an error nothing is left."""
    # The ending stays: what writes the file may choose its format by it. Each process has a name of its own.
    beside = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.part{path.suffix}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def whole_files(folder: Path, last: str) -> Iterator[Path]:
    """A folder to write several files to, which are moved to ``folder`` together at the end, or not at all.

    The presence of the file ``last`` says that all are there: the old one goes first, the new one comes last.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with whole_files(folder, "b.txt") as beside:
    ...     _ = (beside / "a.txt").write_text("1"), (beside / "b.txt").write_text("2")
    >>> sorted(file.name for file in folder.iterdir())
    ['a.txt', 'b.txt']
    """
    beside = folder / f".all.{uuid4().hex[:8]}.part"
    try:
        beside.mkdir()
        yield beside
        (folder / last).unlink(missing_ok=True)
        for file in sorted(beside.iterdir(), key=lambda file: file.name == last):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def writing(what: str, then: str) -> Iterator[None]:
    """Turn a full disk or a folder that nobody may write into into an error; ``then`` says how to go on.

    >>> with writing("run/last.ckpt", "Make room and go on."):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: cannot write run/last.ckpt: No space left on device. Make room and go on.
    """
    try:
        yield
    except Exception as error:
        reason = _no_room(error)
        if reason is None:
            raise
        raise InputError(f"cannot write {what}: {reason}. {then}") from error


_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


def _no_room(error: BaseException | None) -> str | None:
    """What the system says against writing, if that is behind the error.

    torch and safetensors write through libraries whose errors name the system's reason in their text alone.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            return str(error.strerror)
        for words in (
            "No space left on device",
            "Read-only file system",
            "Disk quota exceeded",
            "disk is full",
        ):
            if words in str(error):
                return words
        error = error.__cause__ or error.__context__
    return None


def remove_unfinished(folder: Path) -> None:
    """Remove what :func:`whole_file` was writing when its process was killed; none may be writing there now.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / ".weights.0123abcd.part.safetensors"
    >>> _ = path.write_text("half")
    >>> remove_unfinished(path.parent); path.exists()
    False
    """
    for file in list(folder.rglob(_UNFINISHED)):
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


def is_unfinished(name: str) -> bool:
    """Whether a file's name is one that :func:`whole_file` gives to what it has not finished.

    >>> is_unfinished(".weights.0123abcd.part.safetensors"), is_unfinished("weights.safetensors")
    (True, False)
    """
    return fnmatch.fnmatchcase(name, _UNFINISHED)


_UNFINISHED = ".*.????????.part*"


def write_json(path: Path, content: dict[str, Any] | list[Any]) -> None:
    """Write a dict or a list of plain types; a number that JSON lacks (nan, infinity) is an error."""
    with whole_file(path) as beside:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        beside.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a dict."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object; it holds a {type(content).__name__}.")
    return content


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    r"""Write a CSV file in UTF-8; None is an empty cell, and a carriage return stays inside its cell.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_rows(path, ["x", "y"], [[1, None]])
    >>> path.read_text()
    'x,y\n1,\n'
    """
    with whole_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        plain = csv.writer(file, lineterminator="\n")
        # The csv module quotes a carriage return only where lines end with one.
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        for row in (header, *rows):
            broken = any(isinstance(cell, str) and "\r" in cell for cell in row)
            (quoted if broken else plain).writerow(["" if cell is None else cell for cell in row])


def for_spreadsheet(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: text that begins as one gets an apostrophe before it.

    >>> [for_spreadsheet(cell) for cell in ("=1+1", "-1", "cat", -0.5)]
    ["'=1+1", '-1', 'cat', -0.5]
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) and not _is_number(cell) else cell


def from_spreadsheet(cell: str) -> str:
    """What :func:`for_spreadsheet` was given.

    >>> from_spreadsheet("'=1+1"), from_spreadsheet("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", cell, re.IGNORECASE) is not None

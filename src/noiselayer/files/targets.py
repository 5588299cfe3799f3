"""Where results are to be written: nothing is written over unasked."""

from __future__ import annotations

from pathlib import Path

from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.whole_file import is_unfinished


def check_target(*files: Path, force: bool = False) -> None:
    """Raise an error if one of several files cannot be written, or would be written over unasked."""
    for file in files:
        if file.is_dir() or (file.exists() and not force):
            raise InputError(
                f"there is {'a folder' if file.is_dir() else 'a file'} {file} already; name another with "
                f"{argument('out')}, or write over a file with {argument('force')}."
            )
        if not file.parent.is_dir():
            raise InputError(f"there is no folder {file.parent} to write {file.name} into.")


def content_of(folder: Path) -> list[str]:
    """The names of what a folder holds, in order; what a killed process had begun does not count."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the output folder {folder} is a file; name another with {argument('out')}.")
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    return [name for name in names if not is_unfinished(name)]


def check_target_folder(folder: Path, *, instead: str) -> None:
    """Raise an error if a folder holds anything; ``instead`` completes "Name another with out, or"."""
    content = content_of(folder)
    if content:
        raise InputError(
            f"the output folder {folder} is in use (it holds {list_some(content, 4)}). Name another with "
            f"{argument('out')}, or {instead}."
        )

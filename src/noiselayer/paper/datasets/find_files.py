"""Find the files of a data set, or say how to get them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from noiselayer.errors import InputError


def missing_files(folder: Path, expected: str, how: str) -> InputError:
    """The error for a data set that is not there: where it was looked for, what was expected, how to get it."""
    if not folder.is_dir():
        return InputError(f"there is no folder {folder}, which should hold {expected}. {how}")
    return InputError(f"folder {folder} should hold {expected}. {how}")


def require_file(path: Path, what: str, how: str) -> Path:
    """Give back ``path``, which must be a file: ``what`` says what it should hold, ``how`` how to get it.

    >>> require_file(Path("nowhere.bin"), "the images", "Name another one.")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no file nowhere.bin, which should hold the images. Name another one.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}, which should hold {what}. {how}")
    return path


def first_with(folders: Sequence[Path], names: Sequence[str]) -> dict[str, Path] | None:
    """The files of these names in the first folder that has all of them, packed (``.gz``) or not; or None.

    >>> first_with([Path("nowhere")], ["a"]) is None
    True
    """
    for folder in folders:
        found: dict[str, Path] = {}
        for name in names:
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    found.setdefault(name, path)
        if len(found) == len(names):
            return found
    return None

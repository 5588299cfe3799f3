"""Noise matrices in CSV files, with class names and their orientation written in the corner."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from noiselayer.errors import InputError, list_some, nearest, reason
from noiselayer.files.given import existing_file
from noiselayer.files.whole_file import write_rows
from noiselayer.noise.matrices import check

CORNER = "noisy \\ true"


def write_noise_matrix(path: str | Path, noise_matrix: Tensor, class_names: Sequence[str]) -> None:
    r"""Write a noise matrix: a row per noisy label, a column per true class, names on both sides.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "noise_matrix.csv"
    >>> write_noise_matrix(path, torch.tensor([[0.75, 0.0], [0.25, 1.0]]), ["cat", "dog"])
    >>> print(path.read_text())
    noisy \ true,cat,dog
    cat,0.75,0
    dog,0.25,1
    <BLANKLINE>
    """
    check(noise_matrix, num_classes=len(class_names))
    write_entries(path, noise_matrix, class_names)


def write_entries(path: str | Path, values: Tensor, class_names: Sequence[str]) -> None:
    """Write a value for every entry of a noise matrix, such as its standard error, in the same form; infinity is inf.

    Shape (K, K), row = noisy label, column = true class.
    """
    # Nine digits give back every float32 exactly, seventeen every float64.
    digits = 17 if values.dtype == torch.float64 else 9
    rows = [
        [name, *(f"{value:.{digits}g}" for value in row)]
        for name, row in zip(class_names, values.detach().cpu().double().tolist(), strict=True)
    ]
    write_rows(Path(path), [CORNER, *class_names], rows)


def read_noise_matrix(path: str | Path, class_names: Sequence[str]) -> Tensor:
    """Read a noise matrix, shape (K, K), a column per true class, in the order of ``class_names``.

    The file is one that :func:`write_noise_matrix` writes, its classes in any order; or K lines of K numbers without
    names, in the order of ``class_names``.
    """
    path = Path(path)
    cells = _read_cells(path)
    names = list(class_names)
    if all(_is_number(cell) for row in cells for cell in row):
        Q = _numbers(cells, path).float()
    else:
        if _plain(cells[0][0]) == _plain("true \\ noisy"):
            raise InputError(
                f"{path} says 'true \\ noisy' in its corner, a row per true class; a noise matrix has a "
                f"column per true class. Transpose it and write {CORNER!r} there."
            )
        columns, rows = cells[0][1:], [row[0] for row in cells[1:]]
        for where, found in (("header", columns), ("first column", rows)):
            _check_names(found, names, f"the {where} of {path}")
        Q = _numbers([row[1:] for row in cells[1:]], path).float()
        Q = Q[[rows.index(name) for name in names]][:, [columns.index(name) for name in names]]
    try:
        return check(Q, num_classes=len(names), name=f"the noise matrix in {path}")
    except ValueError as error:
        raise InputError(str(error)) from error


def read_standard_error(folder: Path, num_classes: int) -> Tensor | None:
    """Of every entry of the matrix in a folder, shape (K, K), float64; None where it has not been measured."""
    path = folder / "noise_matrix_standard_error.csv"
    if not path.is_file():
        return None
    errors = _numbers([row[1:] for row in _read_cells(path)[1:]], path)
    if errors.shape != (num_classes, num_classes):
        raise InputError(f"{path} is damaged: it must hold {num_classes} x {num_classes} numbers.")
    return errors


def _read_cells(path: Path) -> list[list[str]]:
    try:
        if path.exists():
            existing_file(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the noise matrix {path}: {reason(error)}.") from error
    cells = [row for row in cells if any(row)]
    if not cells:
        raise InputError(f"the noise matrix {path} is empty.")
    if len({len(row) for row in cells}) > 1:
        raise InputError(f"the rows of the noise matrix {path} must be of one length; they differ.")
    return cells


def _check_names(found: Sequence[str], class_names: Sequence[str], where: str) -> None:
    for name in found:
        if name not in class_names:
            raise InputError(
                f"{where} names {name!r}, which is not one of the {len(class_names)} classes "
                f"{list_some(class_names)}.{nearest(name, class_names)}"
            )
    missing = [name for name in class_names if name not in found]
    if missing or len(found) != len(class_names):
        raise InputError(
            f"{where} must name each of the {len(class_names)} classes once; "
            + (f"{list_some(map(repr, missing))} is missing." if missing else f"it has {len(found)} names.")
        )


def _numbers(cells: Sequence[Sequence[str]], path: Path) -> Tensor:
    for row in cells:
        for cell in row:
            if not _is_number(cell):
                raise InputError(f"the noise matrix {path} must hold numbers; one cell is {cell!r}.")
    return torch.tensor([[float(cell) for cell in row] for row in cells], dtype=torch.float64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _plain(text: str) -> str:
    return text.replace(" ", "").lower()

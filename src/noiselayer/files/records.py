"""Files that are whole or not there."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from noiselayer.errors import InputError
from noiselayer.files.whole_file import whole_file


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a dict of plain types; a number that JSON lacks (nan, infinity) is an error."""
    with whole_file(path) as beside:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        beside.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a dict."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object; it holds a {type(content).__name__}.")
    return content


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    r"""Write a CSV file in UTF-8; None is an empty cell.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_rows(path, ["x", "y"], [[1, None]])
    >>> path.read_text()
    'x,y\n1,\n'
    """
    with whole_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)

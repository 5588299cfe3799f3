"""The file in the folder of a run or an audit that says how good each annotator is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from noiselayer.files.whole_file import read_json, write_json

_NAME, _NAME_BEFORE = "annotators.json", "sources.json"


def write_annotator_figures(folder: Path, figures: dict[str, Any] | None) -> None:
    """Write what :func:`noiselayer.annotators.describe.describe_annotators` gave; with None remove what is there."""
    for name in (_NAME, _NAME_BEFORE):
        (folder / name).unlink(missing_ok=True)
    if figures is not None:
        write_json(folder / _NAME, figures)


def read_annotator_figures(folder: Path) -> dict[str, Any] | None:
    """The figures in a folder, as version 0.1 wrote them too; None if there are none.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_json(folder / "sources.json", {"sources": [{"name": "ann"}]})
    >>> read_annotator_figures(folder)
    {'annotators': [{'name': 'ann'}]}
    """
    path = next((folder / name for name in (_NAME, _NAME_BEFORE) if (folder / name).is_file()), None)
    if path is None:
        return None
    figures = read_json(path)
    if "sources" in figures:
        figures["annotators"] = figures.pop("sources")
    return figures

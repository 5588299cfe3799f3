"""A file of decisions of any kind -> decisions: the report's, a filled-in table, Label Studio's, FiftyOne's."""

from __future__ import annotations

import json
from pathlib import Path

from noiselayer.errors import InputError, reason
from noiselayer.interchange.fiftyone import decisions_from_fiftyone
from noiselayer.interchange.label_studio import CONTROL, decisions_from_label_studio
from noiselayer.storage.review.decisions import Decision, read_decisions


def read_review(path: str | Path) -> list[Decision]:
    """Read what came of a review; the file tells by itself what has written it.

    =====================  ===================================================================================
    ``.csv``               the report's export, or a table of ``noiselayer export-review`` filled in
    ``.json``, decisions   the report's export
    ``.json``, a list      Label Studio's export "JSON"
    ``.json``, samples     FiftyOne's ``dataset.write_json``
    =====================  ===================================================================================

    Args:
        path: The file.

    Raises:
        InputError: If it cannot be read, is none of these, or nobody has decided anything in it.

    >>> read_review("nowhere.json")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no file of decisions nowhere.json.
    """
    path = Path(path)
    if path.suffix.lower() != ".json" or not path.is_file():
        return read_decisions(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read the decisions {path}: {reason(error)}.") from error
    if isinstance(content, dict) and "samples" not in content:
        return read_decisions(path)
    if not isinstance(content, (list, dict)):
        raise InputError(f"{path} must hold decisions, tasks or samples; it holds {type(content).__name__}.")
    try:
        if isinstance(content, list):
            decisions = decisions_from_label_studio(content)
        else:
            decisions = decisions_from_fiftyone(content)
    except InputError as error:
        raise InputError(f"{path}: {error.args[0]}") from error
    if not decisions:
        what = f" Only answers of the control {CONTROL!r} count." if isinstance(content, list) else ""
        raise InputError(f"{path} holds no decisions; review some labels and export them again.{what}")
    return decisions

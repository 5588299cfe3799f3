"""A folder of either kind -> what its report says."""

from __future__ import annotations

from pathlib import Path

import torch

from noiselayer.data.numpy_files import split_address
from noiselayer.errors import InputError, argument
from noiselayer.files.given import reading_folder
from noiselayer.files.whole_file import read_json
from noiselayer.report.content import NO_DATA, Note, ReportContent


def content_from_folder(
    folder: str | Path,
    *,
    data_path: str | None = None,
    limit: int = 200,
    device: torch.device | str | None = None,
) -> ReportContent:
    """What the report of a run or of an audit says.

    Args:
        folder: That ``noiselayer train`` or ``noiselayer audit`` has left.
        data_path: Where the data lie now; where they lay then if None.
        limit: How many suspects at most.
        device: Where to ask a run's network.

    Raises:
        InputError: If it is neither, or ``data_path`` is not the data of that time.

    >>> content_from_folder("nowhere")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no run and no audit in nowhere: it has no config.json, no audit.json.
    """
    folder = Path(folder)
    with reading_folder(folder):
        return _content(folder, data_path, limit, device)


def _content(
    folder: Path, data_path: str | None, limit: int, device: torch.device | str | None
) -> ReportContent:
    if (folder / "audit.json").is_file():
        from noiselayer.report.from_audit import content_from_audit
        from noiselayer.storage.audit_folder import load_audit

        name = f"Audit: {folder.resolve().name}"
        return content_from_audit(load_audit(folder), name=name, limit=limit, data_path=data_path)
    if not (folder / "config.json").is_file():
        raise InputError(f"there is no run and no audit in {folder}: it has no config.json, no audit.json.")
    from dataclasses import replace

    from noiselayer.report.from_run import content_from_run, read_run_data
    from noiselayer.storage.loaded_run import load_run

    run = load_run(folder)
    try:
        data = read_run_data(run, data_path)
    except InputError as error:
        if data_path is not None:
            raise InputError(f"{argument('data')} must be the data of the run: {error.args[0]}") from error
        # The rest of the report needs no data, and a run outlives them.
        content = content_from_run(run, None, limit=limit, device=device)
        return replace(content, notes=[*content.notes, Note(NO_DATA, str(error))])
    return content_from_run(run, data, limit=limit, device=device, data_path=data_path)


def data_of_folder(folder: Path) -> Path | None:
    """The file or folder of the data that a run or an audit was made from; None if nobody wrote it down."""
    for name, place in (("audit.json", "source"), ("config.json", "reading")):
        if (folder / name).is_file():
            with reading_folder(folder / name):
                path = (read_json(folder / name).get(place) or {}).get("path")
                return None if path is None else split_address(path)[0]
    return None

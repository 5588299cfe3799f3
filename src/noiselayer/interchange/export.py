"""A run or an audit -> a file that another tool opens for review."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from noiselayer.errors import InputError, argument
from noiselayer.files.given import check_not_read, check_target
from noiselayer.files.whole_file import for_spreadsheet, whole_file, write_json, write_rows
from noiselayer.interchange.fiftyone import to_fiftyone
from noiselayer.interchange.label_studio import label_studio_config, to_label_studio
from noiselayer.interchange.review_items import ReviewItem, review_items
from noiselayer.report.from_folder import content_from_folder, data_of_folder

FORMATS = {"label-studio": ".json", "fiftyone": ".json", "csv": ".csv"}
"""Format -> what its file ends with."""

_NAMES = {"label-studio": "review.label-studio.json", "fiftyone": "review.fiftyone.json", "csv": "review.csv"}
_CSV = (
    *("sample", "id", "given_label", "suggested_label", "error_probability", "decision", "new_label"),
    "shown",
)


def export_review(
    folder: str | Path,
    format: str,
    out: str | Path | None = None,
    *,
    top: int = 200,
    data_path: str | None = None,
    media_prefix: str | None = None,
    force: bool = False,
) -> list[Path]:
    """Write the suspect labels of a run or an audit for review elsewhere; :func:`read_review` reads what comes back.

    ================  ========================================================================================
    "label-studio"    tasks with suggestions, and beside them the project's interface, ``.xml``
    "fiftyone"        a data set of images; where these lie in an array, small copies in a folder beside it
    "csv"             a table whose columns ``decision`` and ``new_label`` are to be filled in; text that begins
                      with = + - @ gets an apostrophe, so that a spreadsheet does not take it for a formula
    ================  ========================================================================================

    Args:
        folder: That ``noiselayer train`` or ``noiselayer audit`` has left.
        format: One of ``FORMATS``.
        out: The file; ``review.csv``, ``review.label-studio.json`` or ``review.fiftyone.json`` in the folder if None.
        top: At most so many labels, those most likely wrong.
        data_path: Where the data lie now; where they lay then if None.
        media_prefix: What stands before a sample's name in the path or address of its image, such as
            ``/data/local-files/?d=images/``; the report's small pictures are used if None.
        force: Write over an older file.

    Returns:
        What was written, the file first.

    Raises:
        InputError: If there is no such folder or format, nothing to review, or the file cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}; got {format!r}.")
    folder = Path(folder)
    path = folder / _NAMES[format] if out is None else Path(out)
    if path.suffix.lower() != FORMATS[format]:
        raise InputError(
            f"{argument('out')} must end with {FORMATS[format]} for {format}; got {str(path)!r}."
        )
    check_not_read((path,), (data_path, data_of_folder(folder)))
    check_target(path, force=force)
    content = content_from_folder(folder, data_path=data_path, limit=top)
    items = review_items(content.suspects, content.class_names, media_prefix=media_prefix)
    if not items:
        raise InputError(f"there is no label to review in {folder}. {content.suspects_note}".strip())
    written = [path]
    if format == "csv":
        write_rows(path, _CSV, [[for_spreadsheet(cell) for cell in _row(item)] for item in items])
    elif format == "fiftyone":
        items, pictures = _in_files(items, path.with_name(f"{path.stem}.images"))
        write_json(path, to_fiftyone(items, name=path.stem))
        written += [pictures[0].parent] if pictures else []
    else:
        write_json(path, to_label_studio(items))
        kind = "image" if items[0].image is not None else "text"
        config = path.with_suffix(".xml")
        with whole_file(config) as beside:
            beside.write_text(label_studio_config(content.class_names, kind) + "\n", encoding="utf-8")
        written.append(config)
    return written


def _row(item: ReviewItem) -> list[Any]:
    """A row of the table; ``decision`` and ``new_label`` are for a person to fill in."""
    image = None if item.image is None or item.image.startswith("data:") else item.image
    about = (item.sample, item.id, item.given_label, item.suggested_label, item.error_probability)
    return [*about, "", "", item.text or image or ""]


def _in_files(items: Sequence[ReviewItem], folder: Path) -> tuple[list[ReviewItem], list[Path]]:
    """Pictures that are data URIs, as files: FiftyOne opens nothing else."""
    moved, paths = [], []
    for item in items:
        if item.image is not None and item.image.startswith("data:image/"):
            kind, _, encoded = item.image.removeprefix("data:image/").partition(";base64,")
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{item.sample}.{kind}"
            with whole_file(path) as beside:
                beside.write_bytes(base64.b64decode(encoded))
            paths.append(path)
            item = replace(item, image=str(path.resolve()))
        moved.append(item)
    return moved, paths

"""Labels that are the folders images lie in: a table of corrected ones, or a copy of the folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from noiselayer.data.read_folder import images_below
from noiselayer.errors import InputError
from noiselayer.files.records import write_rows
from noiselayer.storage.review.label_store import LabelStore, beside


def folder_labels(folder: Path) -> LabelStore:
    """The labels of a folder of images: the sub-folder that each lies in.

    A corrected copy is a table with the columns ``id`` and ``label``, or, where its name has no ending, a folder
    of copied images by corrected class.
    """
    ids = images_below(folder)
    names = [name.split("/")[0] for name in ids if "/" in name]
    if not ids or len(names) != len(ids):
        raise InputError(f"folder {folder} must hold images in sub-folders, whose names are their labels.")

    def write(changes: Mapping[int, str], out: Path) -> None:
        new = [changes.get(row, name) for row, name in enumerate(names)]
        if out.suffix:
            write_rows(out, ["id", "label"], list(zip(ids, new, strict=True)))
        else:
            _copy(folder, ids, new, out)

    return LabelStore(f"folder {folder}", (folder,), names, ids, beside(folder, ".csv"), (".csv", ""), write)


def _copy(folder: Path, ids: Sequence[str], labels: Sequence[str], out: Path) -> None:
    """Copy every image below its class; one of a name that is taken there gets its old class in front."""
    for label in set(labels):
        if label in ("", ".", "..") or "/" in label or "\\" in label or "\0" in label:
            raise InputError(
                f"{label!r} cannot be the name of a folder; write a table instead, with --out FILE.csv."
            )
    part = out.with_name(f".{out.name}.{uuid4().hex[:8]}.part")
    unmoved = {name for name, label in zip(ids, labels, strict=True) if name.split("/")[0] == label}
    try:
        for name, label in zip(ids, labels, strict=True):
            old, _, rest = name.partition("/")
            target = f"{label}/{rest}"
            if old != label and target in unmoved:
                head, _, last = rest.rpartition("/")
                target = "/".join(filter(None, [label, head, f"{old}-{last}"]))
            place = part / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                raise InputError(f"two images would be called {target} in {out}; rename one of them.")
            shutil.copy2(folder / name, place)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)

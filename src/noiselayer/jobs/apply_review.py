"""Decisions + data -> a copy of the labels with the corrected ones; the data are never written over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from noiselayer.data.frames import (
    TABLE_SUFFIXES,
    is_table,
    read_columns,
    require_columns,
    table_suffix,
)
from noiselayer.data.label_files import find_labels, names_in
from noiselayer.data.numpy_files import read_npy, split_address
from noiselayer.errors import InputError, argument
from noiselayer.files.given import check_not_read, check_target, existing_file
from noiselayer.storage.review.decisions import WITHOUT_LABEL, Decision, short
from noiselayer.storage.review.label_store import LabelStore, array_labels, folder_labels
from noiselayer.storage.review.table_labels import table_labels


@dataclass(frozen=True)
class AppliedReview:
    """Counts of labels; ``unlabelled`` are none of the classes, ``left_out`` are not in the copy, or empty in it."""

    out: Path
    samples: int
    changed: int
    kept: int
    unlabelled: int = 0
    left_out: int = 0
    open: int = 0


def apply_review(
    data: str | Path,
    decisions: Sequence[Decision],
    out: str | Path | None = None,
    *,
    labels: str | None = None,
    label_column: str | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
    class_names: Sequence[str] | None = None,
    force: bool = False,
) -> AppliedReview:
    """Write the labels of data anew, with the decisions of a review.

    =================  ========================================================================================
    labels in          the copy
    =================  ========================================================================================
    ``FILE.npz``       an .npz file with all its arrays, the labels corrected
    ``FILE.npy``       an .npy file of corrected labels
    a table            the table with corrected labels; all other cells as they were
    folders of images  a table ``id``, ``label``; or, where ``out`` has no ending, a folder of copies by class
    =================  ========================================================================================

    ``labels``, ``label_column``, ``image_column``, ``id_column`` and ``class_names`` are as for
    :func:`noiselayer.data.read_data`. The copy is ``NAME.corrected.*`` beside the labels if ``out`` is None; ``force``
    writes over an older copy, never over the data.
    """
    path = split_address(data)[0]
    if path.is_dir():
        store = folder_labels(path)
    else:
        existing_file(path, "file or folder")
        if path.suffix.lower() not in (".npz", ".npy") and not is_table(path):
            raise InputError(
                f"data must be .npz, .npy, a folder of images or a table ({', '.join(TABLE_SUFFIXES)}); got {path}."
            )
        if labels is None and path.suffix.lower() == ".npy" and read_npy(path, memory_map=True).ndim == 1:
            labels = str(path)  # a file of labels, with no inputs beside them
        place = find_labels(path, labels, label_column)
        if is_table(place.file):
            store = table_labels(place, class_names, image_column if place.own else None)
        else:
            store = array_labels(place, class_names)
        if id_column is not None and image_column is None and is_table(path):
            require_columns(read_columns(path), [id_column], str(path))
            store = replace(store, ids=names_in(path, id_column))
    target = store.out if out is None else Path(out)
    if (table_suffix(target) or target.suffix.lower()) not in store.endings:
        wanted = " or ".join(ending or "a folder's name" for ending in store.endings)
        raise InputError(f"the corrected labels of {store.origin} are written as {wanted}; got {target}.")
    check_not_read((target,), (*store.files, path))
    check_target(target, force=force)
    changes: dict[int, str] = {}
    seen: dict[int, Decision] = {}
    for decision in decisions:
        row = _row(decision, store)
        if row in seen:
            raise InputError(f"two decisions are about sample {row} of {store.origin}; leave one of them.")
        seen[row] = decision
        carried, reviewed = (one.strip().casefold() for one in (store.names[row], decision.given_label))
        if carried != reviewed:  # in other capitals where these are those of checked labels
            raise InputError(
                f"sample {row} carries {short(store.names[row])} in {store.origin}, but the decision was about the "
                f"label {short(decision.given_label)}: these are other labels than those reviewed. If labels are "
                f"numbers, say what they mean with {argument('class_names')}."
            )
        if decision.changes:
            changes[row] = decision.new_label
    rows = {kind: [row for row, one in seen.items() if one.kind == kind] for kind in WITHOUT_LABEL}
    try:
        store.write(changes, target, frozenset(rows["exclude"]))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}.") from error
    unsure, none, excluded = (len(rows[kind]) for kind in WITHOUT_LABEL)
    changed = len(changes) - none
    kept = len(seen) - changed - none - excluded - unsure
    return AppliedReview(target, len(store.names), changed, kept, none, excluded, unsure)


def _row(decision: Decision, store: LabelStore) -> int:
    """The row that a decision is about: by its name, since samples may have been left out in between."""
    if store.ids is None:
        name = decision.id
        numbered = name.isascii() and name.isdigit() and len(name) < 19
        if not numbered and "" in store.names:  # which were left out, so that places have moved
            raise InputError(
                f"a decision is about {short(name)}, and some rows of {store.origin} have no label, so that its row is "
                f"not known: say which column holds such names with {argument('id_column')} or "
                f"{argument('image_column')}."
            )
        row = int(name) if numbered else decision.sample
        if row >= len(store.names):
            raise InputError(
                f"a decision is about sample {row}, but {store.origin} has {len(store.names):,} labels only: these are "
                "other data than those reviewed."
            )
        return row
    if decision.sample < len(store.ids) and store.ids[decision.sample] == decision.id:
        return decision.sample
    found = [row for row, name in enumerate(store.ids) if name == decision.id]
    if len(found) != 1:
        often = "more than once" if found else "not at all"
        raise InputError(f"a decision is about {short(decision.id)}, which stands in {store.origin} {often}.")
    return found[0]

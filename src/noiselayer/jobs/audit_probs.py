"""Probabilities from files for an audit: its own, and a second model's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from noiselayer.data import LabeledData
from noiselayer.data.inputs import SubsetInputs
from noiselayer.data.label_files import names_in
from noiselayer.data.names import ChosenNames, same_names
from noiselayer.data.numpy_files import read_npy, split_address
from noiselayer.data.parquet_batches import batches_of_columns
from noiselayer.data.probabilities import check_nameless, read_probabilities
from noiselayer.data.reading import Reading, names_its_classes
from noiselayer.errors import InputError
from noiselayer.files.given import existing_file
from noiselayer.jobs.audit_options import AuditJob


def given_probs(job: AuditJob, reading: Reading, data: LabeledData) -> Any:
    """What ``--probs`` names: probabilities, a file to be read piece by piece, or a function that makes batches.

    Args:
        job: As asked for.
        reading: How the labels were read.
        data: Whose labels are audited.
    """
    found: Any = None
    address = str(job.probs)
    suffix = address.lower().rpartition(".")[2]
    whole = data.unlabelled or data.checked is not None or job.second_probs is not None
    if suffix == "npy":
        _check_npy(address, reading, data)
        if not data.unlabelled:
            found, shape = Path(address), read_npy(Path(address), memory_map=True).shape
    elif suffix == "parquet" and not whole:  # as predict --probs writes it
        columns = [f"p({name})" for name in data.class_names]
        found = batches_of_columns(address, columns, data.labels, ids=_names(reading, data))
        shape = (len(data), data.num_classes)
    if found is None:
        found = _read(address, reading, data).float()
        shape = tuple(found.shape)
    if shape != (len(data), data.num_classes):
        raise InputError(
            f"{address} must hold a row for each of the {len(data):,} samples and a column for each of the "
            f"{data.num_classes} classes; it has shape {shape}."
        )
    return found


def second_opinion(job: AuditJob, reading: Reading, data: LabeledData) -> Tensor | None:
    """The probabilities that ``--second-probs`` names; None if it names none."""
    if job.second_probs is None:
        return None
    if job.second_probs.lower().endswith(".npy"):
        _check_npy(job.second_probs, reading, data)
    found = _read(job.second_probs, reading, data)
    if tuple(found.shape) != (len(data), data.num_classes):
        raise InputError(
            f"{job.second_probs} must have the shape of {job.probs}, ({len(data):,}, {data.num_classes}); it has "
            f"{tuple(found.shape)}."
        )
    return found


def _check_npy(address: str, reading: Reading, data: LabeledData) -> None:
    if not names_its_classes(reading):
        existing_file(Path(address), "file of probabilities")
        check_nameless(address, data.class_names)


def _read(address: str, reading: Reading, data: LabeledData) -> Tensor:
    """Rows by the samples' names where both files have them, else in their order; of labelled samples alone."""
    table, names, kept = read_probabilities(address, reading.id_column), _names(reading, data), None
    if data.unlabelled and isinstance(data.inputs, SubsetInputs):
        if len(table.values) == len(data.inputs.base):
            kept = data.inputs.indices
        else:  # it has the labelled ones alone
            names = [ChosenNames(every, data.inputs.indices) for every in names]
    order = None if table.ids is None else same_names(table.ids, names)
    table = table if order is None else table.in_order_of(order)
    found = table.ordered(data.class_names, chosen=names_its_classes(reading))
    return found if kept is None else found[kept]


def _names(reading: Reading, data: LabeledData) -> list[Sequence[str]]:
    """Names that all samples go by, labelled or not: those of a column ``id``, and their own."""
    inputs = data.inputs
    own = inputs.base.ids if data.unlabelled and isinstance(inputs, SubsetInputs) else inputs.ids
    column = names_in(split_address(reading.path)[0], reading.id_column or "id")
    return [own] if column is None or len(column) != len(own) else [column, own]

"""A second model's opinion of the same samples, for an audit."""

from __future__ import annotations

from typing import Any

from noiselayer.data import LabeledData
from noiselayer.data.inputs import SubsetInputs
from noiselayer.data.probabilities import check_nameless, read_probabilities
from noiselayer.errors import InputError
from noiselayer.jobs.audit_options import AuditJob


def second_opinion(job: AuditJob, data: LabeledData, *, chosen: bool) -> Any:
    """The probabilities that ``--second-probs`` names; None if it names none.

    Args:
        job: As asked for.
        data: Whose labels are audited.
        chosen: Whether the order of the classes was asked for.
    """
    if job.second_probs is None:
        return None
    if job.second_probs.lower().endswith(".npy") and not chosen:
        check_nameless(job.second_probs, data.class_names)
    found = read_probabilities(job.second_probs).ordered(data.class_names, chosen=chosen)
    if data.unlabelled and isinstance(data.inputs, SubsetInputs) and len(found) == len(data.inputs.base):
        found = found[data.inputs.indices]
    if tuple(found.shape) != (len(data), data.num_classes):
        raise InputError(
            f"{job.second_probs} must have the shape of {job.probs}, ({len(data):,}, {data.num_classes}); it has "
            f"{tuple(found.shape)}."
        )
    return found

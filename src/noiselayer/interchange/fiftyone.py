"""FiftyOne: suspects as a data set with classification labels, and an edited data set as decisions.

Made after the published JSON of data sets: ``Dataset.from_json`` reads it, ``dataset.write_json`` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noiselayer.errors import InputError, list_some
from noiselayer.interchange.json_form import check_form
from noiselayer.interchange.review_items import ReviewItem, decision
from noiselayer.storage.review.decisions import Decision

ACCEPT, REJECT = "accept", "reject"
"""Tags of samples: take the suggestion, keep the label."""

_FIELD = "fiftyone.core.fields."
_CLASSIFICATION = f"{_FIELD}EmbeddedDocumentField(fiftyone.core.labels.Classification)"
_FIELDS = {
    "ground_truth": _CLASSIFICATION,
    "suggestion": _CLASSIFICATION,
    "given_label": f"{_FIELD}StringField",
    "error_probability": f"{_FIELD}FloatField",
    "noiselayer_sample": f"{_FIELD}IntField",
    "noiselayer_id": f"{_FIELD}StringField",
}
# What is read of a data set; samples may have more.
_SAMPLE = {
    "filepath": str,
    "given_label": str,
    "noiselayer_sample": int,
    "noiselayer_id": str,
    "tags?": [str],
}
_ADVICE = "Correct it in FiftyOne, and write it again with dataset.write_json(path)."


def to_fiftyone(items: Sequence[ReviewItem], *, name: str = "noiselayer-review") -> dict[str, Any]:
    """A data set of images: ``fiftyone.Dataset.from_json(path)`` opens it once it is written.

    Field ``ground_truth`` is the given label, to be edited or tagged, ``suggestion`` the most probable class; its
    confidence is the probability that the given label is wrong.

    Args:
        items: See :func:`review_items`; their images are paths.
        name: Of the data set.

    Raises:
        InputError: If an item is no image in a file.

    >>> made = to_fiftyone([ReviewItem(7, "7.png", "cat", "dog", 0.9, image="images/7.png")])
    >>> made["samples"][0]["suggestion"]["label"], made["samples"][0]["filepath"]
    ('dog', 'images/7.png')
    """
    samples: list[dict[str, Any]] = []
    for item in items:
        if item.image is None or item.image.startswith("data:"):
            raise InputError(
                f"sample {item.sample} ({item.id!r}) is no image in a file, which FiftyOne needs. Take Label Studio or "
                "CSV for tables and text, and media_prefix to say where images lie."
            )
        samples.append(
            {
                "_media_type": "image",
                "filepath": item.image,
                "tags": [],
                "metadata": None,
                "ground_truth": _classification(item.given_label),
                "suggestion": _classification(item.suggested_label, item.error_probability),
                "given_label": item.given_label,
                "error_probability": item.error_probability,
                "noiselayer_sample": item.sample,
                "noiselayer_id": item.id,
            }
        )
    return {
        "name": name,
        "media_type": "image",
        "num_samples": len(samples),
        "sample_fields": dict(_FIELDS),
        "info": {"made_by": "noiselayer"},
        "samples": samples,
    }


def decisions_from_fiftyone(content: dict[str, Any]) -> list[Decision]:
    """The decisions in the JSON of a data set made from :func:`to_fiftyone`.

    A sample is decided on if its ``ground_truth`` was edited, or if it has the tag "accept" (take the suggestion) or
    "reject" (the label is right). Others are left out.

    Args:
        content: Of the file that ``dataset.write_json`` has written.

    Raises:
        InputError: If it is something else, a sample is none of ours, or its tags and its label disagree.

    >>> made = to_fiftyone([ReviewItem(7, "7.png", "cat", "dog", 0.9, image="images/7.png")])
    >>> made["samples"][0]["tags"] = ["accept"]
    >>> [decision] = decisions_from_fiftyone(made)
    >>> decision.id, decision.given_label, decision.kind, decision.new_label
    ('7.png', 'cat', 'accept', 'dog')
    """
    samples = content.get("samples")
    if not isinstance(samples, list):
        raise InputError("the data set has no list of samples; write it with dataset.write_json(path).")
    decisions = []
    for place, sample in enumerate(samples):
        where = f"sample {place} of the data set"
        check_form(sample, {}, where, _ADVICE)
        missing = [name for name in _FIELDS if name not in sample]
        if missing:
            raise InputError(
                f"{where} lacks {list_some(missing)}: it does not come from noiselayer export-review, or fields were "
                "deleted."
            )
        check_form(sample, _SAMPLE, where, _ADVICE)
        given, suggested = sample["given_label"], _label(sample["suggestion"], "suggestion", where)
        edited = _label(sample["ground_truth"], "ground_truth", where)
        tags = {ACCEPT, REJECT} & set(sample.get("tags") or [])
        says = {*({suggested} if ACCEPT in tags else ()), *({given} if REJECT in tags else ())}
        if edited != given:
            says.add(edited)
        if len(says) > 1:
            raise InputError(
                f"{where} ({sample['filepath']}) says different things: its ground_truth is {edited!r}, its tags are "
                f"{list_some(sorted(tags))}. Leave one."
            )
        decisions += [decision(sample, suggested, label) for label in says]
    return decisions


def _classification(label: str, confidence: float | None = None) -> dict[str, Any]:
    return {"_cls": "Classification", "tags": [], "label": label, "confidence": confidence}


def _label(field: Any, name: str, where: str) -> str:
    label = field.get("label") if isinstance(field, dict) else None
    if not isinstance(label, str) or not label:
        raise InputError(f"{where} has no label in {name}; give it one, or take the sample out.")
    return label

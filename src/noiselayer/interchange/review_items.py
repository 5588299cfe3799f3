"""What a person is shown to review: suspect labels by name, and something to recognise the samples by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noiselayer.storage.review.decisions import Decision

if TYPE_CHECKING:
    from noiselayer.report.content import Suspect


@dataclass(frozen=True)
class ReviewItem:
    """A label that may be wrong.

    Attributes:
        sample: The sample's row in the data, counted from 0.
        id: Its name in the data: a path, or the row as text.
        given_label: The class that it carries, by name.
        suggested_label: The most probable class, by name.
        error_probability: That the given label is wrong.
        image: Where its image lies, a path, an address or a data URI; None if it is no image.
        text: The sample in words, a line per column of a table; None if it is an image.
    """

    sample: int
    id: str
    given_label: str
    suggested_label: str
    error_probability: float
    image: str | None = None
    text: str | None = None


def review_items(
    suspects: Sequence[Suspect], class_names: Sequence[str], *, media_prefix: str | None = None
) -> list[ReviewItem]:
    """The suspects of a report, with classes by name.

    Args:
        suspects: See :class:`noiselayer.report.content.Suspect`.
        class_names: The K names.
        media_prefix: What stands before a sample's name in the path or address of its image; the small pictures
            of the report are taken if None.

    >>> from noiselayer.report.content import Suspect
    >>> review_items([Suspect(3, "3", 0, 1, 0.9, cells=(("age", "30"),))], ["cat", "dog"])[0].text
    'age: 30'
    """
    items = []
    for suspect in suspects:
        image = suspect.image if media_prefix is None else f"{media_prefix}{suspect.id}"
        text = suspect.text or "\n".join(f"{name}: {value}" for name, value in suspect.cells) or None
        items.append(
            ReviewItem(
                suspect.sample,
                suspect.id,
                class_names[suspect.given],
                class_names[suspect.suggested],
                round(float(suspect.probability), 6),
                None if text is not None else image,
                text,
            )
        )
    return items


def decision(item: Mapping[str, Any], suggested_label: str, new_label: str) -> Decision:
    """What choosing a label says of an exported item: "reject" keeps the given one, "accept" takes the suggestion.

    >>> item = {"noiselayer_sample": 7, "noiselayer_id": "7", "given_label": "cat"}
    >>> [decision(item, "dog", label).kind for label in ("dog", "cat", "bird")]
    ['accept', 'reject', 'pick']
    """
    given = item["given_label"]
    kind = "reject" if new_label == given else "accept" if new_label == suggested_label else "pick"
    return Decision(item["noiselayer_sample"], item["noiselayer_id"], given, kind, new_label)

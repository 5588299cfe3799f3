"""Label Studio: suspects as tasks with a suggestion each, and submitted annotations as decisions.

Made after the published task format: ``data`` is what is shown, ``predictions`` what is suggested, ``annotations``
what people have submitted; a result names the control (``from_name``) and its object (``to_name``).
"""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as short_repr
from typing import Any
from xml.sax.saxutils import quoteattr

from noiselayer.data.labels import check_class_names
from noiselayer.errors import InputError, list_some
from noiselayer.interchange.json_form import check_form
from noiselayer.interchange.review_items import ReviewItem, decision
from noiselayer.storage.review.decisions import Decision

CONTROL, _OBJECT = "label", "sample"
_KEYS = ("noiselayer_sample", "noiselayer_id", "given_label", "suggested_label")
# What is read of an export; projects may ask for more, and relations have no control.
_TASK = {
    "data": dict(zip(_KEYS, (int, str, str, str), strict=True)),
    "annotations?": [{"result?": [{"from_name?": str}]}],
}
_ANSWER = {"value": {"choices": [str]}}
_ADVICE = "Correct it in Label Studio, and export the project as JSON again."


def to_label_studio(
    items: Sequence[ReviewItem], *, model_version: str = "noiselayer"
) -> list[dict[str, Any]]:
    """Tasks to import into a project that has the interface of :func:`label_studio_config`.

    The suggestion is a prediction; its score is the probability that the given label is wrong, by which the data
    manager sorts.

    Args:
        items: See :func:`review_items`.
        model_version: What the suggestions are called there.

    Raises:
        InputError: If an item has neither image nor text, so that there is nothing to look at.

    >>> task = to_label_studio([ReviewItem(7, "7", "cat", "dog", 0.9, text="barks")])[0]
    >>> task["data"]["text"], task["predictions"][0]["result"][0]["value"], task["predictions"][0]["score"]
    ('barks', {'choices': ['dog']}, 0.9)
    """
    tasks = []
    for item in items:
        if item.image is None and item.text is None:
            raise InputError(
                f"sample {item.sample} ({item.id!r}) has neither image nor text to show; say where the images lie with "
                "media_prefix, or where the data lie now."
            )
        kind, shown = ("image", item.image) if item.image is not None else ("text", item.text)
        values = (item.sample, item.id, item.given_label, item.suggested_label)
        result = {
            "from_name": CONTROL,
            "to_name": _OBJECT,
            "type": "choices",
            "value": {"choices": [item.suggested_label]},
        }
        tasks.append(
            {
                "data": {
                    kind: shown,
                    **dict(zip(_KEYS, values, strict=True)),
                    "error_probability": item.error_probability,
                },
                "predictions": [
                    {"model_version": model_version, "score": item.error_probability, "result": [result]}
                ],
            }
        )
    return tasks


def label_studio_config(class_names: Sequence[str], kind: str = "image") -> str:
    """The labelling interface of a project for :func:`to_label_studio`, as XML.

    Args:
        class_names: The K names to choose from.
        kind: "image" or "text".

    Raises:
        InputError: If ``kind`` is another, or names are too few or alike.

    >>> print(label_studio_config(["cat", "dog"], "text"))
    <View>
      <Header value="Labelled: $given_label. Suggested: $suggested_label."/>
      <Text name="sample" value="$text"/>
      <Choices name="label" toName="sample" choice="single" required="true">
        <Choice value="cat"/>
        <Choice value="dog"/>
      </Choices>
    </View>
    """
    if kind not in ("image", "text"):
        raise InputError(f"kind must be 'image' or 'text'; got {kind!r}.")
    tag = kind.capitalize()
    choices = [f"    <Choice value={quoteattr(name)}/>" for name in check_class_names(class_names)]
    return "\n".join(
        [
            "<View>",
            '  <Header value="Labelled: $given_label. Suggested: $suggested_label."/>',
            f'  <{tag} name="{_OBJECT}" value="${kind}"/>',
            f'  <Choices name="{CONTROL}" toName="{_OBJECT}" choice="single" required="true">',
            *choices,
            "  </Choices>",
            "</View>",
        ]
    )


def decisions_from_label_studio(tasks: Sequence[dict[str, Any]]) -> list[Decision]:
    """The decisions in an export "JSON" of a project made from :func:`to_label_studio`.

    Tasks that nobody has submitted, or that were skipped, are left out.

    Args:
        tasks: The content of the exported file, a list.

    Raises:
        InputError: If it is another export, a task is none of ours, or people have chosen different labels.

    >>> task = to_label_studio([ReviewItem(7, "7", "cat", "dog", 0.9, text="barks")])[0]
    >>> done = {**task, "annotations": [{"was_cancelled": False, "result": task["predictions"][0]["result"]}]}
    >>> [decision] = decisions_from_label_studio([done, task])
    >>> decision.id, decision.given_label, decision.kind, decision.new_label
    ('7', 'cat', 'accept', 'dog')
    """
    decisions = []
    for place, task in enumerate(tasks, start=1):
        number = task.get("id") if isinstance(task, dict) else None
        where = f"task {number if isinstance(number, int | str) else place}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise InputError(
                f"{where} has no data; export the project as JSON (not as JSON-MIN, CSV or another format)."
            )
        data = task["data"]
        missing = [name for name in _KEYS if name not in data]
        if missing:
            raise InputError(
                f"{where} lacks {list_some(missing)} in its data: it does not come from noiselayer export-review."
            )
        check_form(task, _TASK, where, _ADVICE)
        chosen = {
            label
            for annotation in task.get("annotations") or []
            if not annotation.get("was_cancelled")
            for label in _choices(annotation.get("result") or [], where)
        }
        if len(chosen) > 1:
            raise InputError(
                f"people disagree about {where} (sample {data[_KEYS[0]]}): {list_some(sorted(chosen))}. Settle it in "
                "Label Studio, delete the other annotations, and export again."
            )
        decisions += [decision(data, data["suggested_label"], label) for label in chosen]
    return decisions


def _choices(result: Sequence[dict[str, Any]], where: str) -> list[str]:
    """The class that an annotation chooses; none if nothing was chosen, or something else than the class."""
    answers = [one for one in result if one.get("from_name") == CONTROL]
    for answer in answers:
        if answer.get("type") != "choices":
            raise InputError(
                f"{where} answers {CONTROL!r} by {short_repr(answer.get('type'))}, not by 'choices': its project has "
                "another interface than the one that noiselayer export-review writes beside the tasks."
            )
        check_form(answer, _ANSWER, f"{where}, {CONTROL!r}", _ADVICE)
    labels = [label for answer in answers for label in answer["value"]["choices"]]
    if len(labels) > 1:
        raise InputError(
            f"{where} has more than one class: {list_some(labels)}. A label is one class; correct it in Label Studio."
        )
    return labels

"""Suspects that somebody has decided about before: they need not be looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from noiselayer.report.content import ReportContent
from noiselayer.storage.review.decisions import Decision


def without_reviewed(content: ReportContent, decisions: Sequence[Decision], limit: int) -> ReportContent:
    """The content without suspects that ``decisions`` settle, at most ``limit`` of the others.

    One is settled if it carries the label that was decided about, or the one that it was given; a sample somebody was
    unsure of stays.

    >>> from noiselayer.report.content import Suspect
    >>> suspects = [Suspect(k, str(k), 0, 1, 0.9) for k in range(3)]
    >>> content = ReportContent("A", [], ["cat", "dog"], suspects=suspects)
    >>> made = [Decision(0, "0", "cat", "reject", "cat"), Decision(1, "1", "cat", "unsure", "")]
    >>> [suspect.id for suspect in without_reviewed(content, made, 9).suspects]
    ['1', '2']
    """
    settled: dict[str, set[str]] = {}
    for decision in decisions:
        if decision.kind != "unsure":
            settled.setdefault(decision.id, set()).update((decision.given_label, decision.new_label))
    names = content.class_names
    left = [one for one in content.suspects if names[one.given] not in settled.get(one.id, ())]
    fewer = len(content.suspects) - len(left)
    note = content.suspects_note
    if fewer:
        note = f"{note} {fewer:,} of these were reviewed before and are left out.".strip()
    if len(left) > limit:
        note = f"{note} The first {limit:,} of the others are shown."
    return replace(content, suspects=left[:limit], suspects_note=note)

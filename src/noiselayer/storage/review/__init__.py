"""The decisions of a person who has looked at suspects, and the labels they make of it."""

from __future__ import annotations

from noiselayer.storage.review.decisions import Decision, read_decisions, review_command

__all__ = ["Decision", "read_decisions", "review_command"]

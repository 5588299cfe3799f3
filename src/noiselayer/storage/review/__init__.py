"""The decisions of a person who has looked at suspects, and the labels they make of it."""

from __future__ import annotations

from noiselayer.jobs.apply_review import AppliedReview, apply_review
from noiselayer.storage.review.command import review_command
from noiselayer.storage.review.decisions import Decision, read_decisions

__all__ = ["AppliedReview", "Decision", "apply_review", "read_decisions", "review_command"]

"""Which labels are wrong: a classifier's opinion and the noise matrix, put together by Bayes' rule.

Start with :func:`audit_labels`.
"""

from noiselayer.audit.audit_result import AuditResult
from noiselayer.audit.checked_labels import (
    CheckedCount,
    SuggestedChecks,
    audit_with_checks,
    count_with_checks,
    suggest_checks,
)
from noiselayer.audit.in_memory import audit_labels
from noiselayer.audit.intervals import WrongLabels
from noiselayer.audit.verdict import best_threshold
from noiselayer.estimation.accuracy import CleanAccuracy, accuracy_from_noisy_labels
from noiselayer.noise.posterior import label_error_probability, posterior

__all__ = [
    "AuditResult",
    "CheckedCount",
    "CleanAccuracy",
    "SuggestedChecks",
    "WrongLabels",
    "accuracy_from_noisy_labels",
    "audit_labels",
    "audit_with_checks",
    "best_threshold",
    "count_with_checks",
    "label_error_probability",
    "posterior",
    "suggest_checks",
]

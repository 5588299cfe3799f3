"""Audits of files: cross-fitted or stored probabilities in, a folder of results out.

Every name is imported when it is first used: who streams probabilities of his own does not pay for the training
libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noiselayer.audit.stream import audit_stream, batches_of_parquet
    from noiselayer.auditing.audit import audit_files
    from noiselayer.auditing.plan import AuditPlan
    from noiselayer.storage.audit_folder import SavedAudit, load_audit, save_audit
    from noiselayer.training.cross_fit import CrossFit, cross_fit

__all__ = [
    "AuditPlan",
    "CrossFit",
    "SavedAudit",
    "audit_files",
    "audit_stream",
    "batches_of_parquet",
    "cross_fit",
    "load_audit",
    "save_audit",
]

_HOMES = {
    "AuditPlan": "plan",
    "CrossFit": "folds",
    "SavedAudit": "folder",
    "audit_files": "audit",
    "audit_stream": "stream",
    "batches_of_parquet": "stream",
    "cross_fit": "folds",
    "load_audit": "folder",
    "save_audit": "folder",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"noiselayer.auditing.{_HOMES[name]}"), name)
        globals()[name] = value  # found without this function the next time
        return value
    raise AttributeError(f"module 'noiselayer.auditing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

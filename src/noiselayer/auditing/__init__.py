"""Audits of files: cross-fitted or stored probabilities in, a folder of results out."""

from noiselayer.auditing.audit import audit_files
from noiselayer.auditing.cross_fit import CrossFit, cross_fit
from noiselayer.auditing.folder import SavedAudit, load_audit, save_audit
from noiselayer.auditing.plan import AuditPlan
from noiselayer.auditing.stream import audit_stream, batches_of_parquet

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

"""Audits of files: cross-fitted or stored probabilities in, a folder of results out."""

from noiselayer.auditing.cross_fit import CrossFit, cross_fit
from noiselayer.auditing.folder import SavedAudit, load_audit, save_audit

__all__ = ["CrossFit", "SavedAudit", "cross_fit", "load_audit", "save_audit"]

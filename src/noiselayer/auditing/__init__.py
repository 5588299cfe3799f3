"""Audits of files: cross-fitted or stored probabilities in, a folder of results out."""

from noiselayer.auditing.folder import SavedAudit, load_audit, save_audit

__all__ = ["SavedAudit", "load_audit", "save_audit"]

"""Pictures of what was learned, and one page that says it all."""

from __future__ import annotations

from noiselayer.report.content import ClassErrors, Note, ReportContent, StageLosses, Suspect
from noiselayer.report.from_folder import content_from_folder
from noiselayer.report.loss_drawing import draw_losses, save_curves
from noiselayer.report.matrix_drawing import draw_noise_matrices, save_noise_matrices
from noiselayer.report.page import render_report, save_report
from noiselayer.report.pictures import save_figure

__all__ = [
    "ClassErrors",
    "Note",
    "ReportContent",
    "StageLosses",
    "Suspect",
    "content_from_folder",
    "draw_losses",
    "draw_noise_matrices",
    "render_report",
    "save_curves",
    "save_figure",
    "save_noise_matrices",
    "save_report",
]

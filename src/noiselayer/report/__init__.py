"""Pictures of what was learned, and one page that says it all."""

from __future__ import annotations

from noiselayer.report.content import ClassErrors, Note, ReportContent, StageLosses, Suspect
from noiselayer.report.from_folder import content_from_folder
from noiselayer.report.heatmap import (
    MatrixPanel,
    draw_noise_matrices,
    matrix_panel,
    save_figure,
    save_noise_matrices,
)
from noiselayer.report.losses import StageCurves, draw_curves, save_curves, stage_curves
from noiselayer.report.page import render_report, save_report

__all__ = [
    "ClassErrors",
    "MatrixPanel",
    "Note",
    "ReportContent",
    "StageCurves",
    "StageLosses",
    "Suspect",
    "content_from_folder",
    "draw_curves",
    "draw_noise_matrices",
    "matrix_panel",
    "render_report",
    "save_curves",
    "save_figure",
    "save_noise_matrices",
    "save_report",
    "stage_curves",
]

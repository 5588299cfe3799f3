"""Pictures of what was learned."""

from __future__ import annotations

from noiselayer.report.heatmap import (
    MatrixPanel,
    draw_noise_matrices,
    matrix_panel,
    save_figure,
    save_noise_matrices,
)
from noiselayer.report.losses import StageCurves, draw_curves, save_curves, stage_curves

__all__ = [
    "MatrixPanel",
    "StageCurves",
    "draw_curves",
    "draw_noise_matrices",
    "matrix_panel",
    "save_curves",
    "save_figure",
    "save_noise_matrices",
    "stage_curves",
]

"""Pictures of one noise matrix, or of two side by side: what they show is computed apart from the drawing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from noiselayer.noise.matrices import check

__all__ = ["MatrixPanel", "draw_noise_matrices", "matrix_panel", "save_figure", "save_noise_matrices"]

COLORMAP = "cividis"  # reads the same with and without red-green blindness, and in grey
MAX_NUMBERS = 20
MAX_NAMES = 60
_LONGEST_NAME = 24


@dataclass(frozen=True)
class MatrixPanel:
    """What one panel shows.

    Attributes:
        title: Above it.
        values: Shape (K, K), row = noisy label, column = true class.
        texts: Percentages for the cells, shape (K, K); empty for a rounded zero. None if there are too many
            classes to read them.
        light: Where a text must be light to stand out from its cell, shape (K, K).
    """

    title: str
    values: npt.NDArray[np.float64]
    texts: npt.NDArray[np.str_] | None
    light: npt.NDArray[np.bool_]


def matrix_panel(title: str, noise_matrix: Tensor) -> MatrixPanel:
    """Find out what a panel shows.

    Args:
        title: Above it.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Raises:
        ValueError: If ``noise_matrix`` is not a noise matrix.

    >>> import torch
    >>> panel = matrix_panel("learned", torch.tensor([[0.934, 0.001], [0.066, 0.999]]))
    >>> panel.texts.tolist()
    [['93', ''], ['7', '100']]
    """
    check(noise_matrix)
    values = noise_matrix.detach().cpu().double().numpy()
    percent = np.rint(100 * values).astype(int)
    texts = np.where(percent > 0, percent.astype(str), "") if len(values) <= MAX_NUMBERS else None
    return MatrixPanel(title, values, texts, _luminance(values) < 0.45)


def draw_noise_matrices(panels: Sequence[MatrixPanel], class_names: Sequence[str]) -> Figure:
    """Draw panels side by side on one colour scale from 0 to 1.

    Args:
        panels: One or two, of K classes each.
        class_names: The K names.

    Raises:
        ValueError: If there are no panels, or names and panels differ in their number of classes.

    >>> import torch
    >>> len(draw_noise_matrices([matrix_panel("learned", torch.eye(2))], ["cat", "dog"]).axes)
    2
    """
    if not panels:
        raise ValueError("panels must hold at least one panel; got none.")
    K = len(class_names)
    for panel in panels:
        if len(panel.values) != K:
            raise ValueError(
                f"class_names has {K} names, but the matrix {panel.title!r} has {len(panel.values)} classes."
            )
    side = float(np.clip(0.42 * K + 1.6, 3.2, 11.0))
    # Slanted names take room below and, once, on the left; squares would shrink or lose their titles.
    room = 0.07 * min(max(map(len, class_names)), _LONGEST_NAME) if K <= MAX_NAMES else 0.0
    figure = Figure(figsize=(side * len(panels) + 1.2 + room, side + 0.4 + 0.7 * room), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for place, (panel, ax) in enumerate(zip(panels, axes, strict=True)):
        image = _draw_panel(ax, panel, class_names, first=place == 0)
    bar = figure.colorbar(image, ax=list(axes), shrink=0.8, label="p(noisy label | true class)")
    bar.ax.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    return figure


def save_noise_matrices(path: str | Path, matrices: Mapping[str, Tensor], class_names: Sequence[str]) -> None:
    """Draw noise matrices side by side into a file; its ending (.png, .svg, .pdf) decides on the format.

    Args:
        path: The file.
        matrices: Title -> noise matrix, shape (K, K), columns = true classes.
        class_names: The K names.

    Raises:
        ValueError: If a matrix is not a noise matrix or does not suit the names.

    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "q.svg"
    >>> save_noise_matrices(path, {"true": torch.eye(2), "learned": torch.eye(2)}, ["cat", "dog"])
    >>> "noisy label" in path.read_text()
    True
    """
    panels = [matrix_panel(title, matrix) for title, matrix in matrices.items()]
    save_figure(draw_noise_matrices(panels, class_names), path)


def save_figure(figure: Figure, path: str | Path, *, format: str | None = None) -> None:
    """Write a figure, the same figure always as the same bytes; text in an SVG stays text.

    Args:
        figure: What to write.
        path: The file.
        format: "png", "svg" or "pdf"; by the file's ending if None.

    >>> import tempfile
    >>> save_figure(Figure(), Path(tempfile.mkdtemp()) / "empty.png")
    """
    kind = format or Path(path).suffix[1:].lower()
    dated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with mpl.rc_context({"svg.hashsalt": "noiselayer", "svg.fonttype": "none"}), warnings.catch_warnings():
        # A class name in a script that the font lacks shows as boxes, and is no reason to fail.
        warnings.filterwarnings("ignore", ".*[Gg]lyph.*missing from.*font.*")
        figure.savefig(path, format=kind, dpi=150, bbox_inches="tight", metadata=dated.get(kind))


def _draw_panel(ax: Axes, panel: MatrixPanel, class_names: Sequence[str], *, first: bool) -> Any:
    K = len(class_names)
    image = ax.imshow(panel.values, cmap=COLORMAP, vmin=0.0, vmax=1.0)
    ax.set_title(panel.title)
    ax.set_xlabel("true class")
    if first:
        ax.set_ylabel("noisy label")
    if K <= MAX_NAMES:
        names = [n if len(n) <= _LONGEST_NAME else n[: _LONGEST_NAME - 1] + "…" for n in class_names]
        size = 9.0 if K <= MAX_NUMBERS else 6.0
        ax.set_xticks(range(K), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
        ax.set_yticks(range(K), names if first else [""] * K, fontsize=size)
        for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
            label.set_parse_math(False)  # a $ in a class name is a $
    if panel.texts is not None:
        for j in range(K):
            for i in range(K):
                color = "white" if panel.light[j, i] else "black"
                ax.text(i, j, str(panel.texts[j, i]), ha="center", va="center", color=color, fontsize=8)
    return image


def _luminance(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Perceived brightness of each cell's colour, 0 to 1."""
    colors = np.asarray(mpl.colormaps[COLORMAP](np.clip(values, 0, 1)))
    brightness: npt.NDArray[np.float64] = colors[..., :3] @ np.array([0.299, 0.587, 0.114])
    return brightness

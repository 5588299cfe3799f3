"""A noise matrix, or several side by side: cells with numbers for few classes, pixels for many."""

from __future__ import annotations

import base64
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from noiselayer.noise.matrices import check
from noiselayer.report.pictures import PALETTE, STYLE, inline_svg, save_figure
from noiselayer.report.wording import clip, in_prose, percent

Floats = npt.NDArray[np.float64]

MAX_CELLS = 40
"""Classes up to which every cell is drawn and listed on its own."""
MAX_NUMBERS = 20
MAX_NAMES = 60
MAX_SIDE = 250  # pixels of the image of a large matrix, a side
_SIDE = 500  # points of the picture of a large matrix, a side


def draw_noise_matrices(matrices: Mapping[str, Floats], class_names: Sequence[str]) -> Figure:
    """Draw noise matrices side by side: the diagonal in one colour from 0 to 1, the rest in another.

    The other colour is strongest at the largest entry off all diagonals. With more than 40 classes a pixel is a
    pair of classes, or a square of classes beyond 250 a side, see :func:`pool`; colours then follow the square root,
    so that small shares can be seen.

    Args:
        matrices: Title -> noise matrix, shape (K, K), row = noisy label, column = true class, columns sum to 1.
        class_names: The K names.

    Raises:
        ValueError: If there is no matrix, or names and matrices differ in their number of classes.

    >>> len(draw_noise_matrices({"learned": np.eye(2)}, ["cat", "dog"]).axes)
    1
    """
    if not matrices:
        raise ValueError("matrices must hold at least one matrix; got none.")
    K = len(class_names)
    for title, matrix in matrices.items():
        if len(matrix) != K:
            raise ValueError(
                f"class_names has {K} names, but the matrix {title!r} has {len(matrix)} classes."
            )
    names = [clip(name, 18) for name in class_names] if K <= MAX_NAMES else []
    size = 12 if K <= MAX_CELLS else 6
    side = K * (36 if K <= 12 else 28 if K <= MAX_NUMBERS else 18) if K <= MAX_CELLS else _SIDE
    room = 8 + size * 0.6 * max(map(_columns, names), default=0)
    slanted = round(0.72 * room)  # names of true classes stand above their columns, and lean to the right
    left, head = room + 22, 22 * any(matrices)
    top, bottom = head + 26 + slanted, 56
    largest = max(
        np.where(np.eye(len(matrix), dtype=bool), 0.0, matrix).max() for matrix in matrices.values()
    )
    width = max(left + len(matrices) * (side + slanted), left + 230)
    height = top + side + bottom
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72))
        for place, (title, matrix) in enumerate(matrices.items()):
            x = left + place * (side + slanted)
            ax = figure.add_axes((x / width, bottom / height, side / width, side / height))
            _draw_panel(ax, matrix, names, largest, first=place == 0, size=size)
            figure.text(x / width, 1 - 14 / height, title, fontsize=13)
            figure.text(x / width, 1 - (head + 14) / height, "true class →", color=PALETTE["soft"])
        figure.text(
            4 / width, bottom / height, "label given →", rotation=90, va="bottom", color=PALETTE["soft"]
        )
        keys = {
            "right labels, full colour: 100 %": "diagonal",
            f"wrong labels, full colour: {percent(largest)}": "off",
        }
        figure.legend(
            [Patch(facecolor=PALETTE[name]) for name in keys.values()],
            list(keys),
            loc="lower left",
            bbox_to_anchor=(left / width, 0),
            ncols=2 if width - left > 460 else 1,
            borderaxespad=0,
        )
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
    >>> "true class" in path.read_text()
    True
    """
    arrays = {title: check(Q).detach().cpu().double().numpy() for title, Q in matrices.items()}
    save_figure(draw_noise_matrices(arrays, class_names), path)


@dataclass(frozen=True)
class MatrixPicture:
    """A noise matrix as ``side`` cells a side, of ``bin`` classes each.

    ``values`` and ``errors`` are base64 of 16-bit little-endian integers by row: ten-thousandths, 65535 if unknown.
    """

    svg: Markup
    side: int
    bin: int
    values: str
    errors: str | None


def picture_matrix(
    noise_matrix: Floats, class_names: Sequence[str], standard_error: Floats | None = None
) -> MatrixPicture:
    """Draw a noise matrix for a page, where a pointer can read its cells; errors are shown with few classes only.

    >>> picture = picture_matrix(np.array([[0.9, 0.3], [0.1, 0.7]]), ["cat", "dog"])
    >>> picture.side, picture.bin, picture.svg.count("<title>true")
    (2, 1, 4)
    """
    K = len(noise_matrix)
    titles, about = [], "The strongest entries are listed below."
    if K <= MAX_CELLS:
        about = "The table below holds the same numbers."
        isolated = [in_prose(name) for name in class_names]
        for j, i in np.ndindex(K, K):
            error = math.nan if standard_error is None else standard_error[j, i]
            spread = f" ± {100 * error:.1f}" if math.isfinite(error) else ""
            titles.append(
                f"true {isolated[i]}, label {isolated[j]}: {percent(noise_matrix[j, i], 1)}{spread}"
            )
    else:
        standard_error = None
    svg = inline_svg(
        draw_noise_matrices({"": noise_matrix}, class_names),
        "matrix",
        title=f"Noise matrix of {K} classes",
        description=f"True classes from left to right, noisy labels from top to bottom. {about}",
        kind="matrix" if K <= MAX_CELLS else "matrix large",
        cell_titles=titles,
    )
    width = math.ceil(K / MAX_SIDE) if K > MAX_CELLS else 1
    pooled = pool(noise_matrix, width)
    errors = None if standard_error is None else _encode(standard_error)
    return MatrixPicture(svg, len(pooled), width, _encode(pooled), errors)


def pool(matrix: Floats, width: int) -> Floats:
    """The largest entry of every ``width`` x ``width`` square; on the diagonal, its smallest diagonal entry."""
    if width == 1:
        return matrix
    K = len(matrix)
    side = math.ceil(K / width)
    padded = np.zeros((side * width, side * width))
    padded[:K, :K] = matrix
    pooled: Floats = padded.reshape(side, width, side, width).max(axis=(1, 3))
    diagonal = np.ones(side * width)
    diagonal[:K] = matrix.diagonal()
    np.fill_diagonal(pooled, diagonal.reshape(side, width).min(axis=1))
    return pooled


def _draw_panel(
    ax: Axes, matrix: Floats, names: Sequence[str], largest: float, *, first: bool, size: int
) -> None:
    K = len(matrix)
    ax.set_axis_off() if not names else ax.spines[:].set_visible(False)
    if K <= MAX_CELLS:
        colours = _colours(matrix, largest)
        colours[..., 3] = 0.04 + 0.96 * colours[..., 3]
        # Strokes of the paper's colour part the cells; without clipping the page needs no rule for each.
        cells = ax.pcolormesh(colours, edgecolors=PALETTE["paper"], linewidth=1, clip_on=False)
        ax.set(xlim=(0, K), ylim=(K, 0))
        cells.set_gid("cells")
    else:
        pooled = pool(matrix, math.ceil(K / MAX_SIDE))
        colours = _colours(pooled, largest)
        colours[..., 3] = np.rint(63 * np.sqrt(colours[..., 3])) / 63  # few levels make a small file
        ax.imshow(colours, extent=(0, K, K, 0), interpolation="none", aspect="auto").set_gid("cells")
    if K <= MAX_NUMBERS:
        for j, i in np.argwhere(matrix >= 0.005).tolist():
            text = f"{100 * matrix[j, i]:.0f}"
            ax.text(i + 0.5, j + 0.5, text, ha="center", va="center_baseline", fontsize=11)
    if names:
        middles = np.arange(K) + 0.5
        slanted: Any = {"rotation": 45, "ha": "left", "va": "bottom", "rotation_mode": "anchor"}
        ax.xaxis.tick_top()
        ax.set_xticks(middles, names, **slanted)
        ax.set_yticks(middles, names if first else [""] * K)
        ax.tick_params(length=0, labelsize=size, labelcolor=PALETTE["ink"])
        for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
            label.set_parse_math(False)  # a $ in a class name is a $


def _colours(matrix: Floats, largest: float) -> Floats:
    """Red, green, blue and strength of every cell: colours lie over whatever paper there is."""
    K = len(matrix)
    on_diagonal = np.eye(K, dtype=bool)
    colours = np.empty((K, K, 4))
    colours[..., :3] = np.where(on_diagonal[..., None], to_rgb(PALETTE["diagonal"]), to_rgb(PALETTE["off"]))
    colours[..., 3] = np.where(on_diagonal, matrix, matrix / max(largest, 1e-12)).clip(0, 1)
    return colours


def _columns(name: str) -> int:
    """How wide a name is, in ordinary letters."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name)


def _encode(values: Floats) -> str:
    known = np.where(np.isfinite(values), np.rint(np.clip(np.nan_to_num(values), 0, 6.5) * 10_000), 65535)
    return base64.b64encode(known.astype("<u2").tobytes()).decode()

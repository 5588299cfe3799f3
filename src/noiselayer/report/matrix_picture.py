"""A noise matrix on a page: cells with numbers for few classes, an image of pixels for many."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape
from PIL import Image

from noiselayer.report.wording import clip, in_prose, percent

__all__ = ["MAX_CELLS", "MatrixPicture", "picture_matrix", "pool"]

MAX_CELLS = 40
"""Classes up to which every cell is drawn and listed on its own."""
MAX_NUMBERS = 20
MAX_SIDE = 250  # pixels of the image of a large matrix, a side
_DIAGONAL = (66, 133, 200)
_OFF = (214, 104, 12)
_NAME = 18
_CHARACTER = 6.4  # pixels of an ordinary letter of 12 pixels' height


@dataclass(frozen=True)
class MatrixPicture:
    """How a noise matrix is shown.

    Attributes:
        svg: The picture, for few classes; None for many.
        image: A data URI of the picture, for many classes; None for few.
        side: Cells a side of the picture.
        bin: Classes that share a row or a column of the picture; 1 for few.
        largest: The entry off the diagonal that has the strongest colour.
        values: Ten-thousandths of every cell, row by row, as base64 of 16-bit little-endian integers.
        errors: The same of the standard errors; None if there are none. 65535 stands for "unknown".
    """

    svg: Markup | None
    image: str | None
    side: int
    bin: int
    largest: float
    values: str
    errors: str | None


def picture_matrix(
    noise_matrix: npt.NDArray[np.float64],
    class_names: Sequence[str],
    standard_error: npt.NDArray[np.float64] | None = None,
) -> MatrixPicture:
    """Draw a noise matrix: the diagonal in one colour from 0 to 1, the rest in another, to its largest entry.

    Args:
        noise_matrix: Shape (K, K), row = noisy label, column = true class, columns sum to 1.
        class_names: The K names.
        standard_error: Of its entries, shape (K, K); shown with few classes only.

    >>> picture = picture_matrix(np.array([[0.9, 0.3], [0.1, 0.7]]), ["cat", "dog"])
    >>> picture.side, picture.bin, picture.largest
    (2, 1, 0.3)
    """
    K = len(noise_matrix)
    largest = float(np.where(np.eye(K, dtype=bool), 0.0, noise_matrix).max())
    if K <= MAX_CELLS:
        svg = _cells(noise_matrix, class_names, largest, standard_error)
        errors = None if standard_error is None else _encode(standard_error)
        return MatrixPicture(svg, None, K, 1, largest, _encode(noise_matrix), errors)
    width = math.ceil(K / MAX_SIDE)
    pooled = pool(noise_matrix, width)
    return MatrixPicture(None, _pixels(pooled, largest), len(pooled), width, largest, _encode(pooled), None)


def pool(matrix: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    """The largest entry of every square of ``width`` x ``width`` entries; the diagonal is kept apart.

    A square on the diagonal shows its smallest diagonal entry: the class of which fewest labels are right.

    >>> pool(np.array([[0.9, 0.0, 0.2], [0.0, 0.6, 0.0], [0.1, 0.4, 0.8]]), 2)
    array([[0.6, 0.2],
           [0.4, 0.8]])
    """
    if width == 1:
        return matrix
    K = len(matrix)
    side = math.ceil(K / width)
    padded = np.zeros((side * width, side * width))
    padded[:K, :K] = matrix
    pooled: npt.NDArray[np.float64] = padded.reshape(side, width, side, width).max(axis=(1, 3))
    diagonal = np.ones(side * width)
    diagonal[:K] = matrix.diagonal()
    np.fill_diagonal(pooled, diagonal.reshape(side, width).min(axis=1))
    return pooled


def _encode(values: npt.NDArray[np.float64]) -> str:
    known = np.where(np.isfinite(values), np.rint(np.clip(np.nan_to_num(values), 0, 6.5) * 10_000), 65535)
    return base64.b64encode(known.astype("<u2").tobytes()).decode()


def _pixels(matrix: npt.NDArray[np.float64], largest: float) -> str:
    """One pixel an entry; colours lie over whatever paper there is, so that they suit light and dark pages."""
    side = len(matrix)
    on_diagonal = np.eye(side, dtype=bool)
    # The square root lets small entries be seen: most of a large matrix is small.
    strength = np.sqrt(np.where(on_diagonal, matrix, matrix / max(largest, 1e-12)).clip(0, 1))
    level = np.rint(strength * 63).astype(np.uint8)
    image = Image.new("P", (side, side))
    image.frombytes(np.where(on_diagonal, level + 64, level).astype(np.uint8).tobytes())
    image.putpalette([part for color in (_OFF, _DIAGONAL) for _ in range(64) for part in color])
    file = io.BytesIO()
    alphas = bytes(round(255 * step / 63) for _ in range(2) for step in range(64))
    image.save(file, format="png", transparency=alphas, optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _cells(
    Q: npt.NDArray[np.float64],
    names: Sequence[str],
    largest: float,
    error: npt.NDArray[np.float64] | None,
) -> Markup:
    K = len(Q)
    cell = 36 if K <= 12 else 28 if K <= MAX_NUMBERS else 18
    shown = [clip(name, _NAME) for name in names]
    isolated = [escape(in_prose(name)) for name in names]
    room = 14 + round(_CHARACTER * max(len(name) for name in shown))
    top = 30 + round(0.72 * room)
    left = room + 22
    width, height = left + K * cell + round(0.72 * room), top + K * cell + 6
    parts = [
        f'<svg class="matrix" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-labelledby="matrix-title matrix-desc" data-left="{left}" data-top="{top}" data-cell="{cell}">'
        '<title id="matrix-title">Noise matrix</title>'
        '<desc id="matrix-desc">A square for every true class (column) and noisy label (row); the table below '
        "holds the same numbers.</desc>"
        f'<text class="axis" x="{left}" y="14">true class →</text>'
        f'<text class="axis" transform="translate(12 {top + K * cell}) rotate(-90)">label given →</text>'
    ]
    for k, name in enumerate(shown):
        middle = k * cell + cell / 2
        parts.append(
            f'<text class="name" transform="translate({left + middle + 3:g} {top - 8}) rotate(-45)">'
            f"{escape(name)}</text>"
            f'<text class="name end" x="{left - 8}" y="{top + middle + 4:g}">{escape(name)}</text>'
        )
    for j in range(K):
        for i in range(K):
            value = float(Q[j, i])
            strength = value if i == j else value / max(largest, 1e-12)
            spread = "" if error is None or not np.isfinite(error[j, i]) else f" ± {100 * error[j, i]:.1f}"
            parts.append(
                f'<rect class="{"diagonal" if i == j else "off"}" x="{left + i * cell}" y="{top + j * cell}" '
                f'width="{cell - 1}" height="{cell - 1}" fill-opacity="{0.04 + 0.96 * strength:.3f}">'
                f"<title>true {isolated[i]}, label {isolated[j]}: {percent(value, 1)}{spread}</title>"
                "</rect>"
            )
            if K <= MAX_NUMBERS and value >= 0.005:
                parts.append(
                    f'<text class="value" x="{left + i * cell + (cell - 1) / 2:g}" '
                    f'y="{top + j * cell + cell / 2 + 4:g}">{100 * value:.0f}</text>'
                )
    parts.append("</svg>")
    return Markup("".join(parts))

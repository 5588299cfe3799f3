"""What the pictures of a noise matrix show, and that they can be written."""

from pathlib import Path

import matplotlib as mpl
import pytest
import torch

from noiselayer.noise import random, symmetric
from noiselayer.report import draw_noise_matrices, matrix_panel, save_noise_matrices

NAMES = ["cat", "dog", "bird"]


def test_cells_stand_where_the_matrix_has_them(skewed: torch.Tensor) -> None:
    figure = draw_noise_matrices([matrix_panel("learned", skewed)], NAMES)
    ax = figure.axes[0]
    cells = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in ax.texts}
    # x is the true class and y the noisy label: three in ten of class 0 carry label 1.
    assert cells[0, 1] == "30"
    assert cells[1, 0] == ""
    assert cells[2, 0] == "40"
    assert ax.get_xlabel() == "true class"
    assert ax.get_ylabel() == "noisy label"
    assert [label.get_text() for label in ax.get_xticklabels()] == NAMES


def test_texts_stand_out_from_their_cells() -> None:
    panel = matrix_panel("q", random(20, 0.6, generator=torch.Generator().manual_seed(0)))
    for value, light in zip(panel.values.flat, panel.light.flat, strict=True):
        red, green, blue, _ = mpl.colormaps["cividis"](value)
        linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in (red, green, blue)]
        cell = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        contrast = 1.05 / (cell + 0.05) if light else (cell + 0.05) / 0.05
        assert contrast > 4.5  # what WCAG asks of small text


def test_two_panels_share_one_scale() -> None:
    figure = draw_noise_matrices(
        [matrix_panel("true", symmetric(3, 0.3)), matrix_panel("learned", symmetric(3, 0.1))], NAMES
    )
    left, right, bar = figure.axes
    assert (left.get_title(), right.get_title()) == ("true", "learned")
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0.0, 1.0)
    assert "true class" in bar.get_ylabel()


@pytest.mark.parametrize(
    ("K", "numbers", "names"), [(20, True, True), (21, False, True), (100, False, False)]
)
def test_many_classes_go_without_numbers_and_names(K: int, numbers: bool, names: bool) -> None:
    figure = draw_noise_matrices([matrix_panel("q", symmetric(K, 0.2))], [f"class {k}" for k in range(K)])
    shown = {label.get_text() for label in figure.axes[0].get_xticklabels()}
    assert bool(figure.axes[0].texts) == numbers
    assert ("class 7" in shown) == names


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_matrix_gives_the_same_bytes(tmp_path: Path, ending: str, skewed: torch.Tensor) -> None:
    # Names that matplotlib would read as formulas, and characters its font lacks.
    names = ["$x_", "10^3 $", "猫"]
    for file in ("a", "b"):
        save_noise_matrices(tmp_path / f"{file}.{ending}", {"learned": skewed}, names)
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    assert ending == "png" or "$x_" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_wrong_matrices_and_names_are_refused(tmp_path: Path, skewed: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="columns must sum to 1"):
        save_noise_matrices(tmp_path / "q.png", {"learned": skewed.T}, NAMES)
    with pytest.raises(ValueError, match="class_names has 2 names, but the matrix 'learned' has 3 classes"):
        save_noise_matrices(tmp_path / "q.png", {"learned": skewed}, NAMES[:2])
    assert not list(tmp_path.iterdir())

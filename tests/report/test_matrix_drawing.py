"""What the picture of a noise matrix shows, and that it can be written."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from noiselayer.noise import random, symmetric
from noiselayer.report.matrix_drawing import draw_noise_matrices, save_noise_matrices
from noiselayer.report.pictures import PALETTE

NAMES = ["cat", "dog", "bird"]


def test_cells_stand_where_the_matrix_has_them(skewed: torch.Tensor) -> None:
    figure = draw_noise_matrices({"learned": skewed.numpy()}, NAMES)
    (ax,) = figure.axes
    cells = {(int(t.get_position()[0]), int(t.get_position()[1])): t.get_text() for t in ax.texts}
    # x is the true class and y the noisy label: three in ten of class 0 carry label 1.
    assert cells[0, 1] == "30"
    assert (1, 0) not in cells
    assert cells[2, 0] == "40"
    assert ax.yaxis_inverted()
    assert [label.get_text() for label in ax.get_xticklabels()] == NAMES
    assert [label.get_text() for label in ax.get_yticklabels()] == NAMES
    assert {"learned", "true class →", "label given →"} <= {text.get_text() for text in figure.texts}
    (mesh,) = ax.collections
    strength = mesh.get_array()[..., 3]
    Q = skewed.numpy()
    largest = Q[~np.eye(3, dtype=bool)].max()
    expected = 0.04 + 0.96 * np.where(np.eye(3, dtype=bool), Q, Q / largest)
    np.testing.assert_allclose(strength, expected, atol=1e-6)


def test_two_panels_share_one_scale() -> None:
    matrices = {"true": symmetric(3, 0.3).numpy(), "learned": symmetric(3, 0.1).numpy()}
    figure = draw_noise_matrices(matrices, NAMES)
    left, right = (ax.collections[0].get_array()[..., 3] for ax in figure.axes)
    assert left[0, 1] == pytest.approx(1.0)
    assert right[0, 1] == pytest.approx(0.04 + 0.96 / 3)
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "right labels, full colour: 100 %",
        "wrong labels, full colour: 15 %",
    ]
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == [""] * 3


@pytest.mark.parametrize(
    ("K", "numbers", "names"), [(20, True, True), (21, False, True), (60, False, True), (100, False, False)]
)
def test_many_classes_go_without_numbers_and_names(K: int, numbers: bool, names: bool) -> None:
    figure = draw_noise_matrices({"q": symmetric(K, 0.2).numpy()}, [f"class {k}" for k in range(K)])
    shown = {label.get_text() for label in figure.axes[0].get_xticklabels()}
    assert bool(figure.axes[0].texts) == numbers
    assert ("class 7" in shown) == names


def test_names_of_any_length_and_script_stay_in_the_picture() -> None:
    names = ["x" * 1_000, "猫" * 30, "🐶 & <b>", "$x_1$ 10^3 $", "\ufffe", ""]
    figure = draw_noise_matrices({"q": symmetric(6, 0.2).numpy()}, names)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown[0] == "x" * 17 + "…"
    assert shown[2:] == ["🐶 & <b>", "$x_1$ 10^3 $", "\ufffd", "(empty)"]
    with pytest.warns(UserWarning, match="[Gg]lyph"):
        figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert min(box.x0 for box in boxes) > 0


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_matrix_gives_the_same_bytes(tmp_path: Path, ending: str, skewed: torch.Tensor) -> None:
    # Names that matplotlib would read as formulas, and characters its font lacks.
    names = ["$x_", "10^3 $", "猫"]
    for file in ("a", "b"):
        save_noise_matrices(tmp_path / f"{file}.{ending}", {"learned": skewed}, names)
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    if ending == "svg":
        text = (tmp_path / "a.svg").read_text(encoding="utf-8")
        assert "$x_" in text
        assert "<dc:date>" not in text
        assert {PALETTE["diagonal"], PALETTE["off"]} <= set(re.findall(r"#[0-9a-f]{6}", text))


def test_every_picture_is_of_one_drawing(tmp_path: Path) -> None:
    Q = random(5, 0.6, generator=torch.Generator().manual_seed(0)).double()
    from noiselayer.report.matrix_drawing import picture_matrix

    save_noise_matrices(tmp_path / "q.svg", {"": Q}, [f"c{k}" for k in range(5)])
    page = picture_matrix(Q.numpy(), [f"c{k}" for k in range(5)]).svg
    opacity = r"fill-opacity[=:] ?\"?([\d.]+)"
    assert re.findall(opacity, (tmp_path / "q.svg").read_text()) == re.findall(opacity, page)


def test_wrong_matrices_and_names_are_refused(tmp_path: Path, skewed: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="columns must sum to 1"):
        save_noise_matrices(tmp_path / "q.png", {"learned": skewed.T}, NAMES)
    with pytest.raises(ValueError, match="class_names has 2 names, but the matrix 'learned' has 3 classes"):
        save_noise_matrices(tmp_path / "q.png", {"learned": skewed}, NAMES[:2])
    assert not list(tmp_path.iterdir())

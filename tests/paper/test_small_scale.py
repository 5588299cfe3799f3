"""Every experiment runs without any data set, and leaves what its page is made of."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from noiselayer.paper import EXPERIMENTS, load_experiment
from noiselayer.paper.experiment import Row

NAMES = [name for name in EXPERIMENTS if name != "later"]


@pytest.mark.parametrize("name", NAMES)
def test_a_row_for_every_cell(name: str, rows: dict[str, list[Row]]) -> None:
    cells = load_experiment(name).cells("small", range(1))
    of_rows = [(row["settings"], row["method"], row["seed"]) for row in rows[name]]
    assert of_rows == [(cell.settings, cell.method, cell.seed) for cell in cells]
    for row in rows[name]:
        assert row["experiment"] == name
        assert row["dataset"] == "digits"  # never the name of what it stands in for
        assert 0 <= row["test_error"] <= 100
        assert row["seconds"] > 0
        assert {"torch", "noiselayer", "python"} <= row["versions"].keys()
        assert row["noise_matrix_error"] is None or row["noise_matrix_error"] >= 0
        if row["method"] == "true":
            assert row["noise_matrix_error"] < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_a_table_with_our_figures(name: str, results: Path, rows: dict[str, list[Row]]) -> None:
    text = (results / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"The paper: {load_experiment(name).paper}\n")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    if name != "fig4c":
        for row in rows[name]:
            assert f" {row['test_error']:.1f} |" in text


@pytest.mark.parametrize("name", [n for n in NAMES if load_experiment(n).figure])
def test_a_figure_in_two_forms(name: str, results: Path) -> None:
    with Image.open(results / f"{name}.png") as picture:
        assert min(picture.size) > 300
        assert len(picture.convert("L").getcolors(256)) > 5
    assert ElementTree.parse(results / f"{name}.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize(("name", "owner"), [("fig4c", "table1"), ("fig7", "table2")])
def test_two_experiments_share_their_trainings(
    name: str, owner: str, results: Path, rows: dict[str, list[Row]]
) -> None:
    assert not (results / "cells" / name).exists()
    shared = [row for row in rows[name] if {**row, "experiment": owner} in rows[owner]]
    assert len(shared) >= 2


def test_what_is_wrong_with_the_extra_labels_is_told(results: Path) -> None:
    text = (results / "table2.md").read_text(encoding="utf-8")
    assert "50 % were given to images of none of them" in text

"""Every experiment runs without any data set, and leaves what its page is made of."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from noiselayer.paper import EXPERIMENTS, load_experiment
from noiselayer.paper.experiment import Cell, Row

NAMES = [name for name in EXPERIMENTS if name != "later"]


@pytest.mark.parametrize("name", NAMES)
def test_a_row_for_every_cell(
    name: str, grids: dict[str, list[Cell]], results: Path, rows: dict[str, list[Row]]
) -> None:
    of_rows = [(row["settings"], row["method"], row["seed"]) for row in rows[name]]
    # Fig. 4c and Table 1 share trainings, and so do Fig. 7 and Table 2: a row may come from either's cell.
    cells = [(cell.settings, cell.method, cell.seed) for cell in grids[name]]
    assert [of for of in of_rows if of in cells] == cells
    owner = load_experiment(name).cells_of or name
    files = {path.stem for path in (results / "cells" / owner).glob("*.json")}
    grid = load_experiment(name).cells("small", range(1))
    assert len(of_rows) == len([cell for cell in grid if cell.name in files])
    for row in rows[name]:
        assert row["experiment"] == name
        assert row["dataset"] == "digits"  # never the name of what it stands in for
        assert 0 <= row["test_error"] <= 100
        assert row["seconds"] > 0
        assert {"torch", "noiselayer", "python"} <= row["versions"].keys()
        if row["noise_matrix_error"] is not None:
            assert 0 <= row["noise_matrix_error"] <= 2  # columns sum to 1: the farthest two are 2 apart
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
    name: str, owner: str, grids: dict[str, list[Cell]], results: Path, rows: dict[str, list[Row]]
) -> None:
    assert not (results / "cells" / name).exists()
    shared = [row for row in rows[name] if {**row, "experiment": owner} in rows[owner]]
    assert len(shared) >= min(2, len(grids[name]))


def test_what_is_wrong_with_the_extra_labels_is_told(results: Path) -> None:
    text = (results / "table2.md").read_text(encoding="utf-8")
    assert "50 % were given to images of none of them" in text

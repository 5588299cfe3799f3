"""Small experiments, run once: two or three cells of each, or, for the slow tests, every cell."""

import json
from pathlib import Path

import pytest

from noiselayer.paper import EXPERIMENTS, load_experiment, reproduce
from noiselayer.paper.experiment import Cell, Row

# "later" needs an interpreter with cleanlab.
EXPERIMENTS_HERE = [name for name in EXPERIMENTS if name != "later"]
# Quick ones: where the matrix is estimated, or learned by networks, a cell takes ten times as long.
FEW: dict[str, list[str]] = {
    "fig4a": ["size-400_rate-0.5_normal", "size-400_rate-0.5_true"],
    "fig4b": ["size-1300_rate-0.3_normal", "size-1300_rate-0.3_true"],
    "fig4c": ["size-800_rate-0.5_learned"],
    "fig5a": ["right-600_wrong-0_normal", "right-600_wrong-600_normal"],
    "fig5b": ["right-600_wrong-600_normal"],
    "table1": ["size-800_rate-0.5_true", "size-800_rate-0.5_learned"],
    "table2": [
        "clean-300_extra-loose_extra-size-600_weight-1.0_normal",
        "clean-300_extra-loose_extra-size-600_weight-0.2_normal",
        "clean-300_extra-random_extra-size-600_weight-0.2_normal",
    ],
    "fig7": [
        "clean-300_extra-loose_extra-size-600_weight-0.2_normal",
        "clean-300_extra-loose_extra-size-600_weight-1.0_normal",
    ],
    "table3": ["noisy-none_weight-1.0_normal", "noisy-web_weight-0.1_normal"],
    "gold_set": ["clean-100_noisy-1000_noisy-only", "clean-100_noisy-1000_plain-mixture"],
    "small_network": ["labels-worse_normal"],
}


@pytest.fixture(scope="session", params=["few cells", pytest.param("every cell", marks=pytest.mark.slow)])
def grids(request: pytest.FixtureRequest) -> dict[str, list[Cell]]:
    """The cells to run of each experiment but "later", which needs cleanlab."""
    of_all = {name: load_experiment(name).cells("small", range(1)) for name in EXPERIMENTS_HERE}
    if request.param == "every cell":
        return of_all
    names = {name: [f"dataset-digits_{cell}_seed-0" for cell in cells] for name, cells in FEW.items()}
    chosen = {name: [cell for cell in of_all[name] if cell.name in names[name]] for name in EXPERIMENTS_HERE}
    assert {name: len(cells) for name, cells in chosen.items()} == {n: len(c) for n, c in FEW.items()}
    return chosen


@pytest.fixture(scope="session")
def results(grids: dict[str, list[Cell]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that these cells leave."""
    out = tmp_path_factory.mktemp("reproduced")
    for name, cells in grids.items():
        reproduce(name, out, scale="small", cells=[cell.name for cell in cells])
    return out


@pytest.fixture(scope="session")
def rows(results: Path) -> dict[str, list[Row]]:
    return {name: json.loads((results / f"{name}.json").read_text()) for name in EXPERIMENTS_HERE}

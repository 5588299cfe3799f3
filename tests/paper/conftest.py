"""Small experiments, run once."""

from pathlib import Path

import pytest

from noiselayer.paper import EXPERIMENTS, reproduce
from noiselayer.paper.experiment import Row

# "later" needs an interpreter with cleanlab.
EXPERIMENTS_HERE = [name for name in EXPERIMENTS if name != "later"]
SHARED = {"fig4c": "table1", "fig7": "table2"}


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every experiment but "later", which needs cleanlab, leaves at the small scale."""
    out = tmp_path_factory.mktemp("reproduced")
    for name in EXPERIMENTS_HERE:
        reproduce(name, out, scale="small")
    return out


@pytest.fixture(scope="session")
def rows(results: Path) -> dict[str, list[Row]]:
    import json

    return {name: json.loads((results / f"{name}.json").read_text()) for name in EXPERIMENTS_HERE}

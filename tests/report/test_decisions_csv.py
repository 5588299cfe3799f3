"""What the page exports holds no formula for a spreadsheet, and comes back as it was."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import noiselayer.report
from noiselayer.files.whole_file import for_spreadsheet
from noiselayer.storage.review.decisions import read_decisions

NAMES = ["=1+1", "-1", "+cmd", "@a,b", "'=x", "'tis", "-x\ny", "cat"]


def test_names_that_begin_as_formulas_come_back(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    rows = [
        {"sample": n, "id": name, "given_label": name, "suggested_label": "cat", "error_probability": 0.5}
        | {"decision": "pick", "new_label": name}
        for n, name in enumerate(NAMES)
    ]
    script = (Path(noiselayer.report.__file__).parent / "web" / "export.js").read_text(encoding="utf-8")
    script += f"process.stdout.write(decisionsAsCsv({json.dumps(rows)}));"
    made = subprocess.run([node, "-e", script], capture_output=True, check=True).stdout
    (tmp_path / "decisions.csv").write_bytes(made)
    decisions = read_decisions(tmp_path / "decisions.csv")
    assert [one.new_label for one in decisions] == NAMES
    assert [one.id for one in decisions] == NAMES
    for name in NAMES:
        if name != "cat":
            assert (
                f",{for_spreadsheet(name)}," in made.decode()
                or f',"{for_spreadsheet(name)}",' in made.decode()
            )

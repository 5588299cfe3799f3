"""The documentation shows what the result files say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(not (ROOT / "experiments" / "results").exists(), reason="no results beside the package")
def test_tables_in_the_documentation_are_those_of_the_results():
    done = subprocess.run(
        [sys.executable, ROOT / "experiments" / "tables.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

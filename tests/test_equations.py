"""docs/equations.md names functions and tests that are there, and the functions are the equations' homes."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "equations.md"
ROWS = [
    (match[1], match[2], match[3])
    for match in re.finditer(
        r"^\| (.+?) \|.* `(noiselayer[\w.]+)` \| `(tests/[\w/.:]+)` \|$", PAGE.read_text(), re.M
    )
]


def test_every_row_names_a_function_and_a_test() -> None:
    table_rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "`" in line]
    assert len(ROWS) == len(table_rows) > 10
    assert {name for name, _, _ in ROWS} >= {f"Eq. {number}" for number in range(1, 8)}


@pytest.mark.parametrize(("name", "function", "test"), ROWS)
def test_they_exist(name: str, function: str, test: str) -> None:
    module, _, attribute = function.rpartition(".")
    documentation = getattr(import_module(module), attribute).__doc__
    if name.startswith("Eq."):
        assert name in documentation
    path, _, test_name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert test_name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

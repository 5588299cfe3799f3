"""The benchmarks' tables say what the results say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="needs the folder benchmarks of the repository")


def test_the_readme_shows_the_results_as_they_are() -> None:
    tables = module("tables")
    assert len(tables.found_results()[0]) > 2
    every = (FOLDER / "results" / "tables.md").read_text(encoding="utf-8")
    assert tables.all_tables(tables.found_results()[0]) == every, "run python benchmarks/tables.py"
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert tables.with_tables(text, *tables.found_results()) == text, "run python benchmarks/tables.py"


def test_a_table_has_the_spread_the_target_and_the_command() -> None:
    tables = module("tables")
    machine = {
        **{"processor": "Abacus", "cores": 2, "threads": 1, "torch": "2.4", "python": "3.10"},
        **{"noiselayer": "1", "load_average": [0.1, 0.2, 0.3]},
    }
    rows = [
        {
            "what": "a",
            "value": 1.234,
            "unit": "x",
            "low": 1.1,
            "high": 1.4,
            "repetitions": 5,
            "target": "at most 1.5",
        },
        {
            "what": "b",
            "value": 12345.6,
            "unit": "ms",
            "low": None,
            "high": None,
            "repetitions": 1,
            "target": None,
        },
    ]
    rows = [
        {**r, "met": met, "note": note} for r, met, note in zip(rows, (True, None), ("", "n"), strict=True)
    ]
    result = {"title": "T", "command": "python t.py", "date": "2030-01-01", "machine": machine, "rows": rows}
    text = tables.with_tables(f"head\n{tables.BEGIN}\nold\n{tables.END}\nfoot\n", [result])
    assert "old" not in text
    assert text.startswith("head\n")
    assert text.endswith("foot\n")
    assert "`python t.py`, 2030-01-01: Abacus, 2 cores, 1 thread," in text
    assert "| a | 1.23 x | 1.1 to 1.4 | 5 | at most 1.5 | met |" in text
    line = "| b (n) | 12,346 ms |  | 1 |  |  |"
    assert line not in text  # it has no target
    assert line in tables.all_tables([result])
    missed = {**result, "rows": [{**rows[0], "met": False}]}
    assert "**missed**" in tables.table(missed)


def test_a_benchmark_that_lacks_something_says_what() -> None:
    run = module("run")
    values = {"data": None, "cleanlab": "python-of-cleanlab", "results": "results"}
    assert run.commands("audit", values, quick=False) == "needs --data"
    assert (
        run.commands("audit_memory", {**values, "cleanlab": None}, quick=False) == "needs --cleanlab-python"
    )
    assert run.commands("audit", values, quick=True) == "has no quick form"
    ((_, script, *words),) = run.commands("audit_memory", values, quick=False)
    assert Path(script).exists()
    assert words == ["--cleanlab-python", "python-of-cleanlab", "--out", "results"]
    for name in run.HAVE_QUICK:
        ((_, script, *_, option),) = run.commands(name, values, quick=True)
        assert "--quick" in Path(script).read_text(encoding="utf-8")
        assert option == "--quick"

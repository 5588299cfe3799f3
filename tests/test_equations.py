"""docs/equations.md names functions and tests that are there, and training and estimation run these functions."""

import ast
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
import torch

from noiselayer.data import from_arrays
from noiselayer.estimation import estimate_from_predictions
from noiselayer.jobs.corrupt import corrupt_file
from noiselayer.jobs.corrupt_options import CorruptJob
from noiselayer.noise import symmetric
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

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


# What users call by themselves: nothing in the library has to.
ENTRY_POINTS = {"posterior", "inverse_conversion", "audit_labels", "accuracy_from_noisy_labels"}


def codes_run(calls: list[Callable[[], object]]) -> set[CodeType]:
    """The code of every Python function that is entered during the calls."""
    seen: set[CodeType] = set()

    def record(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(record)
    try:
        for call in calls:
            call()
    finally:
        sys.setprofile(before)
    return seen


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> set[CodeType]:
    """What tiny runs of training, of estimation and of the job that makes labels wrong go through."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    data = from_arrays(torch.randn(60, 4, generator=generator), labels)
    clean = from_arrays(torch.randn(30, 4, generator=generator), labels[:30])
    probs = torch.rand(60, 3, generator=generator).softmax(dim=1) / 2 + torch.eye(3)[labels] / 2
    folder = tmp_path_factory.mktemp("labels")
    (folder / "true.csv").write_text("label\na\nb\n")

    def fit(method: str, **arguments: Any) -> Callable[[], object]:
        options = default_options("vector", method=method, max_epochs=1, warm_up_epochs=1, batch_size=30)
        rates = replace(
            options.optimization, trace_penalty=0.01, noise_weight_decay=0.01, volume_penalty=0.01
        )
        options = replace(options, start="identity", model_options={"hidden": (4,)}, optimization=rates)
        return lambda: fit_classifier(data, options, **arguments)

    def estimate(method: str) -> Callable[[], object]:
        weight = 0.01 if method == "sparse" else None
        return lambda: estimate_from_predictions(
            probs[:30], labels[:30], probs, labels, method=method, sparsity=weight, num_bootstrap=2
        )

    return codes_run(
        [
            fit("learned"),
            fit("top-down"),
            fit("known", clean=clean, noise_matrix=symmetric(3, 0.2)),
            estimate("inverse"),
            estimate("sparse"),
            lambda: corrupt_file(CorruptJob(labels=str(folder / "true.csv"), out=folder / "noisy.csv")),
        ]
    )


@pytest.mark.parametrize("function", dict.fromkeys(function for _, function, _ in ROWS))
def test_it_is_what_runs(function: str, run: set[CodeType]) -> None:
    module, _, attribute = function.rpartition(".")
    home = getattr(import_module(module), attribute)
    code = inspect.unwrap(home.forward if isinstance(home, type) else home).__code__
    # Both ways: an entry point that the library comes to call leaves the list.
    assert (code in run) is (attribute not in ENTRY_POINTS)

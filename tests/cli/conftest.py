"""Small data in every form, and the program in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from noiselayer.cli.app import app

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program; options that keep it short and on the CPU are added to ``train``."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        if words[0] == "train":
            words += ["--accelerator", "cpu"]
        return CliRunner().invoke(app, words)

    return run


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """90 points around 3 centres, one in ten mislabelled; ``y_true`` holds the truth."""
    generator = np.random.default_rng(0)
    true = np.arange(90) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[true] + generator.normal(size=(90, 2))
    noisy = np.where(generator.random(90) < 0.1, (true + 1) % 3, true)
    np.savez(tmp_path / "data.npz", x=x, y=noisy, y_true=true, class_names=["cat", "dog", "bird"])
    return tmp_path / "data.npz"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"age": generator.normal(40, 10, 40).round(1), "code": ["01", "02"] * 20})
    frame["label"] = np.where(frame["age"] > 40, "old", "young")
    frame.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"

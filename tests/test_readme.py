"""The README's code runs as it stands, one block after the other, and does what the text says."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from noiselayer.cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the Python blocks leave behind."""
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    for number, block in enumerate(blocks("python"), start=1):
        exec(compile(block, f"README.md, Python block {number}", "exec"), found)
    return found


def error(predicted: Any, truth: torch.Tensor) -> float:
    return float((torch.as_tensor(predicted) != truth).double().mean())


def test_there_are_blocks_to_run() -> None:
    assert len(blocks("python")) == 3
    assert len(blocks("sh")) == 2


def test_three_lines_of_a_training_loop(names: dict[str, Any]) -> None:
    wrong_labels = error(names["labels"], names["truth"])
    assert wrong_labels > 0.35
    assert error(names["predicted"], names["truth"]) < 0.1
    columns = names["layer"].noise_matrix.detach()
    torch.testing.assert_close(columns.sum(dim=0), torch.ones(3))
    # It moved from 0.15 towards the truth, where label 1 stands for class 0 often and for class 2 never.
    assert columns[1, 0] > 0.15 > columns[1, 2]


def test_the_lines_that_were_there_before_do_worse(names: dict[str, Any]) -> None:
    before = blocks("python")[0]
    for new, old in re.findall(r"= ((?:layer\.loss|\[\{).*?)  # was: (.*)$", before, flags=re.M):
        before = before.replace(new, old)
    before = before.replace("cross_entropy", "nn.functional.cross_entropy")
    assert "layer.loss" not in before
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    exec(compile(before, "README.md, before", "exec"), found)
    assert torch.equal(found["labels"], names["labels"])
    usual = error(found["predicted"], names["truth"])
    assert usual > 2 * error(names["predicted"], names["truth"])


def test_the_classifier_and_its_suspects(names: dict[str, Any]) -> None:
    classifier, truth = names["classifier"], names["truth"]
    assert error(classifier.predict(names["points"]), truth) < 0.05
    assert np.abs(classifier.noise_matrix_ - [[0.6, 0, 0.4], [0.4, 0.6, 0], [0, 0.4, 0.6]]).max() < 0.15
    suspects = names["suspects"]
    assert len(suspects) == 20
    assert bool((names["labels"] != truth)[suspects].double().mean() >= 0.95)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (100 * labels[:, None, None, None] + generator.integers(0, 100, size=(60, 8, 8, 3))).astype(
        np.uint8
    )
    np.savez("photos.npz", images=images, label=labels)
    commands = [line for line in blocks("sh")[1].splitlines() if line]
    assert len(commands) == 2
    for line in commands:
        program, *words = shlex.split(line)
        assert program == "noiselayer"
        if words[0] == "train":
            words += [
                "--epochs",
                "2",
                "--warm-up-epochs",
                "1",
            ]  # the whole of it takes longer than a test may
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert json.loads(Path("run/metrics.json").read_text())["finished"]
    assert len(Path("predictions.csv").read_text().splitlines()) == 61


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    local = [link for link in links if not link.startswith("https://")]
    assert len(local) >= 5
    assert [link for link in local if not (ROOT / link).exists()] == []

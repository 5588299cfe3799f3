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
    assert len(blocks("sh")) == 3


def test_three_lines_of_a_training_loop(names: dict[str, Any]) -> None:
    wrong_labels = error(names["labels"], names["truth"])
    assert wrong_labels > 0.35
    assert error(names["predicted"], names["truth"]) < 0.1
    columns = names["layer"].noise_matrix.detach()
    torch.testing.assert_close(columns.sum(dim=0), torch.ones(3))
    # It moved from 0.25 towards the truth, where label 1 stands for class 0 often and for class 2 never.
    assert columns[1, 0] > 0.3 > 0.2 > columns[1, 2]


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
    truth = generator.integers(2, size=300)
    words = np.array([["invoice", "refund", "tax"], ["parcel", "door", "courier"]])
    texts = [" ".join([*generator.choice(words[c], size=4), str(n)]) for n, c in enumerate(truth)]
    by_model = np.where((truth == 1) & (generator.random(300) < 0.3), 0, truth)
    rows = [f"{text},{label}," for text, label in zip(texts, by_model, strict=True)]
    for at in range(100):
        rows[at] += str(truth[at])
    Path("texts.csv").write_text("text,llm,human\n" + "\n".join(rows))
    Path("new-texts.csv").write_text("text\n" + "\n".join(texts[:50]))
    commands = [line for line in blocks("sh")[2].splitlines() if line]
    assert len(commands) == 3
    for line in commands:
        program, *words_of_line = shlex.split(line)
        assert program == "noiselayer"
        done = CliRunner().invoke(app, words_of_line)
        assert done.exit_code == 0, done.output
    measured = json.loads(Path("measured/measure.json").read_text())
    right = measured["figures"]["accuracy"]
    assert right["low"] < (by_model == truth).mean() < right["high"]
    assert len(Path("measured/next.csv").read_text().splitlines()) > 100
    predicted = [int(line.split(",")[1]) for line in Path("predictions.csv").read_text().splitlines()[1:]]
    assert (np.array(predicted) == truth[:50]).mean() > 0.95


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    local = [link for link in links if not link.startswith("https://")]
    assert len(local) >= 5
    assert [link for link in local if not (ROOT / link).exists()] == []

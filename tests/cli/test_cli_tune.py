"""``noiselayer tune``: a search from files to a command, and what it refuses."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

Run = Callable[..., Result]
SHORT = (
    "--epochs",
    2,
    "--batch-size",
    16,
    "--model",
    "linear",
    "--validation-fraction",
    0.3,
    "--accelerator",
    "cpu",
)


def test_from_a_search_to_the_command_that_trains(run: Run, vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    data = vectors.rename(tmp_path / "my data.npz")
    arguments = ("tune", data, "--labels", "y", "--method", "top-down", *SHORT, "--out", out)
    result = run(*arguments, "--grid", "0.5,1,0.1", "--seed", 3)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "study.db", "trials.csv", "best.json", "curve.png", "curve.svg"),
    }
    table = pd.read_csv(out / "trials.csv")
    assert sorted(table["alpha"]) == [0.1, 0.5, 1.0]
    best = json.loads((out / "best.json").read_text())
    chosen = best["parameters"]["alpha"]["value"]
    smallest = table["objective"].min()
    assert chosen in set(table.loc[table["objective"] == smallest, "alpha"])
    assert best["sentence"] in result.stdout
    assert "alpha" in result.stdout
    assert "chosen" in result.stdout
    assert "Trial 2: alpha" in result.stderr
    command = best["train_command"]
    assert command in result.stdout
    words = shlex.split(command)
    assert words[:3] == ["noiselayer", "train", str(data)]
    assert words[-2:] == ["--alpha", repr(chosen)]
    assert words[words.index("--labels") + 1] == "y"
    assert "--grid" not in words
    trained = run(*words[1:])
    assert trained.exit_code == 0, trained.output
    options = json.loads((Path(f"{out}-best") / "config.json").read_text())["options"]
    tried = json.loads((out / "config.json").read_text())["options"]
    assert options == {**tried, "alpha": chosen}
    assert options["seed"] == 3

    again = run(*arguments, "--grid", "0.5,1,0.1", "--seed", 3, "--resume")
    assert again.exit_code == 0, again.output
    assert "Trial" not in again.stderr.replace("adds trials", "")
    assert len(pd.read_csv(out / "trials.csv")) == 3


def test_with_clean_samples(run: Run, vectors: Path, tmp_path: Path) -> None:
    import numpy as np

    with np.load(vectors) as arrays:
        np.savez(tmp_path / "clean.npz", x=arrays["x"][:45] + 0.01, y=arrays["y_true"][:45])
    result = run(
        *("tune", vectors, "--clean", tmp_path / "clean.npz", "--method", "normal", *SHORT, "--trials", 2),
        *("--search", "noisy-weight=0.1:0.9", "--storage", f"sqlite:///{tmp_path / 'shared.db'}"),
        *("--out", tmp_path / "tuned", "--objective", "loss", "--no-prune"),
    )
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "tuned" / "trials.csv")
    assert table["noisy-weight"].between(0.1, 0.9).all()
    assert len(table) == 2
    assert (table["objective"] == table["loss"]).all()
    assert (tmp_path / "shared.db").exists()
    assert not (tmp_path / "tuned" / "study.db").exists()
    assert "negative log-likelihood (nats) on held-out clean samples" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--search", "alfa=0:1"), ["'alfa' cannot be searched", "Did you mean 'alpha'?"]),
        (("--search", "alpha=1:0"), ["range of alpha is empty"]),
        (("--search", "alpha=0.1:1.5"), ["alpha must be a number between 0 and 1", "1.5"]),
        (("--search", "noisy-weight=-1:1"), ["--noisy-weight must be a number from 0 up", "-1"]),
        (("--search", "noisy-weight"), ["none to train on"]),
        (("--search", "alpha", "--alpha", 0.3), ["--alpha is both searched and given"]),
        (("--grid", "0.1,x"), ["--grid takes numbers", "'0.1,x'"]),
        (("--grid", "0.1,2"), ["alpha must be a number between 0 and 1"]),
        (("--clean-labels", "y_true"), ["--clean"]),
    ],
)
def test_refusals(
    run: Run, vectors: Path, tmp_path: Path, arguments: tuple[object, ...], words: list[str]
) -> None:
    result = run("tune", vectors, "--method", "top-down", *SHORT, "--out", tmp_path / "tuned", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.rpartition("Error: ")[1]
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data.npz"}


def test_a_folder_in_use_is_refused(run: Run, vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "notes.txt").write_text("mine")
    result = run("tune", vectors, "--method", "top-down", *SHORT, "--out", tmp_path / "tuned")
    assert result.exit_code == 2
    assert "is in use (it holds notes.txt)" in result.stderr
    assert [path.name for path in (tmp_path / "tuned").iterdir()] == ["notes.txt"]


def test_help_has_the_options_of_train(run: Run) -> None:
    shown = run("tune", "--help").stdout
    for option in (
        "--search",
        "--grid",
        "--clean",
        "--outside",
        "--label-column",
        "--method",
        "--warm-up-epochs",
    ):
        assert option in shown
    for option in ("--test", "--dry-run", "--nodes"):
        assert option + " " not in shown

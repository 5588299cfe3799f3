"""Nameless columns in the order of text, where classes are numbers from 10 up: said, with the order that mends it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from noiselayer.cli.app import app
from noiselayer.storage.matrix_file import read_noise_matrix

K, N = 12, 600
TEXT = ",".join(sorted(map(str, range(K))))


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], list[str]]:
    """The words of a command; a model that knows the truth, and labels of which a fifth are the next class."""
    draw = np.random.default_rng(0)
    true = np.arange(N) % K
    labels = [np.where(draw.random(N) < 0.2, (true + 1) % K, true) for _ in range(3)]
    probs = np.eye(K)[true] * 0.9 + 0.1 / K
    np.save(tmp_path / "text.npy", probs[:, [int(name) for name in TEXT.split(",")]])
    np.save(tmp_path / "size.npy", probs)
    np.save(tmp_path / "true.npy", true)
    np.save(tmp_path / "given.npy", labels[0])
    pd.DataFrame(dict(zip("abc", labels, strict=True))).to_csv(tmp_path / "votes.csv", index=False)

    def words(command: str, probs: str) -> list[str]:
        at = str(tmp_path)
        if command == "combine":
            return [
                "combine",
                f"{at}/votes.csv",
                "--label-columns",
                "a,b,c",
                "--probs",
                f"{at}/{probs}",
                "--out",
                f"{at}/o.csv",
            ]
        clean = ["--clean-probs", f"{at}/{probs}", "--clean-labels", f"{at}/true.npy"]
        noisy = ["--noisy-probs", f"{at}/{probs}", "--noisy-labels", f"{at}/given.npy", "--bootstrap", "0"]
        return ["estimate", *clean, *noisy, "--out", f"{at}/o"]

    return words  # type: ignore[return-value]


@pytest.mark.parametrize("command", ["combine", "estimate"])
def test_the_order_of_text_is_said_and_mended(
    command: str, files: Callable[..., list[str]], tmp_path: Path
) -> None:
    hint = f"predictions agree with far more labels with --class-names {TEXT}."
    said = CliRunner().invoke(app, files(command, "text.npy"))
    assert said.exit_code == 0, said.output
    assert hint in " ".join(said.stderr.split())
    for words in (files(command, "size.npy"), [*files(command, "text.npy"), "--class-names", TEXT]):
        result = CliRunner().invoke(app, [*words, "--force"])
        assert result.exit_code == 0, result.output
        assert "another order" not in result.stderr
    if command == "combine":
        combined = pd.read_csv(tmp_path / "o.csv")["label"].to_numpy()
        assert (combined == np.load(tmp_path / "true.npy")).mean() > 0.99
    else:
        matrix = read_noise_matrix(tmp_path / "o" / "noise_matrix.csv", TEXT.split(","))
        assert abs(float(matrix.diagonal().mean()) - 0.8) < 0.05


def test_words_without_an_order_are_asked_for(tmp_path: Path) -> None:
    names = np.array(["cat", "dog"])[np.arange(40) % 2]
    np.save(tmp_path / "l.npy", names)
    np.save(tmp_path / "p.npy", np.full((40, 2), 0.5))
    both = [
        f"--{side}-{kind}={tmp_path}/{kind[0]}.npy"
        for side in ("clean", "noisy")
        for kind in ("probs", "labels")
    ]
    result = CliRunner().invoke(app, ["estimate", *both, "--out", str(tmp_path / "o")])
    assert result.exit_code == 2
    assert "columns of" in result.stderr
    assert "have no names" in result.stderr
    assert "--class-names" in result.stderr

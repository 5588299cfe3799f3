"""One frame, written in every format: the same run and the same audit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from noiselayer.cli.app import app
from noiselayer.data.frames import TABLE_SUFFIXES, write_frame


def do(*words: object) -> None:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, (result.output, result.exception)


@pytest.mark.parametrize("words", [True, False], ids=["words", "numbers with gaps"])
def test_every_format_gives_the_same_run_and_audit(tmp_path: Path, words: bool) -> None:
    draw = np.random.default_rng(0)
    true = np.arange(60) % 3
    given = np.where(draw.random(60) < 0.2, (true + 1) % 3, true)
    frame = pd.DataFrame({"a": np.eye(3)[true, 0] + draw.normal(size=60).round(3), "b": true * 1.5})
    frame["code"] = np.array(["x", "y"])[true % 2]
    frame["label"] = np.array(["cat", "dog", "owl"])[given] if words else given.astype(float)
    frame.loc[[7, 30], "label"] = None
    names = ("cat", "dog", "owl") if words else ("0", "1", "2")
    probs = pd.DataFrame(np.eye(3)[true] * 0.7 + 0.1, columns=[f"p({name})" for name in names])
    probs.to_csv(tmp_path / "probs.csv", index=False)
    found = {}
    for suffix in TABLE_SUFFIXES:
        table, run, audit = (tmp_path / f"{kind}{suffix}" for kind in ("t", "run", "audit"))
        write_frame(frame, table, suffix)
        said = (table, "--label-column", "label", "--features", "a,b,code")
        do(
            "train",
            *said,
            "--method",
            "normal",
            "--model",
            "linear",
            "--epochs",
            2,
            "--accelerator",
            "cpu",
            "--out",
            run,
        )
        probs_of = ("--probs", tmp_path / "probs.csv", "--probs-predict", "true")
        do("audit", table, "--label-column", "label", *probs_of, "--out", audit)
        weights = load_file(run / "weights.safetensors")
        found[suffix] = (
            {name: value.tolist() for name, value in weights.items()},
            pd.read_parquet(audit / "labels.parquet"),
        )
    first_weights, first_labels = found[".csv"]
    assert len(first_labels) == 58
    assert set(first_labels["given_label"]) == set(names)
    for suffix, (weights, labels) in found.items():
        assert weights == first_weights, suffix
        pd.testing.assert_frame_equal(labels, first_labels)

"""Two processes with half of every batch each end as one process with the whole of it does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from noiselayer.errors import InputError
from noiselayer.storage.matrix_file import read_noise_matrix
from noiselayer.training.options import Hardware


def train(folder: Path, name: str, *options: object) -> Path:
    words = [str(word) for word in ("train", folder / "data.npz", "--out", folder / name, *options)]
    program = folder / "program.py"  # the second process is started as the first was: it needs a file
    program.write_text("from noiselayer.cli import main\n\nmain()\n")
    done = subprocess.run(
        [sys.executable, str(program), *words],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / name


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="gloo between processes is tested on Linux")
def test_two_processes_are_as_one(tmp_path: Path) -> None:
    """The two phases of §3.4, with an odd number of samples held out: Q, the switch, losses and weights."""
    generator = np.random.default_rng(0)
    true = np.arange(205) % 3
    x = np.array([[2.0, 0.0], [0.0, 2.0], [-1.5, -1.5]])[true] + generator.normal(size=(205, 2))
    noisy = np.where(generator.random(205) < 0.3, (true + 1) % 3, true)
    np.savez(tmp_path / "data.npz", x=x, y=noisy, class_names=["a", "b", "c"])
    options = [
        *("--labels", "y", "--method", "learned", "--start", "identity", "--model", "linear"),
        *("--epochs", 5, "--warm-up-epochs", 4, "--patience", 2, "--validation-fraction", 0.2),
        *("--noise-weight-decay", 0.03, "--noise-learning-rate", 0.05, "--learning-rate", 0.05),
        *("--accelerator", "cpu"),
    ]
    one = train(tmp_path, "one", *options, "--devices", 1, "--batch-size", 16)
    two = train(tmp_path, "two", *options, "--devices", 2, "--strategy", "ddp", "--batch-size", 8)
    Q = [read_noise_matrix(run / "noise_matrix.csv", ("a", "b", "c")) for run in (one, two)]
    assert float((Q[0] - torch.eye(3)).abs().max()) > 1e-3  # it has moved
    torch.testing.assert_close(Q[0], Q[1], rtol=0, atol=1e-5)
    stages = [metrics(run)["stages"][-1] for run in (one, two)]
    assert stages[0]["switched_at"] is not None
    for key in ("epochs", "best_epoch", "switched_at"):
        assert stages[0][key] == stages[1][key], key
    for key in ("best_validation_loss", "noise_floor", "wrong_labels"):
        assert metrics(one)[key] == pytest.approx(metrics(two)[key], abs=1e-5), key
    curves = [pd.read_csv(run / "curves.csv").drop(columns=["seconds"]) for run in (one, two)]
    pd.testing.assert_frame_equal(*curves, rtol=1e-4, atol=1e-5)
    weights = [load_file(run / "weights.safetensors") for run in (one, two)]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("fsdp", "cuts the parameters among processes.*Take 'ddp'"),
        ("deepspeed_stage_3", "cuts the parameters"),
        ("ddp_spawn", "keep what they have learned. Take 'ddp'"),
        ("ddp_fork", "Take 'ddp'"),
    ],
)
def test_strategies_that_would_be_silently_wrong_are_refused(strategy: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Hardware(strategy=strategy)

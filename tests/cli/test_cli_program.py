"""The program as a process: its help is light, and Ctrl-C leaves a run that can be used and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file
from typer.testing import CliRunner

import noiselayer
from noiselayer.cli._errors import as_options
from noiselayer.cli.app import app

HEAVY = {"torch", "numpy", "pandas", "sklearn", "matplotlib", "pytorch_lightning", "torchvision", "scipy"}


def help_of(*command: str) -> Result:
    return CliRunner().invoke(app, [*command, "--help"])


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, time; began = time.perf_counter(); sys.argv = ['noiselayer', '--help']\n"
        "from noiselayer.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "print(code, time.perf_counter() - began, *sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    status, seconds, *modules = done.stderr.splitlines()
    assert status == "0"
    assert HEAVY & {name.partition(".")[0] for name in modules} == set()
    assert "train" in done.stdout
    assert float(seconds) < 10  # the modules are the test; this only catches a hang


def test_every_command_is_listed_and_explains_itself() -> None:
    listed = help_of().stdout
    for command in ("train", "predict", "corrupt"):
        assert command in listed
        assert help_of(command).exit_code == 0
    assert noiselayer.__version__ in CliRunner().invoke(app, ["--version"]).stdout


@pytest.mark.parametrize(
    ("message", "spoken"),
    [
        ("name it with label_column. Its columns", "name it with --label-column. Its columns"),
        ("say image_column='file'.", "say --image-column 'file'."),
        ("its columns are 'image_size', 'label'", "its columns are 'image_size', 'label'"),
        ("/data/image_size.csv and my_label_column", "/data/image_size.csv and my_label_column"),
        ("out with feature_columns", "out with --features"),
    ],
)
def test_messages_speak_of_options(message: str, spoken: str) -> None:
    assert as_options(message) == spoken


def start(data: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    words = ["train", str(data), "--labels", "y", "--out", str(out), "--method", "normal", "--epochs", "60"]
    words += ["--batch-size", "32", "--accelerator", "cpu", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", "from noiselayer.cli import main; main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_and_resume(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=generator.normal(size=(600, 20)), y=np.arange(600) % 3)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    process = start(tmp_path / "data.npz", straight)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors

    process = start(tmp_path / "data.npz", stopped)
    deadline = time.monotonic() + 120
    while not (stopped / "stages" / "main" / "last.ckpt").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "can be used as it is; --resume goes on" in errors
    assert "Traceback" not in errors
    run = noiselayer.load_run(stopped)
    assert not run.metrics["finished"]
    assert 0 < run.metrics["epochs"] < 60
    assert run.predict(np.zeros((2, 20))).probs.shape == (2, 3)

    process = start(tmp_path / "data.npz", stopped, "--resume")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    weights = [load_file(folder / "weights.safetensors") for folder in (straight, stopped)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert json.loads((stopped / "metrics.json").read_text())["finished"]
    assert not (stopped / "stages").exists()

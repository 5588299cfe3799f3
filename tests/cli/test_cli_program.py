"""The program as a process: its help is light, and Ctrl-C leaves a run that can be used and resumed."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file
from typer.testing import CliRunner

import noiselayer
from noiselayer.choices import Logger
from noiselayer.cli._errors import options_of
from noiselayer.cli._job import with_options
from noiselayer.cli.app import app
from noiselayer.errors import InputError, argument, worded
from noiselayer.jobs.option import option
from noiselayer.jobs.train_options import TrainJob

HEAVY = {"torch", "numpy", "pandas", "sklearn", "matplotlib", "pytorch_lightning", "torchvision", "scipy"}


def help_of(*command: str) -> Result:
    return CliRunner().invoke(app, [*command, "--help"])


def test_the_package_runs_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["noiselayer", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("noiselayer", run_name="__main__")
    assert ended.value.code == 0
    assert noiselayer.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["train"]])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        f"import sys, time; began = time.perf_counter(); sys.argv = {['noiselayer', *command, '--help']!r}\n"
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


def test_messages_speak_of_a_commands_options() -> None:
    @dataclass
    class Job:
        image_column: str | None = option(None, "A column.")
        feature_columns: tuple[str, ...] | None = option(None, "Columns.", names=("--features",))
        fresh_network: bool = option(True, "Go on.")
        data: str = option("", "A file.", positional=True)

    def command(job: Job) -> None: ...

    command.__annotations__["job"] = Job
    options = options_of(with_options(command))
    message = (
        f"say {argument('image_column', 'file')} of {argument('data')} or {argument('fresh_network', False)}, "
        f"without {argument('feature_columns')} or {argument('start', 'identity')}: image_column, /data/file.csv"
    )
    assert worded(message, options) == (
        "say --image-column file of DATA or --no-fresh-network, without --features or start='identity': "
        "image_column, /data/file.csv"
    )
    assert str(InputError(message)) == (
        "say image_column='file' of data or fresh_network=False, without feature_columns or start='identity': "
        "image_column, /data/file.csv"
    )


def test_options_of_training_are_those_of_the_library() -> None:
    """What the library would not take is told apart from what it would: no option is dropped on the way."""
    from noiselayer.data.reading import Reading
    from noiselayer.training.noise_log import LOGGERS
    from noiselayer.training.options import Hardware, Optimization, TrainingOptions

    taken = {f.name for part in (Reading, TrainingOptions, Optimization, Hardware) for f in fields(part)}
    own = {"data", "clean", "clean_labels", "outside", "overlapping", "test", "test_labels", "noise_matrix"}
    own |= {"out", "resume", "dry_run", "keep_checkpoints", "from_scratch"}
    assert {field.name for field in fields(TrainJob)} - taken == own
    assert get_args(Logger) == LOGGERS


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


def test_a_closed_pipe_ends_the_program_in_silence() -> None:
    code = """
import os, typer
from noiselayer.cli._errors import reports_errors
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
try:
    reports_errors(lambda: print("x", flush=True))()
except typer.Exit as end:
    raise SystemExit(end.exit_code)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (141, "")

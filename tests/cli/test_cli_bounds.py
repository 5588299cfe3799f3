"""Numbers and words out of range end every command the same way: exit code 2, the option named, nothing written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result

Run = Callable[..., Result]
TRAIN = ("train", "data.npz", "--labels", "y", "--out", "out", "--model", "linear")
AUDIT = ("audit", "data.npz", "--labels", "y", "--out", "out", "--model", "linear")
TUNE = ("tune", "data.npz", "--labels", "y", "--out", "out", "--method", "top-down")
PREDICT = ("predict", "nowhere", "x.npy")
ESTIMATE = ("estimate", "--out", "q.csv")
SETS = (
    *("--clean-probs", "p.npy", "--clean-labels", "l.npy"),
    *("--noisy-probs", "p.npy", "--noisy-labels", "l.npy"),
)
BIG = "1" * 19


@pytest.fixture
def here(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data."""
    monkeypatch.chdir(vectors.parent)
    np.save("x.npy", np.zeros((2, 2)))
    np.save("l.npy", np.array([0, 1] * 4))
    np.save("p.npy", np.full((8, 2), 0.5))
    return vectors.parent


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--devices", "0"), "--devices must be auto, or a whole number from 1"),
        (("--devices", "-1"), "--devices must be auto, or a whole number from 1"),
        (("--devices", "a"), "--devices must be auto, or a whole number from 1"),
        (("--nodes", "0"), "--nodes must be a whole number of machines from 1 up; got 0"),
        (("--precision", "8"), "--precision must be one of 32-true"),
        (("--strategy", "zzz"), "--strategy must be auto or ddp; got 'zzz'"),
        (("--learning-rate", "1e308"), "--learning-rate must be at most 1,000,000; got 1e+308"),
        (("--learning-rate", "nan"), "--learning-rate must be a number from 0 up; got nan"),
        (("--learning-rate", "-1"), "--learning-rate must be a number from 0 up; got -1"),
        (("--seed", "-1"), "--seed"),
        (("--seed", BIG), "--seed"),
        (("--batch-size", "0"), "--batch-size must be at least 1; got 0"),
        (("--epochs", "0"), "--epochs must be at least 1; got 0"),
        (("--epochs", "2147483648"), "--epochs must be at most 1,000,000; got 2147483648"),
        (("--workers", "-1"), "--workers"),
        (("--out", "/proc/x"), "cannot write to the output folder /proc/x"),
        (("--out", "x" * 300), "File name too long"),
    ],
)
def test_train_and_its_dry_run_refuse_alike(
    run: Run, here: Path, words: tuple[str, ...], message: str, dry: tuple[str, ...]
) -> None:
    _refused(run, here, (*TRAIN, *words, *dry), message)


NO_GPU = (
    "--accelerator gpu: this machine has no GPU that torch can use. Take --accelerator cpu, or leave it out"
)


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (AUDIT, ("--accelerator", "gpu"), NO_GPU),
        (TUNE, ("--accelerator", "gpu"), NO_GPU),
        (PREDICT, ("--accelerator", "gpu"), NO_GPU),
        (
            PREDICT,
            ("--accelerator", "zzz"),
            "--accelerator must be one of auto, cpu, gpu, cuda, mps, tpu; got 'zzz'",
        ),
        (("reproduce", "table1", "--scale", "small"), ("--accelerator", "gpu"), NO_GPU),
        (("reproduce", "table1", "--scale", "small"), ("--precision", "8"), "--precision must be one of"),
        (("reproduce", "table1", "--scale", "small"), ("--seeds", BIG), "--seeds"),
        (("reproduce", "table1", "--scale", "small"), ("--epochs", BIG), "--epochs"),
        (AUDIT, ("--devices", "0"), "--devices must be auto"),
        (AUDIT, ("--precision", "8"), "--precision must be one of"),
        (AUDIT, ("--folds", "91"), "--folds must be at most 90, the number of samples; got 91"),
        (AUDIT, ("--folds", "1"), "--folds must be at least 2"),
        (AUDIT, ("--epochs", "0"), "--epochs must be at least 1; got 0"),
        (AUDIT, ("--epochs", "2147483648"), "--epochs must be at most 1,000,000"),
        (AUDIT, ("--learning-rate", "1e308"), "--learning-rate must be at most 1,000,000"),
        (AUDIT, ("--seed", "-1"), "--seed"),
        (TUNE, ("--epochs", "0"), "--epochs must be at least 1; got 0"),
        (TUNE, ("--trials", BIG), "--trials must be from 0 to 1,000,000"),
        ((*ESTIMATE, *SETS), ("--bootstrap", BIG), "--bootstrap"),
        ((*ESTIMATE, *SETS), ("--seed", "-1"), "--seed"),
        (
            (*ESTIMATE, "--true-labels", "l.npy", "--given-labels", "l.npy"),
            ("--prior-strength", "inf"),
            "--prior-strength is a number of imagined samples, finite and at least 0; got inf",
        ),
        (("corrupt", "l.npy", "--out", "o.npy", "--noise", "symmetric"), ("--seed", "-1"), "--seed"),
    ],
)
def test_other_commands(
    run: Run, here: Path, command: tuple[str, ...], words: tuple[str, ...], message: str
) -> None:
    _refused(run, here, (*command, *words), message)


def _refused(run: Run, here: Path, words: tuple[str, ...], message: str) -> None:
    if message == NO_GPU and (torch.cuda.is_available() or torch.backends.mps.is_available()):
        pytest.skip("this machine has a GPU")
    before = sorted(path.name for path in here.iterdir())
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert sorted(path.name for path in here.iterdir()) == before

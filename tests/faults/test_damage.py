"""Full disks, damaged, foreign and hostile files: a clear error, and the last good state intact."""

import errno
import json
import pickle
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import noiselayer
from noiselayer.cli.app import app
from noiselayer.data import from_arrays
from noiselayer.errors import InputError
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

SHORT = ("--labels", "y", "--method", "normal", "--epochs", 3, "--batch-size", 16, "--accelerator", "cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    true = np.arange(60) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[true] + generator.normal(size=(60, 2))
    np.savez(tmp_path / "data.npz", x=x, y=true, other=(true + 1) % 3)
    return tmp_path / "data.npz"


def train(data: Path, out: Path, *more: object) -> Any:
    words = ["train", data, *SHORT, "--out", out, *more]
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Any, *words: str) -> None:
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stderr.count("Error: ") == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in " ".join(result.stderr.split()), result.stderr


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, ending: str, after: int = 0) -> Iterator[None]:
    """The disk is full when a file of that ending is put in its place, after so many that still fitted."""
    count, replace = 0, Path.replace

    def fail(self: Path, target: Any) -> Any:
        nonlocal count
        if str(target).endswith(ending):
            count += 1
            if count > after:
                raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        yield


def stop_after(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path, epochs: int) -> None:
    """Leave a run that has so many whole epochs."""
    with full_disk(monkeypatch, "last.ckpt", after=epochs):
        assert train(data, out).exit_code == 2
    assert (out / "stages" / "main" / "last.ckpt").exists() == (epochs > 0)


def test_a_disk_that_fills_keeps_the_last_whole_epoch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(data, tmp_path / "straight").exit_code == 0
    with full_disk(monkeypatch, "last.ckpt", after=1):
        result = train(data, tmp_path / "run")
    refused(result, "cannot write", "last.ckpt", "No space left on device", "--resume")
    kept = torch.load(tmp_path / "run" / "stages" / "main" / "last.ckpt", weights_only=True)
    assert kept["epoch"] == 0
    for ending in ("weights.safetensors", "result.json", "curves.png"):
        with full_disk(monkeypatch, ending):
            refused(train(data, tmp_path / "run", "--resume"), "No space left on device", "--resume")
        with pytest.raises(InputError, match="has not come to its end"):
            noiselayer.load_run(tmp_path / "run")
    assert train(data, tmp_path / "run", "--resume").exit_code == 0
    one, other = (load_file(tmp_path / name / "weights.safetensors") for name in ("straight", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert {f.name for f in (tmp_path / "run").iterdir()} == {
        f.name for f in (tmp_path / "straight").iterdir()
    }


def test_a_disk_full_from_the_start_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_disk(monkeypatch, "config.json"):
        refused(train(data, tmp_path / "run"), "cannot write to the output folder", "No space left on device")
    with full_disk(monkeypatch, "last.ckpt"):
        refused(train(data, tmp_path / "run"), "No space left on device")
    assert [f.name for f in tmp_path.iterdir()] == ["data.npz"]


@pytest.mark.parametrize("options", ["size=256k", "ro"])
@pytest.mark.slow
def test_a_small_or_read_only_file_system(data: Path, tmp_path: Path, options: str) -> None:
    """A real one, where this user may mount it: 256 kB hold no run."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs permission to mount a file system")
    try:
        if options == "ro":
            refused(train(data, disk / "run"), "cannot write to the output folder", "Read-only file system")
            return
        filler = disk / "filler"
        filler.write_bytes(b"0" * (150 << 10))
        refused(train(data, disk / "run"), "No space left on device")
        filler.write_bytes(b"0" * (200 << 10))
        again = train(data, disk / "run", "--model", "linear")
        refused(again, "No space left on device", "make room")  # the pictures are too large
        assert (disk / "run" / "stages" / "main" / "result.json").exists()
        filler.unlink()
        assert train(data, disk / "run", "--model", "linear", "--resume").exit_code == 0
    finally:
        subprocess.run([str(shutil.which("umount")), "-l", str(disk)], check=True)


def test_a_folder_that_nobody_may_write(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", fail)
    refused(train(data, tmp_path / "run"), "cannot write to the output folder", "Read-only file system")


def test_half_a_checkpoint_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, data, tmp_path / "run", 2)
    last = tmp_path / "run" / "stages" / "main" / "last.ckpt"
    whole = last.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"", whole[:500] + b"\0" * 400 + whole[900:]):
        last.write_bytes(content)
        refused(
            train(data, tmp_path / "run", "--resume"),
            *(f"{last} is damaged", "Remove", "to train this stage again"),
        )
    last.write_bytes(whole)
    assert train(data, tmp_path / "run", "--resume").exit_code == 0


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle"])
def test_a_hostile_checkpoint_is_refused_and_not_executed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    stop_after(monkeypatch, data, tmp_path / "run", 1)
    last = tmp_path / "run" / "stages" / "main" / "last.ckpt"
    executed = tmp_path / "executed"
    content = {**torch.load(last, weights_only=True), "more": Payload(executed)}
    if form == "pickle":
        last.write_bytes(pickle.dumps(content["more"]))
    else:
        torch.save(content, last, _use_new_zipfile_serialization=form == "torch")
    refused(train(data, tmp_path / "run", "--resume"), str(last), "Remove")
    assert not executed.exists()
    torch.load(last, weights_only=False) if form != "pickle" else pickle.loads(last.read_bytes())
    assert executed.exists()  # so the payload would have worked


def test_a_hostile_run_is_refused_and_not_executed(data: Path, tmp_path: Path) -> None:
    assert train(data, tmp_path / "run").exit_code == 0
    for name in ("weights.safetensors", "config.json", "metrics.json", "noise_matrix.csv"):
        shutil.copytree(tmp_path / "run", tmp_path / name)
        (tmp_path / name / name).write_bytes(pickle.dumps(Payload(tmp_path / "executed")))
        with pytest.raises(InputError, match=name):
            noiselayer.load_run(tmp_path / name)
    weights = tmp_path / "run" / "weights.safetensors"
    for size in (weights.stat().st_size - 4, 30, 0):
        weights.write_bytes(weights.read_bytes()[:size])
        with pytest.raises(InputError, match="cannot load the weights"):
            noiselayer.load_run(tmp_path / "run")
    assert not (tmp_path / "executed").exists()


def test_files_of_another_run_or_version(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, data, tmp_path / "run", 1)
    last = tmp_path / "run" / "stages" / "main" / "last.ckpt"
    own = last.read_bytes()
    refused(train(data, tmp_path / "run", "--resume", "--labels", "other"), "data.fingerprint was", "--out")
    with full_disk(monkeypatch, "last.ckpt", after=1):
        refused(train(data, tmp_path / "more", "--seed", 5))
    shutil.copy(tmp_path / "more" / "stages" / "main" / "last.ckpt", last)
    refused(
        train(data, tmp_path / "run", "--resume"),
        f"{last} was left by another run: seed was 5, now 0",
        "or remove",
    )
    checkpoint = torch.load(last, weights_only=True)
    checkpoint["noiselayer"]["format"] = 99
    torch.save(checkpoint, last)
    refused(
        train(data, tmp_path / "run", "--resume"), "another version of noiselayer (format 99, this one has 1)"
    )
    del checkpoint["noiselayer"]
    torch.save(checkpoint, last)
    refused(train(data, tmp_path / "run", "--resume"), "another version of noiselayer (format None")
    last.write_bytes(own)
    config = tmp_path / "run" / "config.json"
    text = config.read_text()
    config.write_text(json.dumps({**json.loads(text), "format": 99}))
    refused(train(data, tmp_path / "run", "--resume"), "begun by another version of noiselayer (format 99")
    config.write_text(text[: len(text) // 2])
    refused(train(data, tmp_path / "run", "--resume"), "cannot read", "config.json")
    config.write_text(text)
    assert train(data, tmp_path / "run", "--resume").exit_code == 0


def test_a_damaged_result_of_a_finished_stage_is_named(tmp_path: Path) -> None:
    x = torch.eye(2).repeat(20, 1)
    samples, options = (
        from_arrays(x, torch.tensor([0, 1]).repeat(20)),
        default_options("vector", max_epochs=1),
    )
    fit = {"options": default_options("vector", method="normal", max_epochs=1), "folder": tmp_path}
    assert options.max_epochs == 1
    first = fit_classifier(samples, **fit)  # type: ignore[arg-type]
    weights, record = tmp_path / "main" / "weights.safetensors", tmp_path / "main" / "result.json"
    kept = weights.read_bytes(), record.read_bytes()
    weights.write_bytes(kept[0][:-8])
    with pytest.raises(
        InputError, match=r"weights.safetensors is damaged .*Remove .*main to train this stage"
    ):
        fit_classifier(samples, **fit)  # type: ignore[arg-type]
    weights.write_bytes(kept[0])
    record.write_bytes(kept[1][:20])
    with pytest.raises(InputError, match=r"result.json is damaged"):
        fit_classifier(samples, **fit)  # type: ignore[arg-type]
    record.write_bytes(kept[1])
    again = fit_classifier(samples, **fit)  # type: ignore[arg-type]
    for key, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[key])


def test_a_loss_that_is_no_number_ends_with_its_samples(data: Path, tmp_path: Path) -> None:
    wild = ("--learning-rate", 1e6, "--weight-decay", 1e6, "--model", "linear")
    refused(
        train(data, tmp_path / "run", *wild),
        *("the loss is", "in epoch", "of the noisy set", "--learning-rate", "--on-nonfinite skip"),
    )

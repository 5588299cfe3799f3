"""``noiselayer train``: what it writes, what it refuses, and that a seed is a seed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result
from PIL import Image
from safetensors.torch import load_file

import noiselayer
from noiselayer.storage.matrix_file import write_noise_matrix

Run = Callable[..., Result]
SHORT = ("--epochs", 2, "--warm-up-epochs", 1, "--batch-size", 16)


def refused(result: Result, *words: str) -> None:
    """Exit code 2, one message on the error stream, no traceback."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def left(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


def test_learned_with_a_test_set(run: Run, vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    test = ("--test", f"{vectors}:x", "--test-labels", "y_true")
    result = run("train", vectors, "--labels", "y", "--out", out, *SHORT, *test)
    assert result.exit_code == 0, result.output
    assert "90 vectors of 2 numbers" in result.stderr
    assert "Test error on 90 trusted labels" in result.stderr
    loaded = noiselayer.load_run(out)
    assert loaded.class_names == ("cat", "dog", "bird")
    with np.load(vectors) as arrays:
        predicted = loaded.predict(arrays["x"]).indices.numpy()
        assert loaded.metrics["test_error"] == pytest.approx(float((predicted != arrays["y_true"]).mean()))
    assert not (out / "stages").exists()


def test_options_reach_the_run(run: Run, vectors: Path, tmp_path: Path) -> None:
    result = run(
        *("train", vectors, "--labels", "y", "--out", tmp_path / "run", *SHORT, "--start", "confusion"),
        "--noise-trainable",
        *("--model", "linear", "--learning-rate", 0.01, "--weight-decay", 0.1, "--patience", 7, "--seed", 5),
        *("--validation-fraction", 0.3, "--noise-learning-rate", 0.02, "--trace-penalty", 0.03),
        *("--noise-weight-decay", 0.04, "--keep-checkpoints", "--no-progress"),
    )
    assert result.exit_code == 0, result.output
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    rates = options.pop("optimization")
    asked = {"model": "linear", "patience": 7, "seed": 5, "validation_fraction": 0.3, "start": "confusion"}
    asked |= {"noise_trainable": True}
    asked |= {"max_epochs": 2, "warm_up_epochs": 1, "batch_size": 16, "method": "learned"}
    assert asked.items() <= options.items()
    asked_rates = {"learning_rate": 0.01, "weight_decay": 0.1, "noise_learning_rate": 0.02}
    asked_rates |= {"trace_penalty": 0.03, "noise_weight_decay": 0.04}
    assert asked_rates.items() <= rates.items()
    assert {path.name for path in (tmp_path / "run" / "stages").iterdir()} == {
        "warm-up-0",
        "warm-up-1",
        "main",
    }


def test_known_takes_a_matrix_and_keeps_it(run: Run, vectors: Path, tmp_path: Path) -> None:
    Q = torch.tensor([[0.9, 0.0, 0.1], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]])
    write_noise_matrix(tmp_path / "q.csv", Q[[2, 0, 1]][:, [2, 0, 1]], ["bird", "cat", "dog"])
    arguments = ("train", vectors, "--labels", "y", "--method", "known", *SHORT)
    refused(run(*arguments, "--out", tmp_path / "a"), "--noise-matrix FILE.csv")
    result = run(*arguments, "--noise-matrix", tmp_path / "q.csv", "--out", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert torch.equal(noiselayer.load_run(tmp_path / "b").noise_matrix, Q)
    (tmp_path / "rows.csv").write_text("0.8,0.2,0\n0,1,0\n0.3,0,0.7\n")
    refused(run(*arguments, "--noise-matrix", tmp_path / "rows.csv", "--out", tmp_path / "c"), "Its rows do")
    assert left(tmp_path) == {"data.npz", "q.csv", "rows.csv", "b"}


def test_a_seed_reproduces_the_run(run: Run, table: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = run("train", table, "--method", "normal", "--out", tmp_path / name, *SHORT, "--seed", seed)
        assert result.exit_code == 0, result.output
    weights = {name: load_file(tmp_path / name / "weights.safetensors") for name in "abc"}
    assert all(torch.equal(weights["a"][key], weights["b"][key]) for key in weights["a"])
    assert any(not torch.equal(weights["a"][key], weights["c"][key]) for key in weights["a"])
    curves = [pd.read_csv(tmp_path / name / "curves.csv").drop(columns="seconds") for name in "ab"]
    pd.testing.assert_frame_equal(*curves)


def test_a_dry_run_says_what_would_run_and_writes_nothing(run: Run, vectors: Path, tmp_path: Path) -> None:
    result = run("train", vectors, "--labels", "y", "--out", tmp_path / "run", *SHORT, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "81 samples to train on, 9 held out" in result.stderr
    assert "1. warm-up 1 of 2, Q = I: at most 1 epochs of 41 samples" in result.stderr
    assert "3. main stage, Q from the warm-up: at most 2 epochs of 81 samples" in result.stderr
    assert "About " in result.stderr
    assert left(tmp_path) == {"data.npz"}


def test_a_finished_run_says_so(run: Run, vectors: Path, tmp_path: Path) -> None:
    arguments = ("train", vectors, "--labels", "y", "--method", "normal", "--out", tmp_path / "run", *SHORT)
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    refused(run(*arguments), "is in use", "--resume")
    again = run(*arguments, "--resume")
    assert again.exit_code == 0
    assert "finished already" in again.stderr
    refused(run(*arguments, "--resume", "--seed", 3), "options.seed was 0, now 3")
    refused(run(*arguments, "--resume", "--labels", "y_true"), "data.fingerprint was")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


def test_bad_input_is_refused_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(8, 2)), np.array([0, 1] * 4)
    spoiled = x.copy()
    spoiled[3, 1] = np.nan
    np.savez(tmp_path / "data.npz", x=x, y=y, nan=spoiled, half=y + 0.5, one=y * 0)
    before = left(tmp_path)
    out = ("--out", tmp_path / "run")
    data = tmp_path / "data.npz"
    refused(run("train", data, "--labels", "half", *out), "class indices or names; row 0", "0.5")
    refused(run("train", data, "--inputs-key", "nan", "--labels", "y", *out), "row 3", "nan")
    refused(run("train", data, "--inputs-key", "x", "--labels", "one", *out), "of one class only")
    refused(run("train", data, "--inputs-key", "x", "--labels", "yy", *out), "Did you mean 'y'?")
    refused(run("train", data, "--labels", "y", "--class-names", "a,b,c", *out), "class 'c' has no samples")
    refused(
        run("train", tmp_path / "dat.npz", *out), "there is no file or folder", "Did you mean 'data.npz'?"
    )
    refused(run("train", data, "--labels", "y", "--model", "smal", *out), "Did you mean 'small'?")
    refused(run("train", data, "--labels", "y", "--model", "small", *out))  # wants images
    refused(run("train", data, "--labels", "y", "--epochs", 0, *out), "at least 1")
    refused(run("train", data, "--labels", "y", "--noise-matrix", "q.csv", *out), "for the method known")
    refused(run("train", data, "--labels", "y", "--test", tmp_path / "no.npz", *out), "there is no file")
    refused(run("train", data, "--labels", "y", "--validation-fraction", 2, *out), "between 0 and 1")
    refused(
        run("train", data, "--labels", "y", "--skip-unreadable", "--image-column", "x", *out),
        "--image-column",
    )
    assert run("train", data, "--labels", "y", "--image-size", "4by4", *out).exit_code == 2
    assert left(tmp_path) == before


def test_a_table_without_the_column_offers_the_nearest(run: Run, table: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "run")
    refused(run("train", table, "--label-column", "lable", *out), "no column 'lable'. Did you mean 'label'?")
    refused(run("train", table, "--features", "age,cod", *out), "Did you mean 'code'?")
    table.write_text("age,town,kind\n1,a,x\n2,b,y\n")
    refused(run("train", table, *out), "name it with --label-column.")  # in the words of the command line
    assert left(tmp_path) == {"people.csv"}


def test_damaged_images_are_listed_or_skipped(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = tmp_path / "images"
    for name, level in (("dark", 40), ("light", 200)):
        (images / name).mkdir(parents=True)
        for k in range(6):
            pixels = generator.integers(level - 30, level + 30, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(images / name / f"{k}.png")
    whole = (images / "dark" / "3.png").read_bytes()
    (images / "dark" / "3.png").write_bytes(whole[: len(whole) // 2])
    arguments = ("train", images, "--model", "linear", "--method", "normal", *SHORT)
    refused(run(*arguments, "--out", tmp_path / "run"), "dark/3.png", "--skip-unreadable")
    assert left(tmp_path) == {"images"}
    result = run(*arguments, "--out", tmp_path / "run", "--skip-unreadable")
    assert result.exit_code == 0, result.output
    assert "Note: 1 of 12 images cannot be read and are skipped: dark/3.png" in result.stderr
    assert noiselayer.load_run(tmp_path / "run").metrics["skipped"] == 1


def test_a_failure_of_the_program_is_not_blamed_on_the_input(
    run: Run, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("noiselayer.jobs.train.fit_classifier", fail)
    result = run("train", vectors, "--labels", "y", "--out", tmp_path / "run")
    assert isinstance(result.exception, ValueError)
    assert left(tmp_path) == {"data.npz"}


def test_a_logger_writes_into_the_run(run: Run, vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run("train", vectors, "--labels", "y", "--out", out, *SHORT, "--logger", "csv")
    assert result.exit_code == 0, result.output
    (metrics,) = (out / "logs" / "main").rglob("metrics.csv")
    header = metrics.read_text().splitlines()[0].split(",")
    assert {"train_loss", "noise_trace", "noise_distance", "noise_floor", "noise_phase"} <= set(header)


@pytest.mark.parametrize("classes", [250, 10_000])
@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--method", "learned")])
def test_a_matrix_of_many_classes_is_not_learned_from_two_samples_each(
    run: Run, tmp_path: Path, classes: int, more: tuple[str, ...]
) -> None:
    y = np.arange(2 * classes) % classes
    np.savez(tmp_path / "many.npz", x=np.zeros((len(y), 2), dtype=np.float32), y=y)
    result = run("train", tmp_path / "many.npz", "--out", tmp_path / "run", "--model", "linear", *more)
    count = f"of {classes:,} classes in {2 * classes:,} samples, 2 a class: it takes 10 a class"
    refused(
        result,
        "--method learned cannot find a noise matrix",
        count,
        "--method normal",
        "--noise-matrix",
        "--clean",
    )
    assert left(tmp_path) == {"many.npz"}

"""``noiselayer train`` with a clean set and with samples from outside the classes."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from click.testing import Result
from PIL import Image

from noiselayer.storage.matrix_file import read_noise_matrix

Run = Callable[..., Result]
SHORT = ("--epochs", 2, "--warm-up-epochs", 1, "--batch-size", 16)
NAMES = ("cat", "dog", "bird")


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """90 noisy samples, 45 clean ones (15 a class), 10 from outside, in a folder."""
    generator = np.random.default_rng(0)
    true = np.arange(135) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[true] + generator.normal(size=(135, 2))
    noisy = np.where(generator.random(135) < 0.3, (true + 1) % 3, true)
    np.savez(tmp_path / "noisy.npz", x=x[:90], y=noisy[:90], class_names=NAMES)
    np.savez(tmp_path / "clean.npz", x=x[90:], y=true[90:], other=(true[90:] + 1) % 3)
    np.save(tmp_path / "outside.npy", generator.normal(size=(10, 2)) * 9)
    return tmp_path


@pytest.fixture
def train(run: Run, sets: Path) -> Run:
    def train(*arguments: object) -> Result:
        return run("train", sets / "noisy.npz", "--out", sets / "run", *SHORT, *arguments)

    return train


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def arrays_of(path: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(path) as arrays:
        return dict(arrays)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_command_measures_the_noise_and_trains_on_all(train: Run, sets: Path) -> None:
    both = ("--clean", sets / "clean.npz", "--outside", sets / "outside.npy", "--noisy-weight", 0.5)
    planned = train(*both, "--dry-run").stderr
    assert "Method estimated: 45 clean samples, 15 a class, are enough" in planned
    assert "81 samples to train on, 9 held out; of the clean ones 41 and 4; 10 from outside" in planned
    assert "1. measuring model 1 of 2, trained on clean samples: at most 2 epochs of 21 samples" in planned
    assert "3. main stage, Q as measured: at most 2 epochs of 132 samples" in planned
    assert left(sets) == {"noisy.npz", "clean.npz", "outside.npy"}

    result = train(*both)
    assert result.exit_code == 0, result.output
    assert "Clean: 45 vectors of 2 numbers" in result.stderr
    assert "Outside the classes: 10 vectors" in result.stderr
    assert "Method estimated: 45 clean samples" in result.stderr
    folder = sets / "run"
    curves = pd.read_csv(folder / "curves.csv")
    assert len(re.findall(r"at most 2 epochs", planned)) == 3  # as the stages that ran:
    assert Counter(curves["stage"]) == {"measure-0": 2, "measure-1": 2, "main": 2}

    config, metrics = (json.loads((folder / f"{name}.json").read_text()) for name in ("config", "metrics"))
    assert config["options"]["method"] == "estimated"
    assert config["options"]["noisy_weight"] == 0.5
    assert config["choice"].startswith("Method estimated: 45 clean samples")
    assert (config["clean"]["samples"], config["outside"]["samples"]) == (45, 10)
    counts = {"train": 81, "validation": 9, "clean_train": 41, "clean_validation": 4, "outside": 10}
    assert metrics["samples"] == counts

    splits, noisy, clean = (arrays_of(sets / name) for name in ("run/splits.npz", "noisy.npz", "clean.npz"))
    parts = [splits["clean_train"], splits["clean_validation"]]
    assert sorted(np.concatenate(parts).tolist()) == list(range(45))
    rows = list(csv.DictReader((folder / "sample_counts.csv").read_text().splitlines()))
    for k, (name, row) in enumerate(zip(NAMES, rows, strict=True)):
        counted = [int(row["noisy"]), int(row["clean"])]
        assert row["class"] == name
        assert counted == [(noisy["y"][splits["train"]] == k).sum(), (clean["y"][parts[0]] == k).sum()]

    estimate = metrics["estimate"]
    assert estimate["method"] == "sparse"
    assert {"condition_number", "outside_simplex", "sparsity", "warnings"} <= estimate.keys()
    errors = pd.read_csv(folder / "noise_matrix_standard_error.csv", index_col=0)
    assert list(errors.index) == list(errors.columns) == list(NAMES)
    assert errors.index.name == "noisy \\ true"
    assert (errors.to_numpy() >= 0).all()
    for warning in estimate["warnings"]:
        assert f"Note: {warning}" in result.stderr
    assert read_noise_matrix(folder / "noise_matrix.csv", NAMES).shape == (3, 3)
    assert not (folder / "start_matrix.csv").exists()

    again = train(*both, "--resume", "--method", "estimated")  # what auto chose, by its name
    assert "finished already" in again.stderr
    refused(train(*both[:-1], 0.25, "--resume"), "options.noisy_weight was 0.5, now 0.25")
    refused(train(*both, "--clean-labels", "other", "--resume"), "clean.fingerprint was")
    refused(train(*both[:2], *both[4:], "--resume"), "outside.samples was 10, now not given")


@pytest.mark.parametrize(
    ("words", "options", "planned"),
    [
        (["--method", "top-down", "--alpha", "0.75"], {"alpha": 0.75}, "labels smoothed by 0.25"),
        (["--method", "learned", "--noise-trainable"], {"noise_trainable": True}, "goes on learning"),
        (["--method", "learned", "--rule", "one-standard-error"], {"rule": "one-standard-error"}, "warm-up"),
        (["--method", "learned", "--no-fresh-network"], {"fresh_network": False}, "Q = I first, then"),
        (
            ["--method", "estimated", "--clean", "clean.npz", "--no-train-on-clean"],
            {"train_on_clean": False},
            "of the clean ones 41 and 4, for measuring only",
        ),
        (
            [
                *("--method", "refined", "--clean", "clean.npz", "--clean-labels", "y"),
                *("--mixing", "alternating", "--measure-with", "noisy", "--trace-penalty", "0.01"),
            ],
            {"method": "refined", "mixing": "alternating", "measure_with": "noisy"},
            "Q as measured first, then it learns: at most 3 epochs of 162 samples",
        ),
        (["--outside", "outside.npy", "--outside-weight", "2"], {"outside_weight": 2.0}, "91 samples"),
    ],
)
def test_plans_in_words(
    train: Run,
    sets: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    options: dict[str, object],
    planned: str,
) -> None:
    monkeypatch.chdir(sets)
    kept = {}

    def keep(self: object, config: dict[str, dict[str, object]]) -> None:
        kept.update(config["options"])

    monkeypatch.setattr("noiselayer.storage.run_folder.RunFolder.check_same", keep)
    result = train(*words, "--dry-run")
    assert result.exit_code == 0, result.output
    assert planned in result.stderr
    assert options.items() <= kept.items()
    assert left(sets) == {"noisy.npz", "clean.npz", "outside.npy"}


def test_samples_in_both_sets_are_refused_or_dropped(train: Run, sets: Path) -> None:
    noisy, clean = arrays_of(sets / "noisy.npz"), arrays_of(sets / "clean.npz")
    where = [0, 7, 50]
    x = np.insert(noisy["x"], where, clean["x"][:3], axis=0)
    twice = np.flatnonzero((x[:, None] == clean["x"][None, :3]).all(axis=2).any(axis=1))
    np.savez(sets / "noisy.npz", x=x, y=np.insert(noisy["y"], where, [0, 1, 2]), class_names=NAMES)
    both = ("--clean", sets / "clean.npz", "--method", "normal")
    refused(
        train(*both),
        "3 samples stand in the noisy and in the clean set (such as 0, 8, 52)",
        "(--overlapping drop)",
    )
    assert "run" not in left(sets)
    result = train(*both, "--overlapping", "drop")
    assert result.exit_code == 0, result.output
    assert "3 noisy samples that stand in the clean set too are left out" in result.stderr
    splits = arrays_of(sets / "run" / "splits.npz")
    used = np.concatenate([splits["train"], splits["validation"]])
    assert sorted([*used, *twice]) == list(range(93))  # in the numbering of the file


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--clean", "lacking.npz", "--method", "estimated"],
            "has no samples of 'bird'; the noise of a class",
        ),
        (
            ["--clean", "lacking.npz", "--method", "refined"],
            "or take --method learned, which trains on the clean",
        ),
        (
            ["--method", "known", "--noise-matrix", "zero_row.csv"],
            "--noise-matrix has only zeros in row 2, so no class is ever labelled 'bird', yet",
        ),
        (["--clean", "named.npz"], "'brd' (row 2, counting from 0) is not one of the 3 classes cat, dog"),
        (["--clean", "named.npz"], "Did you mean 'bird'?"),
        (["--clean", "wide.npz"], "samples of the clean set must be like the noisy ones, (2,)"),
        (["--clean", "five.npz"], "the clean set five.npz: labels (array 'y') must lie in 0..2"),
        (["--clean", "few.npz"], "has one sample of each class, so none can be held out"),
        (["--clean", "four.npz", "--method", "estimated", "--measure-with", "clean"], "too few samples of"),
        (
            ["--clean", "clean.np"],
            "the clean set clean.np: there is no file or folder clean.np. Did you mean",
        ),
        (["--clean", "clean.npz", "--clean-labels", "z"], "has no array 'z'"),
        (["--clean", "outside.npy"], "the clean set outside.npy: outside.npy holds inputs only"),
        (["--clean-labels", "y"], "--clean-labels says where the labels of --clean are"),
        (["--test-labels", "y"], "--test-labels says where the labels of --test are"),
        (["--overlapping", "drop"], "--overlapping drop is about samples of a clean set"),
        (["--outside", "wide.npz"], "samples of the outside set must be like the noisy ones"),
        (["--labels", "same"], "are of one class, 'cat'; a classifier needs at least two"),
        (["--method", "estimated"], "method estimated measures the noise with trusted labels: give some"),
        (["--method", "refined"], "--clean DATA"),
        (["--clean", "clean.npz", "--noisy-weight", "-1"], "--noisy-weight must be a number from 0 up"),
        (["--clean", "clean.npz", "--noisy-weight", "nan"], "got nan"),
        (["--outside", "outside.npy", "--outside-weight", "inf"], "--outside-weight must be a number"),
        (["--method", "top-down", "--alpha", "1.5"], "alpha must lie between 0 and 1; got 1.5"),
        (["--noisy-weight", "0.5"], "--noisy-weight weighs noisy samples against clean ones"),
        (["--mixing", "alternating"], "mixing says how clean samples are mixed"),
        (["--no-train-on-clean"], "--no-train-on-clean is about clean samples, and there are none"),
        (["--trace-penalty", "0.1"], "--trace-penalty acts only while the noise matrix learns by gradient"),
        (["--trace-penalty", "0.1"], "--noise-trainable, --start identity or --no-fresh-network"),
        (["--method", "normal", "--start", "identity"], "start is for method 'learned'"),
        (["--method", "known"], "--noise-matrix FILE.csv"),
    ],
)
def test_bad_input(
    train: Run, sets: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    np.savez(sets / "noisy.npz", **arrays_of(sets / "noisy.npz"), same=np.zeros(90, dtype=int))
    clean = arrays_of(sets / "clean.npz")
    x, y = clean["x"], clean["y"]
    np.savez(sets / "lacking.npz", x=x[y < 2], y=y[y < 2])
    np.savez(sets / "named.npz", x=x, y=np.array(["cat", "dog", "brd"])[y])
    np.savez(sets / "wide.npz", x=np.zeros((4, 3)), y=[0, 1, 2, 2])
    np.savez(sets / "five.npz", x=x, y=np.arange(45) % 5)
    np.savez(sets / "few.npz", x=x[:3], y=y[:3])
    np.savez(sets / "four.npz", x=x[:4], y=y[:4])
    (sets / "zero_row.csv").write_text("1,0,0.5\n0,1,0.5\n0,0,0\n")
    monkeypatch.chdir(sets)
    before = left(sets)
    labels = [] if "--labels" in words else ["--labels", "y"]
    refused(train(*words, *labels), message)
    assert left(sets) == before


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """120 rows, a fifth mislabelled, every fourth for the test, every third checked."""
    generator = np.random.default_rng(0)
    true = np.arange(120) % 2
    frame = pd.DataFrame(generator.normal(size=(120, 2)) + 4 * true[:, None], columns=["x0", "x1"])
    frame["label"] = np.array(["a", "b"])[np.where(np.arange(120) % 5 == 0, 1 - true, true)]
    frame["human"] = np.where(np.arange(120) % 3 == 0, np.array(["a", "b"])[true], None)
    frame["part"] = np.where(np.arange(120) % 4 == 0, "Test", np.where(np.arange(120) % 4 == 1, "val", ""))
    frame.to_csv(tmp_path / "parted.csv", index=False)
    return tmp_path / "parted.csv"


def test_a_column_sets_samples_apart_for_the_test(run: Run, parted: Path, tmp_path: Path) -> None:
    words = (parted, "--label-column", "label", "--split-column", "part", "--features", "x*")
    tiny = (
        "--model",
        "linear",
        "--method",
        "normal",
        "--epochs",
        3,
        "--batch-size",
        8,
        "--learning-rate",
        0.1,
    )
    done = run("train", *words, *tiny, "--out", tmp_path / "all")
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "all" / "metrics.json").read_text())
    assert metrics["samples"]["train"] + metrics["samples"]["validation"] == 90
    assert metrics["test_samples"] == 30
    assert metrics["test_error"] == pytest.approx(
        0.2, abs=0.05
    )  # by the labels as they are, a fifth of them wrong
    rows = np.concatenate(
        [arrays_of(tmp_path / "all" / "splits.npz")[name] for name in ("train", "validation")]
    )
    assert len({*rows.tolist()}) == 90
    done = run("train", *words, *tiny, "--checked-column", "human", "--out", tmp_path / "checked")
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "checked" / "metrics.json").read_text())
    assert metrics["test_samples"] == 10  # those that are checked, by what was found
    assert metrics["test_error"] <= 0.1  # two of their ten labels are wrong
    predicted = run("predict", tmp_path / "all", parted, "--out", tmp_path / "predicted.csv")
    assert predicted.exit_code == 0, predicted.output
    assert len(pd.read_csv(tmp_path / "predicted.csv")) == 120


def test_a_column_of_another_kind_sets_nothing_apart(run: Run, parted: Path, tmp_path: Path) -> None:
    words = ("train", parted, "--label-column", "label", "--features", "x*", "--out", tmp_path / "run")
    refused(run(*words, "--split-column", "human"), "must say test or train", "'a', 'b'", "--split-column")
    refused(run(*words, "--split-column", "part", "--test", parted), "both say what the test is")


def test_auto_learns_where_a_class_has_no_clean_samples(train: Run, sets: Path) -> None:
    clean = arrays_of(sets / "clean.npz")
    few = clean["y"] < 2
    np.savez(sets / "lacking.npz", x=clean["x"][few], y=clean["y"][few])
    for more in (["--dry-run"], []):
        result = train("--labels", "y", "--clean", sets / "lacking.npz", *more)
        assert result.exit_code == 0, result.output
        assert (
            "Note: The clean set has no samples of 'bird', and the noise of a class can only" in result.stderr
        )
    assert json.loads((sets / "run" / "config.json").read_text())["options"]["method"] == "learned"


def test_a_clean_folder_of_images_has_the_classes_of_the_noisy_one(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def images(folder: str, names: tuple[str, ...], side: int) -> None:
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
            for k in range(4):
                pixels = generator.integers(0, 255, (side, side, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / folder / name / f"{k}.png")

    images("noisy", ("cat", "dog"), 8)
    images("clean", ("cat", "dgo"), 8)
    images("outside", ("sky",), 12)  # brought to the size of the noisy ones; its folders mean nothing
    before = left(tmp_path)
    words = ("train", tmp_path / "noisy", "--model", "linear", "--out", tmp_path / "run", "--dry-run")
    refused(run(*words, "--clean", tmp_path / "clean"), "'dgo'", "Did you mean 'dog'?")
    (tmp_path / "clean" / "dgo").rename(tmp_path / "clean" / "dog")
    both = ("--clean", tmp_path / "clean", "--outside", tmp_path / "outside")
    result = run(*words, *both)
    assert result.exit_code == 0, result.output
    assert "Method learned: 8 clean samples, 4 a class, are too few" in result.stderr
    assert "Outside the classes: 4 images of 3 x 8 x 8" in result.stderr
    np.savez(tmp_path / "wide.npz", x=np.zeros((4, 9, 9, 3), dtype=np.uint8), y=[0, 0, 1, 1])
    refused(run(*words, "--clean", tmp_path / "wide.npz"), "(3, 8, 8) of torch.uint8", "got (3, 9, 9)")
    assert left(tmp_path) == before | {"wide.npz"}
    assert torch.initial_seed() == 0  # preparing leaves the generator alone

"""A run comes back from its folder as it was, and loading it executes nothing."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import noiselayer
from noiselayer.checks import noise_floor
from noiselayer.errors import InputError
from noiselayer.jobs.train_options import TrainJob
from noiselayer.jobs.train_prepare import prepare_run
from noiselayer.storage.loaded_run import LoadedRun
from noiselayer.training.options import Hardware

CPU = Hardware(accelerator="cpu")


def people(path: Path, N: int = 60) -> Path:
    generator = np.random.default_rng(0)
    town = generator.choice(["Aachen", "Bonn"], N)
    age = generator.normal(40, 10, N).round(1)
    label = np.where((age > 40) ^ (generator.random(N) < 0.1), "old", "young")
    pd.DataFrame({"age": age, "town": town, "label": label}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    table = people(folder / "people.csv")
    job = TrainJob(
        data=str(table),
        out=folder / "run",
        test=str(table),
        method="learned",
        start="confusion",
        max_epochs=2,
        warm_up_epochs=1,
        batch_size=16,
        accelerator="cpu",
    )
    prepare_run(job).execute()
    return folder / "run"


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


@pytest.fixture
def run(run_folder: Path) -> LoadedRun:
    return noiselayer.load_run(run_folder)


def test_the_name_of_before_still_loads(run_folder: Path, run: LoadedRun) -> None:
    assert torch.equal(noiselayer.load(run_folder).noise_matrix, run.noise_matrix)


def test_everything_is_there_and_nothing_else(run_folder: Path) -> None:
    assert {path.name for path in run_folder.iterdir()} == {
        *("weights.safetensors", "noise_matrix.csv", "noise_matrix.png", "metrics.json", "config.json"),
        *("splits.npz", "curves.csv", "curves.png", "start_matrix.csv", "sample_counts.csv", "report.html"),
    }


def test_the_splits_part_the_samples(run_folder: Path) -> None:
    splits = np.load(run_folder / "splits.npz")
    joined = np.concatenate([splits["train"], splits["validation"]])
    assert sorted(joined.tolist()) == list(range(60))


def test_metrics_and_curves_tell_the_same(run_folder: Path, run: LoadedRun) -> None:
    metrics = json.loads((run_folder / "metrics.json").read_text())
    curves = pd.read_csv(run_folder / "curves.csv")
    main = curves[curves["stage"] == "main"]
    assert metrics["finished"]
    assert metrics["epochs"] == len(main) == 2
    assert metrics["best_validation_loss"] == pytest.approx(main["val_loss"].min())
    assert set(curves["stage"]) == {"warm-up-0", "warm-up-1", "main"}
    assert metrics["versions"]["torch"] == torch.__version__.split("+")[0]
    assert metrics["hardware"]["accelerator"] == "cpu"
    assert metrics == run.metrics


def test_the_test_error_is_that_of_the_predictions(run_folder: Path, run: LoadedRun) -> None:
    table = run_folder.parent / "people.csv"
    truth = pd.read_csv(table)["label"]
    wrong = np.mean([a != b for a, b in zip(run.predict(table).labels, truth, strict=True)])
    assert run.metrics["test_error"] == pytest.approx(wrong)
    assert run.metrics["test_samples"] == 60


def test_the_noise_floor_is_the_loss_of_a_perfect_classifier() -> None:
    Q, shares = torch.tensor([[0.8, 0.3], [0.2, 0.7]]), torch.tensor([0.25, 0.75])
    labels = torch.multinomial(Q.T, 200_000, replacement=True)
    losses = [-Q[labels[i], i].log().mean() for i in (0, 1)]
    assert noise_floor(Q, shares) == pytest.approx(float(0.25 * losses[0] + 0.75 * losses[1]), abs=2e-3)


def test_every_way_of_asking_gives_the_same(run_folder: Path, run: LoadedRun, tmp_path: Path) -> None:
    table = run_folder.parent / "people.csv"
    asked = run.predict(table)
    frame = pd.read_csv(table)
    assert torch.equal(run.predict(frame.drop(columns="label")).probs, asked.probs)
    assert torch.equal(run.predict(run.read(table)).probs, asked.probs)
    assert torch.allclose(run.predict(table, batch_size=7).probs, asked.probs)
    assert asked.probs.sum(dim=1).tolist() == pytest.approx([1.0] * 60)
    # Other columns and another order of columns and rows: the encoder of the run decides.
    frame[::-1].assign(extra=1)[["extra", "town", "age"]].to_csv(tmp_path / "new.csv", index=False)
    assert torch.equal(run.predict(tmp_path / "new.csv").probs.flip(0), asked.probs)


def test_predictions_never_pass_through_the_noise_matrix(copy: Path) -> None:
    frame = pd.DataFrame({"age": [20.0, 60.0], "town": ["Bonn", "Aachen"]})
    asked = noiselayer.load_run(copy).predict(frame).probs
    (copy / "noise_matrix.csv").write_text("noisy \\ true,old,young\nold,0,1\nyoung,1,0\n")
    assert torch.equal(noiselayer.load_run(copy).predict(frame).probs, asked)


def test_samples_of_another_kind_are_refused(run: LoadedRun) -> None:
    with pytest.raises(InputError, match="was trained on rows of a table"):
        run.predict(np.zeros((4, 3)))
    with pytest.raises(InputError, match="data must be a path, .*; got list"):
        run.predict([[1.0]])
    with pytest.raises(InputError, match="has no column 'age'"):
        run.predict(pd.DataFrame({"town": ["Bonn"]}))


def test_a_folder_of_images_keeps_its_size_and_arrays_their_type(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for k in range(8):
            pixels = generator.integers(level - 30, level + 30, (12, 10, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{k}.png")
    job = TrainJob(
        data=str(tmp_path / "images"),
        out=tmp_path / "run",
        image_size=(8, 8),
        method="normal",
        model="linear",
        max_epochs=1,
        batch_size=4,
        accelerator="cpu",
    )
    prepare_run(job).execute()
    run = noiselayer.load_run(tmp_path / "run")
    asked = run.predict(tmp_path / "images" / "dark")  # no labels, another folder, another size of file
    assert asked.ids == tuple(f"{k}.png" for k in range(8))
    assert run.input_shape == (3, 8, 8)
    with pytest.raises(InputError, match=r"takes samples of shape \(3, 8, 8\)"):
        run.predict(np.zeros((2, 3, 9, 9), dtype=np.uint8))
    with pytest.raises(InputError, match=r"trained on inputs of type uint8; the data is of float32"):
        run.predict(np.zeros((2, 3, 8, 8), dtype=np.float32))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code was run')",))


def test_loading_runs_no_code(copy: Path) -> None:
    (copy / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))
    (copy / "extra.ckpt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match=r"cannot load the weights .*weights.safetensors"):
        noiselayer.load_run(copy)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "it has no config.json"),
        ("config.json", "{", "cannot read .*config.json"),
        ("config.json", "[]", "must hold a JSON object"),
        ("config.json", '{"format": 1}', "config.json is damaged: '.*' is missing"),
        ("config.json", '{"format": 99}', "is of format 99, and this version of noiselayer reads 1"),
        ("metrics.json", None, "has not come to its end"),
        ("noise_matrix.csv", None, "cannot read the noise matrix"),
        ("weights.safetensors", None, "cannot load the weights"),
    ],
)
def test_damaged_runs_are_refused(copy: Path, file: str, content: str | None, message: str) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_text(content)
    with pytest.raises(InputError, match=message):
        noiselayer.load_run(copy)

"""Lightning's loggers carry the state of the noise matrix: known figures, every logger, a resumed run, words."""

import csv
import math
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from ordinary import Ordinary
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from noiselayer import NoiseLayer, SparseNoiseMatrix
from noiselayer.data import from_arrays
from noiselayer.errors import InputError
from noiselayer.training.methods import fit_classifier
from noiselayer.training.noise_log import NoiseLog, make_logger
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.phases import NoisePhases

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings(r"ignore:.*`isinstance\(treespec, LeafSpec\)` is deprecated.*"),
]

Q = torch.tensor([[0.7, 0.1, 0.0], [0.3, 0.8, 0.0], [0.0, 0.1, 1.0]])
FIGURES = {"noise_trace", "noise_distance", "noise_floor", "noise_phase"}


def rows_of(folder: Path) -> list[dict[str, float]]:
    """The epochs that a CSVLogger has written."""
    (path,) = folder.rglob("metrics.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]
    return [row for row in rows if "noise_trace" in row]


def test_the_figures_are_those_of_naive_loops() -> None:
    callback = NoiseLog(torch.tensor([0.5, 0.25, 0.25]))
    callback.start = torch.eye(3)
    figures = callback.figures(NoiseLayer(3, Q))
    moved = sum(abs(float(Q[j, i]) - float(i == j)) for i in range(3) for j in range(3)) / 2 / 3
    entropy = [-sum(float(q) * math.log(float(q)) for q in Q[:, i] if q > 0) for i in range(3)]
    assert figures["noise_trace"] == pytest.approx(2.5 / 3, abs=1e-6)
    assert figures["noise_distance"] == pytest.approx(moved, abs=1e-6)
    assert figures["noise_floor"] == pytest.approx(0.5 * entropy[0] + 0.25 * entropy[1], abs=1e-6)


def test_a_matrix_per_annotator_and_a_sparse_one_have_figures_too() -> None:
    stack = NoiseLog().figures(NoiseLayer(3, torch.stack([Q, torch.eye(3)])))
    assert stack["noise_trace"] == pytest.approx((2.5 / 3 + 1) / 2, abs=1e-6)
    sparse = NoiseLog().figures(NoiseLayer(3, SparseNoiseMatrix.from_dense(Q, 2)))
    assert sparse["noise_trace"] == pytest.approx(2.5 / 3, abs=1e-5)


def test_a_module_of_ones_own_with_two_phases(tmp_path: Path) -> None:
    module = Ordinary([1.0, 0.9, 0.95, 0.91, 5.0, 4.0, 4.5, 4.2, 0.1])
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(32, 2), torch.randint(0, 3, (32,)))
    trainer = pl.Trainer(
        max_epochs=6,
        accelerator="cpu",
        logger=CSVLogger(tmp_path),
        callbacks=[NoisePhases(patience=2), NoiseLog()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(module, DataLoader(data, batch_size=8), DataLoader(data, batch_size=8))
    rows = rows_of(tmp_path)
    assert [row["noise_phase"] for row in rows] == [1, 1, 1, 1, 2, 2]
    assert [row["noise_distance"] for row in rows[:4]] == [0] * 4
    assert rows[-1]["noise_distance"] > 0
    assert rows[-1]["noise_trace"] == pytest.approx(
        float(module.noise_layer().trace().detach()) / 3, abs=1e-6
    )
    assert set(trainer.callback_metrics) >= FIGURES  # what is monitored may be one of them


def train(logger: str | None, folder: Path, **changes: Any) -> Any:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    inputs = torch.eye(3)[labels] + 0.1 * torch.randn(90, 3, generator=generator)
    options = default_options("vector", method="learned", start="identity", max_epochs=2, warm_up_epochs=2)
    hardware = Hardware(accelerator="cpu", logger=logger, log_folder=folder)
    return fit_classifier(from_arrays(inputs, labels), options, hardware=hardware, **changes)


def test_training_logs_every_epoch_and_changes_nothing(tmp_path: Path) -> None:
    logged = train("csv", tmp_path)
    rows = rows_of(tmp_path / "main")
    assert len(rows) == logged.stages[-1].epochs
    for row, curve in zip(rows, logged.stages[-1].curves, strict=True):
        for name in ("train_loss", "noise_trace"):
            assert row[name] == pytest.approx(curve[name], abs=1e-5)
        assert row["noise_phase"] == 1 + curve["noise_learning"]
    plain = train(None, tmp_path)
    torch.testing.assert_close(plain.noise_matrix, logged.noise_matrix, rtol=0, atol=0)
    for one, other in zip(plain.network.parameters(), logged.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_resumed_callback_measures_from_the_first_start() -> None:
    first, second = NoiseLog(), NoiseLog()
    first.start = torch.eye(3)
    second.load_state_dict(first.state_dict())
    second.on_train_start(None, torch.nn.Sequential(NoiseLayer(3, Q)))  # type: ignore[arg-type]
    assert second.figures(NoiseLayer(3, Q))["noise_distance"] == pytest.approx(0.5 / 3, abs=1e-6)


def read_tensorboard(folder: Path) -> dict[str, int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (path,) = folder.rglob("events.out.*")
    events = EventAccumulator(str(path))
    events.Reload()
    return {name: len(events.Scalars(name)) for name in events.Tags()["scalars"]}


def read_mlflow(folder: Path) -> dict[str, int]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("noiselayer").experiment_id])
    return {name: len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics}


def read_wandb(folder: Path) -> dict[str, int]:
    """The names alone: the file of an offline run is a log of records, which a process of its own writes."""
    (path,) = folder.rglob("*.wandb")
    found: dict[str, int] = {}
    for _ in range(60):
        content = path.read_bytes()
        found = {name: 4 for name in FIGURES if name.encode() in content}
        if len(found) == len(FIGURES):
            break
        time.sleep(0.5)
    return found


@pytest.mark.parametrize(
    ("logger", "read"),
    [("tensorboard", read_tensorboard), ("mlflow", read_mlflow), ("wandb", read_wandb)],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_logger_carries_the_figures(
    logger: str, read: Callable[[Path], dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = {"mlflow": ("mlflow", "sqlalchemy", "alembic")}.get(logger, (logger,))
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install {package}")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    train(logger, tmp_path / "logs")
    found = read(tmp_path / "logs")
    assert set(found) >= FIGURES
    assert {found[name] for name in FIGURES} == {4}


def test_unfit_loggers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InputError, match="logger must be one of csv, tensorboard, mlflow, wandb; got 'paper'"
    ):
        Hardware(logger="paper")

    def missing(*_: Any, **__: Any) -> Any:
        raise ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard")

    monkeypatch.setattr("pytorch_lightning.loggers.TensorBoardLogger", missing)
    with pytest.raises(
        InputError, match="needs the package tensorboard, which is not installed: pip install"
    ):
        make_logger("tensorboard", tmp_path, "main")

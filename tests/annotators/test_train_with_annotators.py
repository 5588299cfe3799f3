"""Annotators of labels in training, in the audit of files and in their reports."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from noiselayer import NoisyLabelClassifier
from noiselayer.cli.app import app
from noiselayer.data import from_arrays, read_data
from noiselayer.errors import InputError
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.storage.audit_folder import load_audit
from noiselayer.training.batches import JoinedDataset, Part, Trust
from noiselayer.training.module import NoisyLabelModule

Run = Callable[..., Result]
RIGHT = {"copied": 0.5, "expert": 0.95, "rules": 0.75}  # sorted, as the annotators will be


@pytest.fixture(scope="module")
def crowd() -> pd.DataFrame:
    """600 points around 3 centres, each labelled by one of three annotators; columns x0, x1, label, who, truth."""
    generator = np.random.default_rng(0)
    truth = np.arange(600) % 3
    x = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])[truth] + generator.normal(size=(600, 2))
    who = np.array(list(RIGHT))[generator.integers(3, size=600)]
    wrong = generator.random(600) > np.vectorize(RIGHT.get)(who)
    label = np.where(wrong, (truth + 1) % 3, truth)
    names = np.array(["cat", "dog", "bird"])
    return pd.DataFrame(
        {"x0": x[:, 0], "x1": x[:, 1], "label": names[label], "who": who, "truth": names[truth]}
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def table(crowd: pd.DataFrame, tmp_path: Path) -> Path:
    crowd.drop(columns="truth").to_csv(tmp_path / "crowd.csv", index=False)
    return tmp_path / "crowd.csv"


FAST = (
    *("--model", "linear", "--epochs", 10, "--batch-size", 16, "--learning-rate", 0.1),
    *("--accelerator", "cpu", "--no-progress"),
)


def features(crowd: pd.DataFrame) -> npt.NDArray[Any]:
    return crowd[["x0", "x1"]].to_numpy()


def quick(method: str = "learned", **changes: Any) -> NoisyLabelClassifier:
    defaults = {"model": "linear", "max_iter": 10, "batch_size": 16, "learning_rate": 0.1}
    given = {**defaults, **changes}
    names = NoisyLabelClassifier().get_params()
    options = {name: given.pop(name) for name in list(given) if name not in names}
    return NoisyLabelClassifier(method, random_state=0, accelerator="cpu", options=options, **given)


def test_every_annotator_gets_its_own_matrix(crowd: pd.DataFrame) -> None:
    X = features(crowd)
    model = quick().fit(X, crowd["label"], annotators=crowd["who"])
    assert model.annotators_.tolist() == list(RIGHT)
    assert model.annotator_matrices_.shape == (3, 3, 3)
    right = model.annotator_matrices_.diagonal(axis1=1, axis2=2).mean(axis=1)
    counted = (crowd["label"] == crowd["truth"]).groupby(crowd["who"]).mean()
    assert right == pytest.approx(counted.to_numpy(), abs=0.05)
    shares = crowd["who"].value_counts(normalize=True).sort_index().to_numpy()
    mean = np.tensordot(shares, model.annotator_matrices_, axes=1)
    assert model.noise_matrix_ == pytest.approx(mean, abs=0.02)  # weighted by the labels of the training part
    assert "expert" in model.annotator_estimate_.summary()
    assert (model.predict(X) == crowd["truth"]).mean() > 0.95


@pytest.mark.slow
def test_one_annotator_is_the_same_as_none(crowd: pd.DataFrame) -> None:
    X, y = features(crowd), crowd["label"]
    one = quick().fit(X, y, annotators=np.zeros(len(y), dtype=int))
    none = quick().fit(X, y)
    assert none.annotators_ is None
    assert none.annotator_matrices_ is None
    assert none.annotator_estimate_ is None
    assert one.noise_matrix_ == pytest.approx(none.noise_matrix_, abs=0.08)


def test_annotators_beside_clean_samples(crowd: pd.DataFrame) -> None:
    X, clean = features(crowd), np.arange(len(crowd)) < 90
    noisy = crowd[~clean]
    model = quick("estimated").fit(
        X[~clean], noisy["label"], annotators=noisy["who"], X_clean=X[clean], y_clean=crowd["truth"][clean]
    )
    right = model.annotator_matrices_.diagonal(axis1=1, axis2=2).mean(axis=1)
    counted = (crowd["label"] == crowd["truth"]).groupby(crowd["who"]).mean()
    assert right == pytest.approx(counted.to_numpy(), abs=0.05)


def test_known_matrices_are_taken_as_they_are(crowd: pd.DataFrame) -> None:
    Q = np.stack([np.eye(3) * (1.5 * r - 0.5) + (1 - (1.5 * r - 0.5)) / 3 for r in RIGHT.values()])
    model = quick("known", noise_matrix=Q).fit(features(crowd), crowd["label"], annotators=crowd["who"])
    assert model.annotator_matrices_ == pytest.approx(Q, abs=1e-6)
    assert model.annotator_estimate_ is None


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("normal", {}, "annotators would change nothing with method 'normal'"),
        ("learned", {"noise_trainable": True}, "here it learns by gradient"),
        ("known", {"noise_matrix": np.eye(3)}, r"noise_matrix must have shape \(3, K, K\)"),
        (
            "known",
            {"noise_matrix": np.stack([np.eye(3)] * 2)},
            "is for 2 annotators, and the labels come from 3",
        ),
    ],
)
def test_what_would_change_nothing_is_refused(
    crowd: pd.DataFrame, method: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quick(method, **changes).fit(features(crowd), crowd["label"], annotators=crowd["who"])


def test_matrices_of_annotators_need_annotators(crowd: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="say with annotators= who gave each label"):
        quick("known", noise_matrix=np.stack([np.eye(3)] * 2)).fit(features(crowd), crowd["label"])


@pytest.mark.parametrize(
    ("annotators", "message"),
    [
        (["a"], "one annotator per label"),
        (["a", "", "b"], r"no annotator in 1 rows \(1, counting from 0\)"),
        (["a", float("nan"), "b"], r"no annotator in 1 rows \(1, counting"),  # NumPy would make "nan" of it
        (pd.array([1, 2, None], dtype="Int64"), r"no annotator in 1 rows \(2, counting"),
        (["a", 1, "b"], "annotators must be of one type that sorts; got int, str. Make texts"),
    ],
)
def test_annotators_that_do_not_fit(annotators: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_arrays(np.eye(3), [0, 1, 1]).with_annotators(annotators, "annotators")


def test_a_batch_with_annotators_has_the_loss_of_each_label_through_its_matrix() -> None:
    inputs = from_arrays(torch.zeros(4, 2)).inputs
    labels, who = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 1, 0])
    parts = [
        Part(inputs, labels, Trust.NOISY, who),
        Part(from_arrays(torch.zeros(1, 2)).inputs, torch.tensor([1]), Trust.CLEAN),
    ]
    _, y, kinds, annotators = JoinedDataset(parts).__getitems__([1, 0, 4])
    matrices = torch.tensor([[[0.9, 0.2], [0.1, 0.8]], [[0.6, 0.5], [0.4, 0.5]]])
    logits = torch.tensor([[0.3, -1.0], [0.0, 2.0], [1.0, 0.5]])
    p = logits.softmax(dim=1)
    expected = -((matrices[1, 1] @ p[0]).log() + (matrices[0, 0] @ p[1]).log() + p[2, 1].log()) / 3
    module = NoisyLabelModule(torch.nn.Identity(), NoiseLayer(2, matrices, trainable=False))
    loss = module._mixture((logits, y, kinds, annotators))
    torch.testing.assert_close(loss, expected)


def test_a_column_of_the_table_or_of_the_file_of_labels(
    table: Path, crowd: pd.DataFrame, tmp_path: Path
) -> None:
    data = read_data(table, annotator_column="who")
    assert data.annotator_names == tuple(RIGHT)
    assert data.inputs.shape == (2,)  # it is no feature
    assert "3 annotators: copied" in data.summary()
    np.savez(
        tmp_path / "x.npz", x=features(crowd), who=crowd["who"].to_numpy(str), y=crowd["label"].to_numpy(str)
    )
    for options in ({"labels": str(table), "label_column": "label"}, {}):
        other = read_data(tmp_path / "x.npz", annotator_column="who", **options)
        assert torch.equal(other.annotators, data.annotators)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="annotator_column is for an .npz file"):
        read_data(tmp_path / "images", annotator_column="who")
    with pytest.raises(InputError, match="'whom'.*who"):
        read_data(table, annotator_column="whom")


def test_train_and_its_report_tell_the_annotators_apart(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run("train", table, "--annotator-column", "who", "--method", "learned", "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    figures = json.loads((out / "annotators.json").read_text())
    assert [one["name"] for one in figures["annotators"]] == list(RIGHT)
    assert figures["annotators"][1]["accuracy"] == pytest.approx(0.95, abs=0.1)
    page = (out / "report.html").read_text()
    assert "How good each annotator is" in page
    assert "expert" in page
    assert run("predict", out, table, "--out", tmp_path / "said.csv").exit_code == 0


def test_a_method_without_matrix_is_refused_before_anything_is_written(
    run: Run, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = run("train", table, "--annotator-column", "who", "--method", "normal", "--out", out, *FAST)
    assert result.exit_code == 2
    assert "annotators would change nothing" in " ".join(result.output.split())
    assert not out.exists()


def test_an_audit_judges_every_label_by_its_annotator(
    run: Run, table: Path, crowd: pd.DataFrame, tmp_path: Path
) -> None:
    wrong = (crowd["label"] != crowd["truth"]).to_numpy()
    precise = {}
    for name, options in {"all": (), "each": ("--annotator-column", "who")}.items():
        annotator = table
        if not options:  # a column of annotators would be a feature
            annotator = tmp_path / "plain.csv"
            crowd[["x0", "x1", "label"]].to_csv(annotator, index=False)
        result = run("audit", annotator, *options, "--out", tmp_path / name, "--folds", 2, *FAST)
        assert result.exit_code == 0, result.output
        audit = load_audit(tmp_path / name)
        errors = audit.labels.sort_values("sample")["error_probability"].to_numpy()
        precise[name] = float(np.square(errors - wrong).mean())
    assert precise["each"] < precise["all"]
    assert audit.annotators is not None
    assert "3 annotators; right labels of the worst: copied" in result.output
    called = audit.labels[audit.labels["is_error"]]
    assert (called["suggested_label"] != called["given_label"]).all()
    assert "How good each annotator is" in (tmp_path / "each" / "report.html").read_text()
    assert not (tmp_path / "all" / "annotators.json").exists()

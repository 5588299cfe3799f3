"""``noiselayer audit`` from files to a folder, its refusals, and going on with it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result

from noiselayer.storage.audit_folder import load_audit

Run = Callable[..., Result]
FAST = (
    *("--model", "linear", "--epochs", 20, "--batch-size", 16, "--learning-rate", 0.1, "--folds", 2),
    *("--accelerator", "cpu"),
)


@pytest.fixture
def probs(vectors: Path, tmp_path: Path) -> Path:
    """Of a model that knows the truth well."""
    with np.load(vectors) as file:
        true = file["y_true"]
    np.save(tmp_path / "probs.npy", (np.eye(3)[true] * 0.94 + 0.02).astype(np.float32))
    return tmp_path / "probs.npy"


def test_models_are_cross_fitted_and_find_the_errors(run: Run, vectors: Path, tmp_path: Path) -> None:
    result = run("audit", vectors, "--labels", "y", "--out", tmp_path / "audit", *FAST)
    assert result.exit_code == 0, result.output
    assert "Fold 2 of 2." in result.output
    assert "labels are expected to be wrong" in result.output
    audit = load_audit(tmp_path / "audit")
    with np.load(vectors) as file:
        wrong = file["y"] != file["y_true"]
    assert (audit.probs_predict, audit.folds, audit.num_samples) == ("given", 2, 90)
    assert audit.class_names == ("cat", "dog", "bird")
    found = audit.labels["sample"][audit.labels["is_error"]]
    assert len(found) > 0
    assert wrong[found].mean() > 0.7
    assert audit.counts["all"]["low"] <= wrong.sum() <= audit.counts["all"]["high"]
    assert not (tmp_path / "audit" / "folds").exists()
    assert {p.name for p in (tmp_path / "audit").iterdir()} == {
        *("audit.json", "audit_plan.json", "labels.parquet", "noise_matrix.csv"),
        *("noise_matrix_standard_error.csv", "probs.parquet", "report.html"),
    }
    probs = ("--probs", tmp_path / "audit" / "probs.parquet", "--probs-predict", "given")
    kept = run("audit", vectors, "--labels", "y", *probs, "--out", tmp_path / "kept", "--suggest-checks", 9)
    assert kept.exit_code == 0, kept.output
    assert load_audit(tmp_path / "kept").counts == audit.counts
    page = (tmp_path / "audit" / "report.html").read_text(encoding="utf-8")
    (tmp_path / "audit" / "report.html").unlink()  # as if killed before it was written
    again = run("audit", vectors, "--labels", "y", "--out", tmp_path / "audit", *FAST, "--resume")
    assert again.exit_code == 0, again.output
    assert "finished already" in again.output
    assert (tmp_path / "audit" / "report.html").read_text(encoding="utf-8") == page
    other = run(
        "audit", vectors, "--labels", "y", "--out", tmp_path / "audit", *FAST, "--seed", 1, "--resume"
    )
    assert other.exit_code == 2
    assert "was started otherwise, so it cannot be resumed: options.seed was not given, now 1" in other.output


def test_probabilities_from_a_file(run: Run, vectors: Path, probs: Path, tmp_path: Path) -> None:
    arguments = ["audit", vectors, "--labels", "y", "--probs", probs, "--probs-predict", "true", "--top", 5]
    result = run(*arguments, "--out", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    audit = load_audit(tmp_path / "audit")
    with np.load(vectors) as file:
        wrong = file["y"] != file["y_true"]
        true = file["y_true"]
    assert audit.labels["rank"].tolist() == list(range(5))
    assert wrong[audit.labels["sample"]].all()
    assert audit.labels["suggested_class"].tolist() == true[audit.labels["sample"]].tolist()
    assert audit.labels["id"].tolist() == [str(k) for k in audit.labels["sample"]]
    assert (audit.probs_predict, audit.folds) == ("true", None)
    np.savetxt(tmp_path / "probs.csv", np.load(probs), delimiter=",", header="bird,cat,dog", comments="")
    by_name = run(
        *("audit", vectors, "--labels", "y", "--probs", tmp_path / "probs.csv", "--probs-predict", "true"),
        *("--out", tmp_path / "named"),
    )
    assert by_name.exit_code == 0, by_name.output
    assert load_audit(tmp_path / "named").counts["all"]["flagged"] > 60  # the columns are of other classes


def test_a_runs_own_training_data_are_refused(run: Run, vectors: Path, tmp_path: Path) -> None:
    trained = run(
        *("train", vectors, "--labels", "y", "--out", tmp_path / "run", "--method", "normal"),
        *("--model", "linear", "--epochs", 3),
    )
    assert trained.exit_code == 0, trained.output
    arguments = ["audit", vectors, "--labels", "y", "--run", tmp_path / "run", "--accelerator", "cpu"]
    refused = run(*arguments, "--out", tmp_path / "audit")
    assert refused.exit_code == 2
    assert "was trained on these very labels" in refused.output
    assert not (tmp_path / "audit").exists()
    allowed = run(*arguments, "--out", tmp_path / "audit", "--in-sample")
    assert allowed.exit_code == 0, allowed.output
    assert "a model that has seen these labels" in load_audit(tmp_path / "audit").warnings[0]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--probs", "PROBS"], "--probs needs --probs-predict"),
        (["--probs-predict", "true"], "--probs-predict is about --probs"),
        (["--probs", "PROBS", "--probs-predict", "true", "--epochs", "3"], "--epochs would train models"),
        (["--probs", "PROBS", "--probs-predict", "true", "--run", "x"], "give one of them"),
        (["--in-sample"], "--in-sample is about --run"),
        (["--folds", "1"], "folds must be at least 2"),
        (["--threshold", "2"], "threshold is an error probability"),
        (["--probs", "nowhere.npy", "--probs-predict", "true"], "cannot read nowhere.npy"),
        (["--probs", "SHORT", "--probs-predict", "true"], r"must hold a row for each of the 90 samples"),
        (["--probs", "LOGITS", "--probs-predict", "true"], "If these are logits, apply softmax"),
    ],
)
def test_what_it_refuses(
    run: Run, vectors: Path, probs: Path, tmp_path: Path, extra: list[str], message: str
) -> None:
    np.save(tmp_path / "short.npy", np.load(probs)[:7])
    np.save(tmp_path / "logits.npy", 5 * np.load(probs))
    names = {"PROBS": probs, "SHORT": tmp_path / "short.npy", "LOGITS": tmp_path / "logits.npy"}
    words = [names.get(word, word) for word in extra]
    result = run("audit", vectors, "--labels", "y", "--out", tmp_path / "audit", *words)
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")


def test_a_folder_in_use_is_left_alone(run: Run, vectors: Path, probs: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    arguments = ["audit", vectors, "--labels", "y", "--probs", probs, "--probs-predict", "true"]
    result = run(*arguments, "--out", tmp_path / "used")
    assert result.exit_code == 2
    assert "is in use (it holds mine.txt)" in result.output
    assert "no audit to resume" in run(*arguments, "--out", tmp_path / "used", "--resume").output
    assert [file.name for file in (tmp_path / "used").iterdir()] == ["mine.txt"]


def test_a_given_matrix_is_used(run: Run, vectors: Path, probs: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("0.8,0.1,0.1\n0.1,0.8,0.1\n0.1,0.1,0.8\n")
    result = run(
        *(
            "audit",
            vectors,
            "--labels",
            "y",
            "--probs",
            probs,
            "--probs-predict",
            "true",
            "--out",
            tmp_path / "audit",
        ),
        *("--noise-matrix", tmp_path / "q.csv", "--threshold", 0.5),
    )
    assert result.exit_code == 0, result.output
    audit = load_audit(tmp_path / "audit")
    torch.testing.assert_close(audit.noise_matrix, torch.full((3, 3), 0.1).fill_diagonal_(0.8))
    assert audit.threshold == 0.5
    assert audit.standard_error is None


@pytest.mark.parametrize("form", ["table", "text"])
@pytest.mark.parametrize("method", ["normal", "learned"])
def test_a_label_that_stands_once_is_taken_to_be_right(
    run: Run, tmp_path: Path, form: str, method: str
) -> None:
    """One row of a rare class does not stand in the way of judging the others."""
    true = np.arange(241) % 2
    words = np.array([["small furry mouse", "great grey whale"][k] for k in true])
    given = np.array(["mouse", "whale"])[np.where(np.arange(241) % 10 == 3, 1 - true, true)]
    given[200] = "owl"
    generator = np.random.default_rng(0)
    x = generator.normal(size=241) + 6 * true
    pd.DataFrame({"words": words, "x": x, "label": given}).to_csv(tmp_path / "data.csv", index=False)
    features = ["--text-column", "words"] if form == "text" else ["--features", "x", "--model", "linear"]
    fast = [] if form == "text" else ["--epochs", "5", "--accelerator", "cpu", "--learning-rate", "0.1"]
    audit = ["audit", f"{tmp_path}/data.csv", "--out", f"{tmp_path}/a", "--method", method, "--folds", "2"]
    result = run(*audit, "--no-progress", *features, *fast)
    if (form, method) == ("table", "learned"):
        assert result.exit_code == 2
        assert "leave the sample out, or audit with --method normal" in " ".join(result.stderr.split())
        return
    assert result.exit_code == 0, result.output
    assert "'owl': a label that stands once cannot be judged" in " ".join(result.stderr.split())
    labels = load_audit(tmp_path / "a").labels.set_index("sample")
    assert not labels["is_error"][200]
    assert labels["error_probability"][200] < 0.01
    wrong = set(np.flatnonzero(np.arange(241) % 10 == 3).tolist()) - {200}
    found = set(labels.index[labels["is_error"]])
    assert len(found & wrong) >= 0.9 * len(wrong)

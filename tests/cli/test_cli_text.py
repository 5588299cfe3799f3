"""Texts and embeddings from files: train, audit, predict, report and review without a network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from noiselayer import load_run

Run = Callable[..., Result]
TOPICS = [["purr", "kitten", "meow", "claw"], ["bark", "leash", "puppy", "fetch"]]
NAMES = np.array(["cat", "dog"])


def sentences(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(2, size=count)
    common = ["the", "a", "house", "street", "yesterday", "we", "saw", "some", "walk"]
    return [" ".join([*generator.choice(common, 5), generator.choice(TOPICS[k])]) for k in truth], truth


@pytest.fixture
def comments(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """240 sentences, a tenth mislabelled, 40 checked; and the truth."""
    texts, truth = sentences(240, 0)
    generator = np.random.default_rng(1)
    noisy = np.where(generator.random(240) < 0.1, 1 - truth, truth)
    frame = pd.DataFrame({"text": texts, "label": NAMES[noisy], "human": NAMES[truth]})
    frame.loc[40:, "human"] = None
    frame.to_csv(tmp_path / "comments.csv", index=False)
    return tmp_path / "comments.csv", truth


SAID = ("--text-column", "text", "--label-column", "label")


def test_a_run_on_texts_predicts_reports_and_is_reviewed(
    run: Run, comments: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, truth = comments
    folder = tmp_path / "run"
    done = run(
        "train", path, *SAID, "--ignore", "human", "--method", "known", *matrix(tmp_path), "--out", folder
    )
    assert done.exit_code == 0, done.output
    assert "Model head: a linear classifier of" in done.output
    assert not list(folder.glob("*.ckpt")) + list(folder.glob("*.pkl"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["head"]["taken"] == "noise matrix"
    texts, new = sentences(60, 2)
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "new.csv", index=False)
    assert run("predict", folder, tmp_path / "new.csv", "--out", tmp_path / "said.csv").exit_code == 0
    said = pd.read_csv(tmp_path / "said.csv")["label"]
    assert (said == NAMES[new]).mean() > 0.9
    assert load_run(folder).predict(texts).labels == said.tolist()
    page = run("report", folder)
    assert page.exit_code == 0, page.output
    written = run("export-review", folder, "--format", "csv")
    assert written.exit_code == 0, written.output
    review = pd.read_csv(folder / "review.csv")
    rows = review["sample"].to_numpy()
    frame = pd.read_csv(path)
    assert review["shown"].tolist() == [f"text: {text}" for text in frame["text"][rows]]
    assert (frame["label"][rows].to_numpy() != NAMES[truth[rows]]).mean() > 0.7
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert frame["text"][rows[0]] in html
    assert "Every label was judged by a classifier that has not seen it" in html
    review["decision"] = "accept"
    review.to_csv(tmp_path / "decided.csv", index=False)
    applied = run(
        "apply-review",
        path,
        tmp_path / "decided.csv",
        "--label-column",
        "label",
        "--out",
        tmp_path / "new2.csv",
    )
    assert applied.exit_code == 0, applied.output
    before, after = (
        (table["label"] == NAMES[truth]).mean() for table in (frame, pd.read_csv(tmp_path / "new2.csv"))
    )
    assert after > before + 0.02


def matrix(folder: Path) -> tuple[str, str]:
    pd.DataFrame([[0.9, 0.1], [0.1, 0.9]], columns=NAMES, index=NAMES).to_csv(
        folder / "Q.csv", index_label="noisy \\ true"
    )
    return "--noise-matrix", str(folder / "Q.csv")


def test_an_audit_of_texts_finds_wrong_labels_and_uses_checked_ones(
    run: Run, comments: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, truth = comments
    done = run("audit", path, *SAID, "--checked-column", "human", "--out", tmp_path / "audit")
    assert done.exit_code == 0, done.output
    assert "Of 40 labels that have been checked" in done.output
    labels = pd.read_parquet(tmp_path / "audit" / "labels.parquet").sort_values("rank")
    wrong = pd.read_csv(path)["label"].to_numpy() != NAMES[truth]
    assert wrong[labels["sample"].head(5)].all()
    page = (tmp_path / "audit" / "report.html").read_text(encoding="utf-8")
    assert pd.read_csv(path)["text"][labels["sample"].iloc[0]] in page


def test_an_audit_of_texts_is_corrected_by_what_somebody_has_looked_at(
    run: Run, comments: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, truth = comments
    first, second, words = (
        tmp_path / "first",
        tmp_path / "second",
        ("audit", path, *SAID, "--ignore", "human"),
    )
    done = run(*words, "--suggest-checks", 30, "--out", first)
    assert done.exit_code == 0, done.output
    again = f"--probs {first / 'probs.parquet'} --probs-predict given"
    assert again in " ".join(done.output.split())
    checks = pd.read_csv(first / "checks.csv", dtype={"decision": object, "new_label": object})
    checks["decision"], checks["new_label"] = "pick", NAMES[truth[checks["sample"]]]
    checks.to_csv(tmp_path / "decided.csv", index=False)
    done = run(*words, *again.split(), "--reviewed", tmp_path / "decided.csv", "--out", second)
    assert done.exit_code == 0, done.output
    found = json.loads((second / "audit.json").read_text(encoding="utf-8"))
    wrong = int((pd.read_csv(path)["label"].to_numpy() != NAMES[truth]).sum())
    low, high = found["counts"]["all"]["low"], found["counts"]["all"]["high"]
    assert low <= wrong <= high


def test_checked_texts_train_too(run: Run, comments: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, _ = comments
    done = run("train", path, *SAID, "--checked-column", "human", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["samples"]["clean_train"] == 40
    assert "Method gold: 40 trusted labels choose between classifiers" in done.output
    assert metrics["head"]["taken"] in ("gold", "plain", "matrices", "taught")
    assert metrics["estimate"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "of checked labels held out" in page


def test_checked_texts_in_a_file_of_their_own_keep_their_given_labels(
    run: Run, comments: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    frame = pd.read_csv(comments[0])
    frame[["text", "label"]].to_csv(tmp_path / "all.csv", index=False)
    checked = frame.dropna(subset="human")
    checked[["text", "human"]].rename(columns={"human": "label"}).to_csv(tmp_path / "gold.csv", index=False)
    words = ("train", tmp_path / "all.csv", *SAID, "--clean", tmp_path / "gold.csv")
    refused = run(*words, "--out", tmp_path / "refused")
    assert refused.exit_code == 2
    assert "--overlapping drop" in refused.output
    done = run(*words, "--overlapping", "drop", "--out", tmp_path / "apart")
    assert done.exit_code == 0, done.output
    wrong = int((checked["label"] != checked["human"]).sum())
    assert f"Of 40 labels that have been checked, {wrong} were wrong." in done.output
    together = run("train", comments[0], *SAID, "--checked-column", "human", "--out", tmp_path / "together")
    assert together.exit_code == 0, together.output
    matrices = [(tmp_path / name / "noise_matrix.csv").read_text() for name in ("apart", "together")]
    assert matrices[0] == matrices[1]


@pytest.mark.parametrize("apart", [False, True])
def test_a_class_that_only_checked_labels_name_is_learned_once_it_is_named(
    run: Run, tmp_path: Path, apart: bool
) -> None:
    generator = np.random.default_rng(0)
    truth = generator.choice(["cat", "dog", "owl"], 200)
    sounds = {"cat": "meow purr", "dog": "bark woof", "owl": "hoot night"}
    table = pd.DataFrame({"text": [f"{sounds[name]} {n % 23}" for n, name in enumerate(truth)]})
    table["label"] = np.where(truth == "owl", generator.choice(["cat", "dog"], 200), truth)
    table["human"] = np.where(np.arange(200) < 40, truth, None)
    table["id"] = np.arange(200)
    table.to_csv(tmp_path / "all.csv", index=False)
    table[["id", "text", "human"]].head(40).to_csv(tmp_path / "gold.csv", index=False)
    sets = ("--checked-column", "human")
    if apart:
        table.drop(columns="human").to_csv(tmp_path / "all.csv", index=False)
        sets = ("--clean", tmp_path / "gold.csv", "--clean-labels", "human", "--overlapping", "drop")
    words = ("train", tmp_path / "all.csv", *SAID, *sets)
    refused = run(*words, "--out", tmp_path / "run")
    assert refused.exit_code == 2
    assert "'owl'" in refused.output
    assert "name all classes with --class-names if it is one" in " ".join(refused.output.split())
    words = (*words, "--class-names", "cat,dog,owl")
    refused = run(*words, "--method", "learned", "--out", tmp_path / "run")
    assert refused.exit_code == 2
    assert "is of 'owl', which trusted labels name; method learned cannot" in " ".join(refused.output.split())
    done = run(*words, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "no label is of 'owl': only the checked samples speak for such a class" in done.output
    Q = pd.read_csv(tmp_path / "run" / "noise_matrix.csv", index_col=0)
    assert Q.loc["owl"].max() < 0.05  # nothing is called so
    assert Q["owl"].drop("owl").min() > 0.2  # and what is, is called the others
    done = run("predict", tmp_path / "run", tmp_path / "all.csv", "--out", tmp_path / "found.csv")
    assert done.exit_code == 0, done.output
    found = pd.read_csv(tmp_path / "found.csv")["label"].to_numpy()
    assert (found == truth).mean() > 0.95


def test_what_does_not_suit_texts_is_said(
    run: Run, comments: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, _ = comments
    out = ("--out", tmp_path / "x")
    for words, message in {
        (
            "--epochs",
            "3",
        ): "--epochs is for networks; the head, which texts, sparse matrices and embeddings get, is fitted",
        ("--method", "refined"): "--method refined lets a network and the matrix learn on together",
        ("--features", "text"): "--text-column excludes --features",
        ("--embed", "tfid"): "there are no features 'tfid'. Did you mean 'tfidf'?",
    }.items():
        done = run("train", path, *SAID, *words, "--ignore", "human", *out)
        assert done.exit_code != 0
        assert message in " ".join(done.output.split())
    tuned = run("tune", path, *SAID, "--ignore", "human", "--trials", "1", *out)
    assert "a search has nothing to find for the head" in " ".join(tuned.output.split())
    told = run("train", path, "--label-column", "label", "--ignore", "human", *out)
    assert "If these are texts to learn from, say --text-column text." in " ".join(told.output.split())
    assert not (tmp_path / "x").exists()


def test_a_column_of_embeddings_gets_the_head_unless_a_network_is_asked_for(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=120)
    X = generator.normal(size=(120, 64)) + 3 * np.eye(2, 64)[truth]
    pd.DataFrame({"e": list(X), "label": NAMES[truth]}).to_parquet(tmp_path / "data.parquet")
    np.save(tmp_path / "x.npy", X)
    said = ("--label-column", "label", "--method", "normal")
    done = run("train", tmp_path / "data.parquet", *said, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "Model head: a linear classifier of 64 features" in done.output
    for data in ("data.parquet", "x.npy"):
        found = run("predict", tmp_path / "run", tmp_path / data)
        assert found.exit_code == 0, found.output
        labels = [line.split(",")[1] for line in found.output.splitlines() if line[:1].isdigit()]
        assert (np.array(labels) == NAMES[truth]).mean() > 0.95
    planned = run(
        "train", tmp_path / "data.parquet", *said, "--epochs", "2", "--dry-run", "--out", tmp_path / "b"
    )
    assert "model mlp" in planned.output, planned.output
    told = run(
        "train",
        tmp_path / "data.parquet",
        *said,
        "--model",
        "head",
        "--batch-size",
        "8",
        "--out",
        tmp_path / "b",
    )
    assert "--batch-size is for networks" in " ".join(told.output.split())
    two = pd.DataFrame({"e": list(X), "size": X[:, 0], "label": NAMES[truth]})
    two.to_parquet(tmp_path / "two.parquet")
    told = run("audit", tmp_path / "two.parquet", "--label-column", "label", "--out", tmp_path / "c")
    assert "to learn from it alone, say --features e" in " ".join(told.output.split())
    labels = f"{tmp_path / 'two.parquet'}:label"
    done = run("audit", tmp_path / "x.npy", "--labels", labels, "--out", tmp_path / "c")
    assert done.exit_code == 0, done.output
    assert "Model head" in done.output

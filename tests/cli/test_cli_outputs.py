"""No command writes over what it reads, whatever the user permits; what it writes is what was meant."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from noiselayer.files.whole_file import write_rows

Run = Callable[..., Result]
FAST = ("--model", "linear", "--epochs", 1, "--method", "normal")


@pytest.fixture
def labels(run: Run, tmp_path: Path) -> Path:
    """Labels of two classes, one of which a spreadsheet would take for a formula, audited into ``audit``."""
    truth = np.arange(60) % 2
    given = np.where(np.arange(60) == 7, 0, truth)
    names = np.array(["cat", "=1+1"])
    write_rows(tmp_path / "labels.csv", ["label"], [[name] for name in names[given].tolist()])
    header = ["p(cat)", "p(=1+1)"]
    write_rows(tmp_path / "probs.csv", header, (np.eye(2)[truth] * 0.9 + 0.05).tolist())
    words = ("--probs", tmp_path / "probs.csv", "--probs-predict", "true", "--out", tmp_path / "audit")
    result = run("audit", tmp_path / "labels.csv", *words)
    assert result.exit_code == 0, result.output
    return tmp_path / "labels.csv"


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "{data}", "--out", "{data}"),
        ("train", "{data}", "--out", "{data}", *FAST),
        ("tune", "{data}", "--search", "alpha=0.1:0.9", "--method", "top-down", "--out", "{data}"),
        ("corrupt", "{data}", "--noise", "symmetric", "--out", "{data}", "--force"),
        ("combine", "{data}", "--label-columns", "label,label2", "--out", "{data}", "--force"),
        ("estimate", "--true-labels", "{data}", "--given-labels", "{data}", "--out", "{data}", "--force"),
        ("export-review", "{audit}", "--out", "{data}", "--force"),
        ("apply-review", "{data}", "{audit}/review.csv", "--out", "{data}", "--force"),
    ],
    ids=lambda words: words[0],
)
def test_data_are_never_written_over(
    run: Run, labels: Path, tmp_path: Path, words: tuple[object, ...]
) -> None:
    decision = [[7, "7", "cat", "accept", "=1+1"]]
    write_rows(
        tmp_path / "audit" / "review.csv", ["sample", "id", "given_label", "decision", "new_label"], decision
    )
    before = labels.read_bytes()
    places = {"data": labels, "audit": tmp_path / "audit"}
    result = run(*(str(word).format(**places) for word in words))
    assert result.exit_code == 2, result.output
    assert labels.read_bytes() == before
    assert "labels.csv" in result.output
    assert "--out" in result.output


def test_the_page_of_an_audit_is_not_written_into_its_data(run: Run, labels: Path, tmp_path: Path) -> None:
    before = labels.read_bytes()
    (tmp_path / "page.html").hardlink_to(labels)
    result = run("report", tmp_path / "audit", "--out", tmp_path / "page.html", "--force")
    assert result.exit_code == 2
    assert "is read here, so it cannot be written too; name another with --out" in result.output
    assert labels.read_bytes() == before


def test_no_cell_of_an_export_is_a_formula_and_all_come_back(run: Run, labels: Path, tmp_path: Path) -> None:
    review = tmp_path / "review.csv"
    assert run("export-review", tmp_path / "audit", "--out", review).exit_code == 0
    with review.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["sample"], row["given_label"], row["suggested_label"]) for row in rows] == [
        ("7", "cat", "'=1+1")
    ]
    rows[0]["decision"] = "accept"
    write_rows(review, list(rows[0]), [list(row.values()) for row in rows])
    result = run("apply-review", labels, review, "--out", tmp_path / "corrected.csv")
    assert result.exit_code == 0, result.output
    corrected = (tmp_path / "corrected.csv").read_text(encoding="utf-8").splitlines()
    assert corrected[8] == "=1+1"
    assert corrected[1:8] == labels.read_text(encoding="utf-8").splitlines()[1:8]


def test_a_carriage_return_stays_in_its_cell(tmp_path: Path) -> None:
    rows = [["a\rb", "1.5", None], ["c", "\r\n", "d"]]
    write_rows(tmp_path / "a.csv", ["x", "y", "z"], rows)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["x", "y", "z"], ["a\rb", "1.5", ""], ["c", "\r\n", "d"]]


def test_all_files_of_a_run_can_be_read_by_the_same_people(run: Run, vectors: Path, tmp_path: Path) -> None:
    result = run("train", vectors, "--labels", "y", "--out", tmp_path / "run", *FAST)
    assert result.exit_code == 0, result.output
    modes = {file.stat().st_mode & 0o777 for file in (tmp_path / "run").iterdir() if file.is_file()}
    assert len(modes) == 1


def test_a_tilde_is_the_home_folder_in_every_path(
    run: Run, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    result = run("corrupt", "~/labels.csv", "--out=~/noisy.csv")
    assert result.exit_code == 0, result.output
    assert run("report", "~/audit", "--out=~/page.html").exit_code == 0
    assert {"noisy.csv", "page.html"} <= {file.name for file in labels.parent.iterdir()}

"""``noiselayer report`` and ``apply-review``: from a folder to a page, from decisions to corrected labels."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file, save_file

from noiselayer.checks import Finding
from noiselayer.report.from_folder import content_from_folder
from noiselayer.storage.audit_folder import LABEL_COLUMNS, SavedAudit, save_audit
from noiselayer.storage.matrix_file import write_noise_matrix

Run = Callable[..., Result]
SHORT = ("--epochs", 2, "--batch-size", 16, "--model", "linear")


@pytest.fixture
def trained(run: Run, vectors: Path, tmp_path: Path) -> Path:
    Q = torch.tensor([[0.8, 0.0, 0.1], [0.2, 0.9, 0.0], [0.0, 0.1, 0.9]])
    write_noise_matrix(tmp_path / "q.csv", Q, ["cat", "dog", "bird"])
    known = ("--method", "known", "--noise-matrix", tmp_path / "q.csv")
    result = run("train", vectors, "--labels", "y", *known, "--out", tmp_path / "run", *SHORT)
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


@pytest.fixture
def audited(vectors: Path, tmp_path: Path) -> Path:
    rows = [[k, str(k), k % 3, (k + 1) % 3, 0.9 - k / 100, k < 4, k] for k in range(6)]
    one = {"labels": 30, "expected": 3.0, "low": 1.0, "high": 6.0}
    audit = SavedAudit(
        class_names=("cat", "dog", "bird"),
        probs_predict="given",
        num_samples=90,
        threshold=0.5,
        counts={
            "all": {"expected": 9.0, "low": 5.0, "high": 14.0, "flagged": 4},
            "per_class": [{"class": name, **one} for name in ("cat", "dog", "bird")],
        },
        labels=pd.DataFrame(rows, columns=list(LABEL_COLUMNS)[:7]),
        noise_matrix=torch.tensor([[0.88, 0.0, 0.0], [0.12, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        standard_error=torch.full((3, 3), 0.02),
        findings=(Finding("outside_images", "Some samples show none of the classes.", 4.0, p_value=0.01),),
        origin={"path": str(vectors), "reading": {"labels": "y"}},
        folds=5,
        warnings=("There are few samples.",),
    )
    save_audit(tmp_path / "audit", audit)
    return tmp_path / "audit"


def test_a_run_ends_with_its_page_and_the_command_makes_the_same(run: Run, trained: Path) -> None:
    page = (trained / "report.html").read_bytes()
    result = run("report", trained)
    assert result.exit_code == 0, result.output
    assert (trained / "report.html").read_bytes() == page
    assert "labels to look at" in result.stderr


def test_the_page_says_what_the_run_knows(trained: Path, vectors: Path) -> None:
    # A network that knows the truth: its suspects are the labels that were made wrong, or the matrix allows.
    weights = load_file(trained / "weights.safetensors")
    with np.load(vectors) as arrays:
        x, y, true = arrays["x"], arrays["y"], arrays["y_true"]
    (weight,) = (name for name, value in weights.items() if value.ndim == 2)
    (bias,) = (name for name, value in weights.items() if value.shape == (3,))
    centres = torch.tensor([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])
    weights[weight], weights[bias] = 5 * centres, -2.5 * centres.square().sum(dim=1)
    save_file(weights, trained / "weights.safetensors")
    content = content_from_folder(trained)
    assert all(s.given == y[s.sample] and s.probability > 0.5 for s in content.suspects)
    assert {s.sample for s in content.suspects} & set(np.flatnonzero(y != true).tolist())
    assert [s.probability for s in content.suspects] == sorted(
        (s.probability for s in content.suspects), reverse=True
    )
    assert content.suspects[0].cells == tuple(
        (str(k), f"{v:.4g}") for k, v in enumerate(x[content.suspects[0].sample])
    )
    assert [e.labels for e in content.errors] == np.bincount(y).tolist()
    assert content.apply_command == f"noiselayer apply-review {vectors} decisions.csv --labels y"
    assert content.stages[-1].name == "main stage"
    assert len(content.stages[-1].validation) == 2


def test_an_audit_in_words_and_pictures(run: Run, audited: Path, vectors: Path, tmp_path: Path) -> None:
    result = run("report", audited, "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "4 labels to look at" in result.stderr
    content = content_from_folder(audited)
    assert [s.sample for s in content.suspects] == [0, 1, 2, 3]
    assert [(e.expected, e.low, e.high) for e in content.errors] == [(3.0, 1.0, 6.0)] * 3
    assert [note.name for note in content.notes] == ["Warning", "Outside images"]
    assert "5 models, none of which has seen the labels" in content.facts[0]
    assert "the interval is 5 to 14" in content.facts[1]
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "12 % of true \u2068cat\u2069 carry the label \u2068dog\u2069" in text.replace("\u00a0", " ")
    assert "± 2" in text
    assert "\ufffd" not in text.partition("<script")[0]  # nothing was taken for harmful
    with np.load(vectors) as arrays:
        assert content.suspects[2].cells[0] == ("0", f"{arrays['x'][2, 0]:.4g}")


def test_what_was_reviewed_before_is_not_listed_again(run: Run, audited: Path, tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text(
        "sample,id,given_label,decision,new_label\n0,0,cat,reject,cat\n1,1,dog,unsure,\n3,3,dog,accept,cat\n"
    )
    result = run("report", audited, "--reviewed", tmp_path / "decisions.csv")
    assert result.exit_code == 0, result.output
    text = (audited / "report.html").read_text(encoding="utf-8")
    assert [int(k) for k in re.findall(r'aria-label="Sample (\d+):', text)] == [1, 2]
    assert "2 of these were reviewed before and are left out." in text
    result = run("report", audited, "--top", 1)
    assert result.exit_code == 0, result.output
    text = (audited / "report.html").read_text(encoding="utf-8")
    assert (
        "The 1 surest of 4 labels called wrong, most surely wrong first. noiselayer report with --top 4"
        in text
    )
    result = run("report", audited, "--reviewed", tmp_path / "nowhere.csv")
    assert result.exit_code == 2
    assert "there is no file of decisions" in result.stderr


def test_an_audit_does_not_list_what_was_reviewed_before(run: Run, vectors: Path, tmp_path: Path) -> None:
    with np.load(vectors) as arrays:
        given, true = arrays["y"], arrays["y_true"]
    names = ("cat", "dog", "bird")
    pd.DataFrame(0.02 + 0.94 * np.eye(3)[true], columns=names).to_csv(tmp_path / "probs.csv", index=False)
    wrong = np.flatnonzero(given != true).tolist()
    (tmp_path / "decisions.csv").write_text(
        "sample,id,given_label,decision,new_label\n"
        + "".join(f"{k},{k},{names[given[k]]},reject,{names[given[k]]}\n" for k in wrong[1:])
    )
    probs = ("--labels", "y", "--probs", tmp_path / "probs.csv", "--probs-predict", "true")
    for reviewed, listed in (((), wrong), (("--reviewed", tmp_path / "decisions.csv"), wrong[:1])):
        out = tmp_path / f"audit-{len(listed)}"
        result = run("audit", vectors, *probs, *reviewed, "--out", out)
        assert result.exit_code == 0, result.output
        text = (out / "report.html").read_text(encoding="utf-8")
        assert sorted(map(int, re.findall(r'aria-label="Sample (\d+):', text))) == listed


def test_pages_outlive_their_data(run: Run, trained: Path, vectors: Path, tmp_path: Path) -> None:
    page, beside = trained / "report.html", trained / "report-without-data.html"
    better = page.read_text(encoding="utf-8")
    moved = vectors.rename(tmp_path / "elsewhere.npz")
    result = run("report", trained)
    assert result.exit_code == 0, result.output
    assert f"The data are not at hand, so {page} is kept: say where they are with --data." in result.stderr
    assert f"Written to {beside}: 0 labels to look at" in result.stderr
    assert page.read_text(encoding="utf-8") == better
    assert "Data not at hand" in beside.read_text(encoding="utf-8")
    page.unlink()
    assert "Data not at hand" not in better
    assert run("report", trained, "--data", moved).exit_code == 0
    assert "Data not at hand" not in page.read_text(encoding="utf-8")
    with np.load(moved) as arrays:
        np.savez(tmp_path / "other.npz", **{**arrays, "x": arrays["x"] + 1})
    result = run("report", trained, "--data", tmp_path / "other.npz")
    assert result.exit_code == 2
    assert "is not what the run" in result.stderr


def test_bad_input(run: Run, audited: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("mine")
    for arguments, message in (
        ((tmp_path / "no",), "there is no run and no audit in"),
        ((audited, "--out", tmp_path / "page.pdf"), "--out must end with .html; got"),
        ((audited, "--out", tmp_path / "mine.html"), "--force"),
        ((audited, "--out", tmp_path / "no" / "page.html"), "there is no folder"),
    ):
        result = run("report", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_decisions_are_applied_and_refused(run: Run, vectors: Path, tmp_path: Path) -> None:
    with np.load(vectors) as arrays:
        before, names = arrays["y"], arrays["class_names"]
    given, new = names[before[7]], names[(before[7] + 1) % 3]
    row = {"sample": 7, "id": "7", "given_label": given, "decision": "accept", "new_label": new}
    (tmp_path / "d.json").write_text(json.dumps({"format": 1, "decisions": [row]}))
    result = run("apply-review", vectors, tmp_path / "d.json", "--labels", "y")
    assert result.exit_code == 0, result.output
    assert "1 of 90 labels changed, 0 looked at and kept." in result.stderr
    with np.load(tmp_path / "data.corrected.npz") as arrays:
        assert np.flatnonzero(arrays["y"] != before).tolist() == [7]
        assert names[arrays["y"][7]] == new
    again = run("apply-review", tmp_path / "data.corrected.npz", tmp_path / "d.json", "--labels", "y")
    assert again.exit_code == 2
    assert f"sample 7 carries '{new}'" in again.stderr

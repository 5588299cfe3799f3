"""``noiselayer export-review`` and back: from an audit to another tool's file, and from there to corrected labels."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result
from PIL import Image

from noiselayer.storage.audit_folder import LABEL_COLUMNS, SavedAudit, save_audit

Run = Callable[..., Result]


def audit_of(folder: Path, path: Path, names: list[str], ids: list[str], **reading: object) -> Path:
    """An audit that suspects the first two samples: class 0 should be 1, class 1 should be 0."""
    rows = [[k, ids[k], k % 2, 1 - k % 2, 0.9 - k / 100, True, k] for k in range(2)]
    one = {"labels": 2, "expected": 1.0, "low": 0.0, "high": 2.0}
    audit = SavedAudit(
        class_names=tuple(names),
        probs_predict="given",
        num_samples=4,
        threshold=0.5,
        counts={
            "all": {"expected": 2.0, "low": 1.0, "high": 3.0, "flagged": 2},
            "per_class": [{"class": names[0], **one}],
        },
        labels=pd.DataFrame(rows, columns=list(LABEL_COLUMNS)[:7]),
        noise_matrix=torch.eye(2),
        origin={"path": str(path), "reading": reading},
    )
    save_audit(folder, audit)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    """An audit of small images in an array, classes by name."""
    pixels = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)
    np.savez(tmp_path / "data.npz", x=pixels, y=[0, 1, 0, 1], class_names=["cat", "dog"])
    path = tmp_path / "data.npz"
    return audit_of(tmp_path / "audit", path, ["cat", "dog"], list("0123"), labels="y"), path


def test_label_studio_there_and_back(run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    audit, data = images
    result = run("export-review", audit, "--format", "label-studio")
    assert result.exit_code == 0, result.output
    tasks = json.loads((audit / "review.label-studio.json").read_text(encoding="utf-8"))
    assert '<Choice value="dog"/>' in (audit / "review.label-studio.xml").read_text(encoding="utf-8")
    assert [task["data"]["given_label"] for task in tasks] == ["cat", "dog"]
    assert tasks[0]["data"]["image"].startswith("data:image/png;base64,")
    tasks[0]["annotations"] = [{"result": tasks[0]["predictions"][0]["result"], "was_cancelled": False}]
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    result = run("apply-review", data, tmp_path / "export.json", "--labels", "y")
    assert result.exit_code == 0, result.output
    assert "1 of 4 labels changed, 0 looked at and kept" in result.output
    with np.load(tmp_path / "data.corrected.npz") as arrays:
        assert arrays["y"].tolist() == [1, 1, 0, 1]


def test_fiftyone_gets_files_and_comes_back(run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    audit, data = images
    out = tmp_path / "mine.json"
    result = run("export-review", audit, "--format", "fiftyone", "--out", out, "--top", 1)
    assert result.exit_code == 0, result.output
    made = json.loads(out.read_text(encoding="utf-8"))
    (sample,) = made["samples"]
    with Image.open(sample["filepath"]) as image:
        assert image.size == (6, 6)
    sample["tags"] = ["reject"]
    out.write_text(json.dumps(made), encoding="utf-8")
    result = run("apply-review", data, out, "--labels", "y")
    assert "0 of 4 labels changed, 1 looked at and kept" in result.output


def test_a_prefix_says_where_images_lie(run: Run, images: tuple[Path, Path]) -> None:
    audit, _ = images
    prefix = "/data/local-files/?d=set/"
    for name in ("label-studio", "fiftyone"):
        result = run("export-review", audit, "--format", name, "--media-prefix", prefix)
        assert result.exit_code == 0, result.output
        assert f"{prefix}0" in (audit / f"review.{name}.json").read_text(encoding="utf-8")
    assert not list(audit.glob("*.images"))


def test_a_spreadsheet_of_a_table(run: Run, tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": [30, 40, 50, 60], "label": ["no", "yes", "no", "yes"]})
    frame.to_parquet(tmp_path / "people.parquet")
    data = tmp_path / "people.parquet"
    audit = audit_of(tmp_path / "audit", data, ["no", "yes"], list("0123"), label_column="label")
    result = run("export-review", audit, "--out", tmp_path / "review.csv")
    assert result.exit_code == 0, result.output
    with (tmp_path / "review.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["shown"] for row in rows] == ["age: 30", "age: 40"]
    assert [(row["given_label"], row["suggested_label"]) for row in rows] == [("no", "yes"), ("yes", "no")]
    rows[0]["decision"] = "accept"
    with (tmp_path / "review.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    result = run("apply-review", data, tmp_path / "review.csv", "--label-column", "label")
    assert result.exit_code == 0, result.output
    assert pd.read_parquet(tmp_path / "people.corrected.parquet")["label"].tolist() == [
        "yes",
        "yes",
        "no",
        "yes",
    ]
    # Tables are text to Label Studio, and nothing to FiftyOne.
    assert run("export-review", audit, "--format", "label-studio").exit_code == 0
    tasks = json.loads((audit / "review.label-studio.json").read_text(encoding="utf-8"))
    assert tasks[0]["data"]["text"] == "age: 30"
    refused = run("export-review", audit, "--format", "fiftyone")
    assert refused.exit_code == 2
    assert "no image in a file, which FiftyOne needs" in refused.stderr


def test_unfit_arguments_are_refused(run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    audit, _ = images
    (audit / "review.csv").write_text("mine")
    for words, message in (
        ((tmp_path,), "there is no run and no audit"),
        ((audit,), "already; name another with --out, or write over a file with --force"),
        ((audit, "--out", tmp_path / "a.json"), "--out must end with .csv for csv; got"),
        ((audit, "--out", tmp_path / "no" / "a.csv"), "there is no folder"),
    ):
        result = run("export-review", *words)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    assert (audit / "review.csv").read_text() == "mine"
    assert run("export-review", audit, "--force").exit_code == 0

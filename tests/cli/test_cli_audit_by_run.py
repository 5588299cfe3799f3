"""``noiselayer audit --run`` encodes samples as the run did, and images of several sizes need no size."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from PIL import Image

from noiselayer.storage.audit_folder import load_audit
from noiselayer.storage.loaded_run import load_run

Run = Callable[..., Result]


def ran(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """40 images of two sizes, dark or bright, and a table of their paths."""
    generator = np.random.default_rng(0)
    rows = [("file", "label")]
    for k in range(40):
        name, size = f"photos/{('dark', 'bright')[k % 2]}/{k:02}.png", 8 + 4 * (k % 3 == 0)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(100, size=(size, size, 3)) + 150 * (k % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
        rows.append((name, ("dark", "bright")[(k + (k % 10 == 0)) % 2]))
    with (tmp_path / "photos.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "photos"


def test_a_table_is_encoded_as_in_the_run(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, town = generator.normal(size=120), np.array(["Aba", "Ife", "Jos"] * 40)
    label = np.where(x + (town == "Jos") > 0.3, "yes", "no")
    pd.DataFrame({"x": x, "town": town, "label": label}).to_csv(tmp_path / "old.csv", index=False)
    new = pd.DataFrame({"x": 5 + x, "town": town, "label": label})
    new.to_csv(tmp_path / "new.csv", index=False)
    small = ("--method", "normal", "--model", "linear", "--epochs", 30, "--learning-rate", 0.1)
    named = ("--label-column", "label")
    ran(run("train", tmp_path / "old.csv", *named, *small, "--out", tmp_path / "run"))
    # The column of labels is the run's; numbers are far from those that it has seen.
    ran(run("audit", tmp_path / "new.csv", "--run", tmp_path / "run", "--out", tmp_path / "audit"))
    by_run = load_run(tmp_path / "run").predict(tmp_path / "new.csv")
    audit = load_audit(tmp_path / "audit").labels.sort_values("sample")
    assert set(by_run.labels) == {"yes"}  # all numbers are large
    differ = (audit["given_label"] != "yes").to_numpy()
    assert audit["error_probability"][differ].min() > audit["error_probability"][~differ].max()


def test_images_become_the_features_of_the_run(run: Run, photos: Path, tmp_path: Path) -> None:
    table = photos.with_suffix(".csv")
    ran(run("train", photos, "--method", "normal", "--out", tmp_path / "run"))
    result = ran(
        run(
            *("audit", table, "--image-column", "file", "--label-column", "label", "--run", tmp_path / "run"),
            *("--out", tmp_path / "audit"),
        )
    )
    assert "40 samples of 1,854 features" in result.output
    found = load_audit(tmp_path / "audit").labels.sort_values("rank").head(4)
    assert {int(Path(name).stem) % 10 for name in found["id"]} == {0}  # those whose labels are wrong


def test_images_of_several_sizes_need_none_where_no_pixel_is_looked_at(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    table = (photos.with_suffix(".csv"), "--image-column", "file", "--label-column", "label")
    trained = ran(run("train", *table, "--method", "normal", "--out", tmp_path / "run"))
    assert "Features of patches" in trained.output  # as of the folder
    ran(run("predict", tmp_path / "run", photos, "--probs", "--out", tmp_path / "p.csv"))
    audited = ran(
        run(
            *("audit", photos, "--probs", tmp_path / "p.csv", "--probs-predict", "given", "--out"),
            *(tmp_path / "audit", "--suggest-checks", 5),
        )
    )
    assert "40 labels from folder" in audited.output
    assert (tmp_path / "audit" / "checks.html").read_text(encoding="utf-8").count("<img") >= 5
    checks = pd.read_csv(tmp_path / "audit" / "checks.csv", keep_default_na=False)
    checks.loc[0, ["decision", "new_label"]] = ["Pick ", "Brigt"]
    checks.to_csv(tmp_path / "decisions.csv", index=False)
    again = ("audit", photos, "--probs", tmp_path / "p.csv", "--probs-predict", "given", "--reviewed")
    refused = run(*again, tmp_path / "decisions.csv", "--out", tmp_path / "two")
    assert refused.exit_code == 2
    assert "--reviewed calls" in refused.output
    assert "none of the classes. Did you mean 'bright'?" in " ".join(refused.output.split())

"""The report of an audit of CIFAR-10 with people's labels, in a real browser: filtered, reviewed, exported, applied."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from noiselayer.cli.app import app

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COUNT = 1_200


def run(*words: object) -> None:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder with the images, and an audit of "worse", the noisiest of CIFAR-10N's sets, by a weak model."""
    source = request.getfixturevalue("data_folder") / "cifar10.npz"
    if not source.exists():
        pytest.skip("needs cifar10.npz in NOISELAYER_DATA")
    folder = tmp_path_factory.mktemp("cifar")
    with np.load(source) as arrays:
        chosen = {"x": arrays["x_train"][:COUNT], "y": arrays["cifar10n_worse"][:COUNT].astype(np.int64)}
    np.savez(folder / "images.npz", **chosen, class_names=NAMES)
    run(
        *("audit", folder / "images.npz", "--labels", "y", "--out", folder / "audit", "--accelerator", "cpu"),
        *("--model", "linear", "--folds", 2, "--epochs", 5, "--learning-rate", 0.001, "--no-progress"),
    )
    return folder


@pytest.fixture
def page_file(audited: Path) -> Path:
    return audited / "audit" / "report.html"


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_fits_and_is_small_enough_for_mail(
    opened: Callable[..., Any], page_file: Path, width: int
) -> None:
    assert page_file.stat().st_size < 8_000_000  # 5 MB, and the thumbnails
    watched = opened(page_file, viewport={"width": width, "height": 900})
    assert watched.page.evaluate("document.documentElement.scrollWidth") == width
    assert watched.page.locator(".card img").count() > 20
    assert watched.page.locator("svg.matrix:visible").count() == 1
    watched.check(page_file)


def test_ten_suspects_are_reviewed_and_their_labels_corrected(
    opened: Callable[..., Any], audited: Path, page_file: Path, tmp_path: Path
) -> None:
    rows = pd.read_parquet(audited / "audit" / "labels.parquet").sort_values("rank")
    first = rows.iloc[0]
    watched = opened(page_file)
    page = watched.page
    cards = page.locator(".card:visible")
    shown = cards.count()
    assert shown >= 10

    page.select_option("#pair", f"{first.given_label}-{first.suggested_label}")
    assert 0 < cards.count() < shown
    for text in cards.all_inner_texts():
        assert NAMES[first.given_label] in text
        assert NAMES[first.suggested_label] in text
    page.select_option("#pair", "")
    assert cards.count() == shown

    page.focus("#start")
    page.keyboard.press("Enter")
    for key in "arapaaraaa":
        page.keyboard.press(key)
        if key == "p":
            page.keyboard.type("truck")
            page.keyboard.press("Enter")
    page.reload()
    assert page.inner_text("#progress").startswith("10 of ")

    with page.expect_download() as download:
        page.click("#csv")
    decisions = tmp_path / "decisions.csv"
    decisions.write_bytes(Path(download.value.path()).read_bytes())
    taken = list(csv.DictReader(io.StringIO(decisions.read_text(encoding="utf-8"))))
    assert sorted(int(row["sample"]) for row in taken) == sorted(rows["sample"].iloc[:10])
    assert [row["decision"] for row in taken].count("reject") >= 2
    with page.expect_download() as download:
        page.click("#json")
    assert len(json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["decisions"]) == 10

    out = tmp_path / "corrected.npz"
    run("apply-review", audited / "images.npz", decisions, "--labels", "y", "--out", out)
    with np.load(audited / "images.npz") as before, np.load(out) as after:
        expected = before["y"].copy()
        for row in taken:
            expected[int(row["sample"])] = NAMES.index(row["new_label"])
        np.testing.assert_array_equal(after["labels" if "labels" in after.files else "y"], expected)
        assert 1 <= (expected != before["y"]).sum() <= 10
    watched.check(page_file)

"""Samples go by names of their own: labels, probabilities, reviews and predictions find one another by them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from PIL import Image

from noiselayer.data import read_data
from noiselayer.errors import InputError
from noiselayer.jobs.apply_review import apply_review
from noiselayer.report.from_audit import content_from_audit
from noiselayer.storage.audit_folder import SavedAudit, load_audit
from noiselayer.storage.review.decisions import Decision

Run = Callable[..., Result]
N = 120
CLASSES = ["cat", "dog", "owl"]


@pytest.fixture
def truth() -> np.ndarray:
    return np.arange(N) % 3


@pytest.fixture(params=["backwards", "text"])
def table(request: pytest.FixtureRequest, truth: np.ndarray, tmp_path: Path) -> pd.DataFrame:
    """Every tenth label is missing and every seventh is wrong; names look like numbers of other rows, or are text."""
    labels = np.array(CLASSES, dtype=object)[np.where(np.arange(N) % 7 == 3, (truth + 1) % 3, truth)]
    labels[::10] = None
    names = [str(N - 1 - row) if request.param == "backwards" else f"s{row}" for row in range(N)]
    frame = pd.DataFrame({"id": names, "row": np.arange(N), "label": labels})
    frame.to_csv(tmp_path / "data.csv", index=False)
    return frame


def probabilities(table: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    of_class = 0.8 * np.eye(3)[truth] + 0.2 / 3
    columns = {f"p({name})": of_class[:, k] for k, name in enumerate(CLASSES)}
    return pd.DataFrame({"id": table["id"], **columns})


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


def audit(run: Run, folder: Path, probs: Path, *more: object) -> SavedAudit:
    words = ("audit", folder / "data.csv", "--probs", probs, "--probs-predict", "true")
    done = run(*words, *more, "--out", folder / probs.name.replace(".", "-"))
    assert done.exit_code == 0, done.output
    return load_audit(folder / probs.name.replace(".", "-"))


@pytest.mark.parametrize(("suffix", "named"), [(".csv", True), (".parquet", False)])
def test_probabilities_in_another_order_are_those_of_the_samples_they_name(
    run: Run, table: pd.DataFrame, truth: np.ndarray, tmp_path: Path, suffix: str, named: bool
) -> None:
    in_order = probabilities(table, truth)
    shuffled = in_order.sample(frac=1, random_state=0)
    more = ("--id-column", "id") if named else ()
    found = [
        audit(run, tmp_path, write(probs, tmp_path / f"{name}{suffix}"), *more)
        for name, probs in (
            ("one", in_order),
            ("other", shuffled),
            ("labelled", shuffled.loc[shuffled.index % 10 > 0]),
        )
    ]
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0].labels, other.labels)
    wrong = table.loc[(np.arange(N) % 7 == 3) & (np.arange(N) % 10 > 0), "id" if named else "row"].astype(str)
    called = found[0].labels.loc[found[0].labels["is_error"], "id"]
    if named:
        assert set(called) == set(wrong)
    assert len(called) == len(wrong)


def test_probabilities_in_parquet_of_all_samples_are_matched_too(
    run: Run, table: pd.DataFrame, truth: np.ndarray, tmp_path: Path
) -> None:
    table["label"] = table["label"].fillna("owl")
    table.to_csv(tmp_path / "data.csv", index=False)
    in_order = probabilities(table, truth)
    one = audit(run, tmp_path, write(in_order, tmp_path / "one.parquet"), "--id-column", "id")
    shuffled = write(in_order.sample(frac=1, random_state=0), tmp_path / "other.parquet")
    pd.testing.assert_frame_equal(one.labels, audit(run, tmp_path, shuffled, "--id-column", "id").labels)


def test_a_review_shows_and_corrects_the_row_that_is_named(
    run: Run, table: pd.DataFrame, truth: np.ndarray, tmp_path: Path
) -> None:
    found = audit(
        run,
        tmp_path,
        write(probabilities(table, truth), tmp_path / "p.csv"),
        "--id-column",
        "id",
        "--show",
        "row",
    )
    first = found.labels.iloc[0]
    row = table.index[table["id"] == first["id"]][0]
    content = content_from_audit(found, name="audit", limit=5)
    assert content.suspects[0].cells == (("id", first["id"]), ("row", str(row)))
    assert "--id-column id" in str(content.apply_command)

    decision = Decision(int(first["sample"]), first["id"], first["given_label"], "pick", CLASSES[truth[row]])
    apply_review(tmp_path / "data.csv", [decision], tmp_path / "new.csv", id_column="id")
    if first["id"].startswith("s"):
        with pytest.raises(InputError, match="some rows of .* have no label, so that its row is not known"):
            apply_review(tmp_path / "data.csv", [decision], tmp_path / "other.csv")
    new = pd.read_csv(tmp_path / "new.csv")
    assert new.index[(new["label"] != table["label"]) & table["label"].notna()].tolist() == [row]
    assert new["label"][row] == CLASSES[truth[row]]


def test_what_is_trained_on_keeps_its_names_and_what_is_predicted_on_needs_none(
    run: Run, tmp_path: Path
) -> None:
    frame = pd.DataFrame(
        {"id": [f"s{row}" for row in range(40)], "x": np.arange(40) / 8, "label": np.arange(40) // 20}
    )
    write(frame, tmp_path / "a.csv")
    write(frame[["x"]], tmp_path / "b.csv")
    short = ("--id-column", "id", "--show", "id", "--epochs", 1, "--warm-up-epochs", 1, "--method", "normal")
    done = run("train", tmp_path / "a.csv", *short, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    for name in ("a", "b"):
        done = run("predict", tmp_path / "run", tmp_path / f"{name}.csv", "--out", tmp_path / f"p{name}.csv")
        assert done.exit_code == 0, done.output
    with_names, without = (pd.read_csv(tmp_path / f"p{name}.csv", dtype={"id": str}) for name in ("a", "b"))
    assert with_names["id"].tolist() == frame["id"].tolist()
    assert without["id"].tolist() == [str(row) for row in range(40)]
    assert with_names["label"].tolist() == without["label"].tolist()


def test_a_column_that_names_rows_alike_is_said_and_rows_are_counted(tmp_path: Path) -> None:
    write(pd.DataFrame({"id": ["a", "a", "b"], "x": [1, 2, 3], "label": ["p", "q", "p"]}), tmp_path / "a.csv")
    with pytest.warns(
        UserWarning, match="column 'id' says the same of 1 rows as of others, so samples go by the number"
    ):
        data = read_data(tmp_path / "a.csv", id_column="id")
    assert data.inputs.ids == ("0", "1", "2")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_numbers_that_became_floats_are_the_same_names(run: Run, tmp_path: Path, suffix: str) -> None:
    labels = np.array(["a", "b"])[np.arange(60) % 2]
    table = write(pd.DataFrame({"id": np.arange(1000, 1060), "label": labels}), tmp_path / "all.csv")
    some = pd.DataFrame({"id": np.arange(1059.0, 1019.0, -1), "human": labels[::-1][:40]})
    gold = write(some, tmp_path / f"gold{suffix}")
    words = (
        "--label-column",
        "label",
        "--gold",
        gold,
        "--checked-column",
        "human",
        "--out",
        tmp_path / "found",
    )
    done = run("measure", table, *words)
    assert done.exit_code == 0, done.output
    assert "40 of 60 labels were checked. Right: 100.0 %" in done.output


def test_an_estimate_takes_probabilities_of_the_samples_they_name(
    run: Run, table: pd.DataFrame, truth: np.ndarray, tmp_path: Path
) -> None:
    write(table.assign(label=np.array(CLASSES)[truth]), tmp_path / "labels.csv")
    in_order = probabilities(table, truth)
    found = []
    for name, probs in (("one", in_order), ("other", in_order.sample(frac=1, random_state=0))):
        of_clean, of_noisy = (("--clean-labels", "--clean-probs"), ("--noisy-labels", "--noisy-probs"))
        file = write(probs, tmp_path / f"{name}.csv")
        words = [
            word
            for pair in (of_clean, of_noisy)
            for word in (pair[0], tmp_path / "labels.csv", pair[1], file)
        ]
        done = run("estimate", *words, "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
        found.append((tmp_path / name / "noise_matrix.csv").read_text())
    assert found[0] == found[1]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_images_are_found_by_their_paths_although_a_column_names_them(
    run: Run, truth: np.ndarray, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "images").mkdir()
    files = [f"images/{row}.png" for row in range(N)]
    for name, label in zip(files, truth, strict=True):
        Image.new("RGB", (8, 8), (60 * int(label), 0, 0)).save(tmp_path / name)
    table = pd.DataFrame({"ticket": [f"t{row}" for row in range(N)], "file": files})
    write(table.assign(label=np.array(CLASSES)[truth]), tmp_path / "data.csv")
    in_order = probabilities(table.rename(columns={"file": "id"}), truth)
    found = [
        audit(run, tmp_path, write(probs, tmp_path / name), "--image-column", "file", "--id-column", "ticket")
        for name, probs in ((f"a{suffix}", in_order), (f"b{suffix}", in_order.sample(frac=1, random_state=0)))
    ]
    pd.testing.assert_frame_equal(found[0].labels, found[1].labels)
    assert not found[0].labels["is_error"].any()


def test_row_numbers_in_order_are_no_names_of_a_column_nobody_named(
    run: Run, truth: np.ndarray, tmp_path: Path
) -> None:
    names = [str(N - 1 - row) for row in range(N)]
    table = pd.DataFrame({"id": names, "label": np.array(CLASSES)[truth]})
    write(table, tmp_path / "data.csv")
    by_row = probabilities(table.assign(id=range(N)), truth)  # as predict writes them
    assert not audit(run, tmp_path, write(by_row, tmp_path / "p.csv")).labels["is_error"].any()

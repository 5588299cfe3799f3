"""Labels and probabilities are enough for an audit: nothing is asked of columns that nobody needs."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from noiselayer.data.frames import TABLE_SUFFIXES, table_suffix, write_frame
from noiselayer.data.labels_alone import read_labels_alone
from noiselayer.data.reading import Reading
from noiselayer.errors import InputError
from noiselayer.jobs.audit import audit_files
from noiselayer.jobs.audit_options import AuditJob

NAMES = np.array(["cat", "dog", "owl"])
WRONG = [0, 7, 50]


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    write_frame(frame, path, str(table_suffix(path)))
    return path


def true_classes() -> npt.NDArray[np.int64]:
    return np.arange(90) % 3


def given_labels() -> npt.NDArray[np.int64]:
    labels = true_classes()
    labels[WRONG] = (labels[WRONG] + 1) % 3
    return labels


@pytest.fixture
def probs() -> npt.NDArray[np.float64]:
    return np.asarray(np.eye(3)[true_classes()] * 0.94 + 0.02)


def write_labels(folder: Path, form: str) -> tuple[str, dict[str, str]]:
    """The labels in every form, with columns beside them that could be no features."""
    labels = NAMES[given_labels()]
    if form == ".npy":
        np.save(folder / "labels.npy", labels)
    elif form == ".npz":
        np.savez(folder / "labels.npz", y=given_labels(), class_names=NAMES)
    elif form == ".npz:KEY":
        np.savez(folder / "labels.npz", given=labels, x=np.eye(90))
        return f"{folder}/labels.npz:given", {}
    else:
        beside = {
            "id": [f"s{row}" for row in range(90)],
            "day": pd.date_range("2024-01-01", periods=90).astype(str),
            "text": [f"text number {row}" for row in range(90)],
            "gaps": [None, *range(89)],
        }
        write_table(pd.DataFrame({**beside, "label": labels}), folder / f"labels{form}")
        return f"{folder}/labels{form}", {"id_column": "id"}
    return f"{folder}/labels{form}", {}


def write_probs(folder: Path, form: str, probs: npt.NDArray[np.float64]) -> str:
    """The probabilities with the classes' names in the header, in an order of their own."""
    order = [2, 0, 1]
    if form == ".npy":
        np.save(folder / "probs.npy", probs)
    elif form == ".npz:KEY":
        np.savez(folder / "probs.npz", p=probs[:, order], class_names=NAMES[order])
        return f"{folder}/probs.npz:p"
    else:
        frame = pd.DataFrame(probs[:, order], columns=NAMES[order])
        frame.insert(0, "id", range(90))
        write_table(frame, folder / f"probs{form}")
    return f"{folder}/probs{form}"


@pytest.mark.parametrize("probs_form", [".npy", ".npz:KEY", ".csv", ".parquet"])
@pytest.mark.parametrize("form", [".npy", ".npz", ".npz:KEY", *TABLE_SUFFIXES])
def test_labels_and_probabilities_in_every_format_give_the_same_audit(
    tmp_path: Path, probs: npt.NDArray[np.float64], form: str, probs_form: str
) -> None:
    data, options = write_labels(tmp_path, form)
    saved = audit_files(
        AuditJob(
            data=data,
            probs=write_probs(tmp_path, probs_form, probs),
            probs_predict="given",
            class_names=("cat", "dog", "owl") if probs_form == ".npy" else None,
            out=tmp_path / "audit",
            **options,  # type: ignore[arg-type]
        )
    )
    assert saved is not None
    assert (saved.class_names, saved.num_samples) == (("cat", "dog", "owl"), 90)
    found = saved.labels[saved.labels["is_error"]]
    assert sorted(found["sample"]) == WRONG
    assert found.sort_values("sample")["suggested_label"].tolist() == NAMES[true_classes()[WRONG]].tolist()
    ids = [f"s{row}" for row in WRONG] if options else [str(row) for row in WRONG]
    assert found.sort_values("sample")["id"].tolist() == ids


def test_a_class_without_a_label_is_one_where_the_probabilities_name_it(
    tmp_path: Path, probs: npt.NDArray[np.float64]
) -> None:
    write_table(pd.DataFrame({"label": NAMES[given_labels()]}), tmp_path / "labels.csv")
    frame = pd.DataFrame(
        np.hstack([np.full((90, 1), 0.1), probs * 0.9]), columns=["p(ape)", *map("p({})".format, NAMES)]
    )
    write_table(frame, tmp_path / "probs.csv")
    job = AuditJob(
        data=f"{tmp_path}/labels.csv",
        probs=f"{tmp_path}/probs.csv",
        probs_predict="given",
        out=tmp_path / "audit",
    )
    saved = audit_files(job)
    assert saved is not None
    assert saved.class_names == ("ape", "cat", "dog", "owl")
    assert [row["labels"] for row in saved.counts["per_class"]] == [0, *np.bincount(given_labels())]
    assert sorted(saved.labels["sample"][saved.labels["is_error"]]) == WRONG


def test_the_page_shows_the_rows_of_the_table(tmp_path: Path, probs: npt.NDArray[np.float64]) -> None:
    data, options = write_labels(tmp_path, ".csv")
    out = tmp_path / "audit"
    audit_files(
        AuditJob(
            data=data, probs=write_probs(tmp_path, ".csv", probs), probs_predict="given", out=out, **options
        )  # type: ignore[arg-type]
    )
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "text number 50" in page
    assert "Data not at hand" not in page


def test_samples_that_are_there_are_not_taken_for_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(4))
    np.savez(tmp_path / "data.npz", x=np.eye(4), y=[0, 0, 1, 1])
    assert read_labels_alone(Reading(f"{tmp_path}/x.npy", labels="y.npy")) is None
    assert read_labels_alone(Reading(f"{tmp_path}/data.npz")) is None
    with pytest.raises(InputError, match=r"there is no file of labels .*labels\.npy"):
        read_labels_alone(Reading(f"{tmp_path}/labels.npy"))

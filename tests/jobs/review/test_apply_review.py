"""Decisions become corrected labels in a copy, whatever form the data have; the data stay as they are."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from noiselayer.data import read_data
from noiselayer.errors import InputError
from noiselayer.jobs.apply_review import apply_review
from noiselayer.storage.review.decisions import Decision, read_decisions


def decision(sample: int, given_label: str, new_label: str, name: str | None = None) -> Decision:
    kind = "reject" if given_label == new_label else "accept"
    return Decision(sample, str(sample) if name is None else name, given_label, kind, new_label)


def digest(path: Path) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files if f.is_file())).hexdigest()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for k in range(3):
            Image.new("RGB", (4, 4), (k, 0, len(name[0]))).save(folder / name / f"{k}.png")
    return folder


@pytest.mark.parametrize(
    ("labels", "class_names", "given_label", "new_label", "raw"),
    [
        (np.array([0, 1, 1, 0], np.uint8), ["cat", "dog"], "dog", "cat", 0),
        (np.array([0, 1, 1, 0], np.int32), None, "1", "0", 0),
        (np.array([0.0, 1.0, 1.0, 2.0]), None, "1", "2", 2.0),
        (np.array([[0], [1], [1], [0]]), ["cat", "dog"], "dog", "cat", 0),
        (np.array(["cat", "dog", "dog", "cat"]), None, "dog", "crocodile", "crocodile"),
        (np.array([b"cat", b"dog", b"dog", b"cat"]), None, "dog", "crocodile", b"crocodile"),
        (np.array([False, True, True, False]), None, "True", "False", False),
        (np.array([7, 3, 3, 7]), ["3", "5", "7"], "3", "5", 5),
        (np.array(["0", "1", "1", "0"]), ["cat", "dog", "bird"], "dog", "bird", "2"),
    ],
)
def test_arrays_of_every_type(
    tmp_path: Path, labels: Any, class_names: list[str] | None, given_label: str, new_label: str, raw: object
) -> None:
    others = {"x": np.arange(12.0).reshape(4, 3), "clean": np.arange(4)}
    np.savez_compressed(tmp_path / "data.npz", y=labels, **others)
    np.save(tmp_path / "y.npy", labels)
    before = digest(tmp_path / "data.npz")
    decisions = [decision(2, given_label, new_label), decision(1, given_label, given_label)]
    done = apply_review(tmp_path / "data.npz", decisions, labels="y", class_names=class_names)
    assert (done.samples, done.changed, done.kept) == (4, 1, 1)
    assert done.out == tmp_path / "data.corrected.npz"
    expected = labels.astype(np.array([raw]).dtype) if labels.dtype.kind in "US" else labels.copy()
    expected[2] = raw
    with np.load(done.out) as arrays:
        assert set(arrays) == {"y", *others}
        np.testing.assert_array_equal(arrays["y"], expected)
        assert arrays["y"].dtype.kind == labels.dtype.kind
        for name, array in others.items():
            np.testing.assert_array_equal(arrays[name], array)
    beside = apply_review(
        tmp_path / "data.npz", decisions, labels=str(tmp_path / "y.npy"), class_names=class_names
    )
    assert beside.out == tmp_path / "y.corrected.npy"
    np.testing.assert_array_equal(np.load(beside.out), expected)
    assert digest(tmp_path / "data.npz") == before


@given(
    st.lists(
        st.sampled_from(['c, "at"', "dog", "a\nb", " bird", "'x'", "1", "é"]), min_size=2, max_size=12
    ).filter(lambda names: len({name.strip() for name in names}) > 1),
    st.data(),
)
def test_a_csv_changes_in_the_decided_cells_alone(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("table") / "data.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "note"])
        writer.writerows([[k, name, 'say "hi"' if k % 2 else "a, b"] for k, name in enumerate(names)])
    rows = data.draw(st.sets(st.integers(0, len(names) - 1), max_size=4))
    stripped = [name.strip() for name in names]
    decisions = [decision(row, stripped[row], stripped[(row + 1) % len(names)]) for row in rows]
    done = apply_review(path, decisions, label_column="label")
    with path.open(encoding="utf-8", newline="") as old, done.out.open(encoding="utf-8", newline="") as new:
        before, after = list(csv.reader(old)), list(csv.reader(new))
    for row, new_row in enumerate(after[1:]):
        if row in rows and stripped[row] != stripped[(row + 1) % len(names)]:
            before[row + 1][1] = stripped[(row + 1) % len(names)]
        assert new_row == before[row + 1]
    assert after[0] == before[0]
    if not rows:
        assert done.out.read_bytes() == path.read_bytes()


def test_what_is_not_decided_stays_byte_for_byte(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbfage,"label",x\r\n"20", no,01\r\n\r\n30,yes,  "q, ""r"""\r\n40,no,1.50'
    (tmp_path / "data.csv").write_bytes(text)
    done = apply_review(tmp_path / "data.csv", [decision(1, "yes", "no")], label_column="label")
    assert done.out.read_bytes() == text.replace(b'30,yes,  "q, ""r"""', b'30,no,"q, ""r"""')
    assert (tmp_path / "data.csv").read_bytes() == text


def test_parquet_keeps_types_and_metadata(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": pa.array([1, 2, 3], pa.int8()),
            "label": pa.array(["a", "b", "b"]).dictionary_encode(),
            "code": pa.array([0, 1, 1], pa.int16()),
        }
    ).replace_schema_metadata({"mine": "kept"})
    pq.write_table(table, tmp_path / "data.parquet")
    done = apply_review(tmp_path / "data.parquet", [decision(1, "b", "a")], label_column="label")
    new = pq.read_table(done.out)
    assert new.schema.equals(pq.read_schema(tmp_path / "data.parquet"), check_metadata=True)
    assert new.column("label").to_pylist() == ["a", "a", "b"]
    assert new.column("x").equals(table.column("x"))
    done = apply_review(
        tmp_path / "data.parquet",
        [decision(1, "dog", "cat")],
        tmp_path / "codes.parquet",
        label_column="code",
        class_names=["cat", "dog"],
    )
    assert pq.read_table(done.out).column("code").to_pylist() == [0, 0, 1]


def test_a_table_of_images_is_found_by_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"file": ["a.png", "b.png", "c.png"], "label": ["cat", "dog", "cat"]})
    frame.to_csv(tmp_path / "data.csv", index=False)
    # The first image could not be read and was left out: the others moved up.
    done = apply_review(
        tmp_path / "data.csv",
        [decision(1, "cat", "dog", "c.png")],
        label_column="label",
        image_column="file",
    )
    assert pd.read_csv(done.out)["label"].tolist() == ["cat", "dog", "dog"]


def test_a_folder_becomes_a_table_or_a_folder(images: Path, tmp_path: Path) -> None:
    before = digest(images)
    decisions = [decision(0, "cat", "dog", "cat/0.png"), decision(4, "dog", "dog", "dog/1.png")]
    done = apply_review(images, decisions)
    assert done.out == tmp_path / "images.corrected.csv"
    table = pd.read_csv(done.out)
    assert dict(zip(table["id"], table["label"], strict=True)) == {
        "cat/0.png": "dog",
        **{f"cat/{k}.png": "cat" for k in (1, 2)},
        **{f"dog/{k}.png": "dog" for k in range(3)},
    }
    done = apply_review(images, decisions, tmp_path / "new")
    data = read_data(done.out)
    assert data.counts().tolist() == [2, 4]
    assert (done.out / "dog" / "cat-0.png").read_bytes() == (images / "cat" / "0.png").read_bytes()
    assert digest(images) == before


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "a\\b"])
def test_no_class_leads_out_of_the_folder(images: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a folder; write a table instead"):
        apply_review(images, [decision(0, "cat", name, "cat/0.png")], tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"images"}


def test_nothing_is_written_over(tmp_path: Path, images: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.eye(2), y=["cat", "dog"])
    good = [decision(0, "cat", "dog")]
    data = tmp_path / "data.npz"
    before = digest(data)
    for out in (data, tmp_path / "images" / ".." / "data.npz"):
        for force in (False, True):
            with pytest.raises(InputError, match="is read here, so it cannot be written too"):
                apply_review(data, good, out, force=force)
    with pytest.raises(InputError, match="lies in .*images, which is read here"):
        apply_review(images, [decision(0, "cat", "dog", "cat/0.png")], images / "new.csv")
    done = apply_review(data, good)
    with pytest.raises(InputError, match=r"there is .*corrected.npz already; name another"):
        apply_review(data, good)
    assert apply_review(data, good, force=True).out == done.out
    with pytest.raises(InputError, match="are written as .npz; got .*csv"):
        apply_review(data, good, tmp_path / "y.csv")
    with pytest.raises(InputError, match="there is no folder"):
        apply_review(data, good, tmp_path / "no" / "y.npz")
    assert digest(data) == before


@pytest.mark.parametrize(
    ("decisions", "options", "message"),
    [
        ([decision(0, "dog", "cat")], {}, "sample 0 carries 'cat' in array 'y'.*was about the label 'dog'"),
        ([decision(9, "cat", "dog")], {}, "is about sample 9, but array 'y' of .* has 3 labels only"),
        ([decision(0, "cat", "dog"), decision(5, "cat", "dog", "0")], {}, "two decisions are about sample 0"),
        ([decision(0, "0", "bird")], {"labels": "numbers"}, "'bird' is not one of the 2 classes 0, 1"),
        ([decision(0, "cat", "dog")], {"labels": "z"}, "has no array 'z'"),
        ([decision(0, "cat", "dog")], {"labels": "nowhere.npy"}, "there is no file of labels nowhere.npy"),
    ],
)
def test_decisions_about_other_data_are_refused(
    tmp_path: Path, decisions: list[Decision], options: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "data.npz", x=np.eye(3), y=["cat", "dog", "dog"], numbers=[0, 1, 1])
    with pytest.raises(InputError, match=message):
        apply_review(tmp_path / "data.npz", decisions, **{"labels": "y", **options})
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


GOOD = {"sample": 0, "id": "0", "given_label": "cat", "decision": "accept", "new_label": "dog"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": "-1"}, "decision 1 of .* must name a sample by its number, counted from 0; got '-1'"),
        ({"decision": "maybe"}, "must be one of accept, reject, pick, unsure, none, exclude; got 'maybe'"),
        ({"new_label": ""}, "so its new_label must name a class"),
        (
            {"decision": "reject"},
            "rejects the suggestion, so its new_label must be its given_label, 'cat'; got 'dog'",
        ),
    ],
)
def test_decisions_that_make_no_sense(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    row = GOOD | changes
    pd.DataFrame([row]).to_csv(tmp_path / "d.csv", index=False, na_rep="")
    (tmp_path / "d.json").write_text(json.dumps({"format": 1, "decisions": [row]}))
    for name in ("d.csv", "d.json"):
        with pytest.raises(InputError, match=message):
            read_decisions(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.txt", "", "must be a file .csv or .json, as the report exports them"),
        ("d.csv", "sample,id\n1,1\n", "lacks 'given_label', 'decision', 'new_label'"),
        ("d.csv", ",".join(GOOD) + "\n", "holds no decisions; review some labels"),
        ("d.csv", ",".join(GOOD) + "\n1,2\n", "decision 1 of .* has too few cells"),
        ("d.json", "[]", "must hold a list of decisions"),
        (
            "d.json",
            '{"format": 2, "decisions": [{}]}',
            "is of format 2, and this version of noiselayer reads 1",
        ),
        ("d.json", "{", "cannot read the decisions"),
        (
            "d.json",
            json.dumps({"format": 1, "decisions": [GOOD, GOOD]}),
            r"decides twice about sample 0 \('0'\)",
        ),
    ],
)
def test_files_that_are_no_decisions(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_decisions(tmp_path / name)
    with pytest.raises(InputError, match="there is no file of decisions"):
        read_decisions(tmp_path / "none.csv")


ROWS = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "label": ["cat", "dog", "dog", "cat"]})
OPEN = [
    Decision(0, "0", "cat", "unsure", ""),
    Decision(1, "1", "dog", "none", ""),
    Decision(2, "2", "dog", "exclude", ""),
    Decision(3, "3", "cat", "accept", "dog"),
]


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl", ".xlsx"])
def test_unsure_none_and_exclude_in_tables(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    match ending:
        case ".csv":
            ROWS.to_csv(path, index=False)
        case ".parquet":
            ROWS.to_parquet(path)
        case ".jsonl":
            ROWS.to_json(path, orient="records", lines=True)
        case _:
            ROWS.to_excel(path, index=False)
    done = apply_review(path, OPEN, label_column="label")
    assert (done.changed, done.kept, done.unlabelled, done.left_out, done.open) == (1, 0, 1, 1, 1)
    after = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".jsonl": lambda file: pd.read_json(file, lines=True),
        ".xlsx": pd.read_excel,
    }[ending](done.out)
    assert after["x"].tolist() == [1.5, 2.5, 4.5]
    assert after["label"].fillna("").tolist() == ["cat", "", "dog"]


@pytest.mark.parametrize("labels", [np.array(["cat", "dog", "dog", "cat"]), np.array([0, 1, 1, 0])])
def test_unsure_none_and_exclude_in_arrays(tmp_path: Path, labels: Any) -> None:
    text = labels.dtype.kind == "U"
    made = [
        Decision(d.sample, d.id, *(v if text or not v else str(int(v == "dog")) for v in (d.given_label,)), d.kind,
                 d.new_label if text or not d.new_label else "1")
        for d in OPEN
    ]  # fmt: skip
    x = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "data.npz", x=x, y=labels, class_names=["cat", "dog"] if text else ["0", "1"], one=7)
    done = apply_review(tmp_path / "data.npz", made, labels="y")
    with np.load(done.out) as arrays:
        np.testing.assert_array_equal(arrays["x"], x[[0, 1, 3]])
        assert arrays["one"] == 7
        assert len(arrays["class_names"]) == 2
        expected = ["cat", "", "dog"] if text else [0.0, np.nan, 1.0]
        np.testing.assert_array_equal(arrays["y"], expected)

    # A file of labels alone keeps its rows: they belong to the rows of another file.
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", labels)
    done = apply_review(tmp_path / "x.npy", made, labels=str(tmp_path / "y.npy"))
    expected = ["cat", "", "", "dog"] if text else [0.0, np.nan, np.nan, 1.0]
    np.testing.assert_array_equal(np.load(done.out), expected)


def test_unsure_none_and_exclude_in_folders(images: Path, tmp_path: Path) -> None:
    made = [
        Decision(0, "cat/0.png", "cat", "none", ""),
        Decision(1, "cat/1.png", "cat", "exclude", ""),
        Decision(2, "cat/2.png", "cat", "unsure", ""),
    ]
    done = apply_review(images, made)
    dogs = "".join(f"dog/{k}.png,dog\n" for k in range(3))
    assert done.out.read_text() == "id,label\ncat/0.png,\ncat/2.png,cat\n" + dogs
    apply_review(images, made, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").rglob("*.png")) == [
        "0.png",
        "1.png",
        "2.png",
        "2.png",
    ]


def test_a_decision_without_a_label_has_none(tmp_path: Path) -> None:
    for kind in ("unsure", "none", "exclude"):
        row = GOOD | {"decision": kind}
        pd.DataFrame([row]).to_csv(tmp_path / "d.csv", index=False)
        with pytest.raises(InputError, match=f"is '{kind}', so its new_label must be empty; got 'dog'"):
            read_decisions(tmp_path / "d.csv")
        pd.DataFrame([row | {"new_label": ""}]).to_csv(tmp_path / "d.csv", index=False)
        assert read_decisions(tmp_path / "d.csv") == [Decision(0, "0", "cat", kind, "")]


def test_a_label_in_other_capitals_than_those_of_checked_ones_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,label\n1,Cat\n2,Cat\n3,dog\n")
    done = apply_review(tmp_path / "data.csv", [decision(0, "cat", "dog")], labels="label")
    assert (tmp_path / "data.corrected.csv").read_text() == "x,label\n1,dog\n2,Cat\n3,dog\n"
    with pytest.raises(InputError, match="sample 2 carries 'dog' in"):
        apply_review(
            tmp_path / "data.csv", [decision(2, "Cat", "dog")], labels="label", out=tmp_path / "o.csv"
        )
    assert done.changed == 1

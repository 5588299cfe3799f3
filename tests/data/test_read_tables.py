from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from noiselayer.data import TableInputs, read_data
from noiselayer.errors import InputError

MakeImage = Callable[..., Path]

PEOPLE = pd.DataFrame(
    {
        "age": [20, 30, 40, 50],
        "town": ["Bonn", "Aachen", "Bonn", "None"],
        "label": ["no", "yes", "None", "no"],
        "truth": [0, 1, 2, 0],
    }
)


def save(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("name", ["people.csv", "people.tsv", "people.parquet"])
def test_features_of_every_format(tmp_path: Path, name: str) -> None:
    data = read_data(save(PEOPLE, tmp_path / name), feature_columns=["town", "age"], label_column="label")
    assert isinstance(data.inputs, TableInputs)
    assert data.labels is not None
    # "None" is a class like any other, and a town in Parquet; in a CSV a town "None" is a gap.
    assert (data.class_names, data.labels.tolist()) == (("None", "no", "yes"), [1, 2, 0, 1])
    last = "town = None" if name.endswith("parquet") else "town is unknown"
    assert sorted(data.inputs.encoder.feature_names) == sorted(["town = Aachen", "town = Bonn", last, "age"])
    age = (PEOPLE.age - PEOPLE.age.mean()) / PEOPLE.age.std(ddof=0)
    assert data.inputs.__getitems__(range(4))[:, -1].tolist() == pytest.approx(age.tolist())
    assert data.inputs.ids == ("0", "1", "2", "3")
    assert data.origin.endswith("features town, age, labels from column 'label'")


def test_all_columns_but_the_labels_are_features(tmp_path: Path) -> None:
    path = save(PEOPLE, tmp_path / "people.csv")
    by_name = read_data(path, labels="truth")
    assert isinstance(by_name.inputs, TableInputs)
    assert {column.name for column in by_name.inputs.encoder.columns} == {"age", "town", "label"}
    usual = read_data(path)
    assert isinstance(usual.inputs, TableInputs)
    assert {column.name for column in usual.inputs.encoder.columns} == {"age", "town", "truth"}


def test_the_encoder_of_training_serves_new_tables(tmp_path: Path) -> None:
    train = read_data(save(PEOPLE, tmp_path / "a.csv"), feature_columns=["age", "town"])
    assert isinstance(train.inputs, TableInputs)
    new = PEOPLE[["town", "age"]].iloc[[2, 0]]
    for name in ("b.csv", "b.parquet"):
        data = read_data(save(new, tmp_path / name), encoder=train.inputs.encoder, with_labels=False)
        assert torch.equal(data.inputs.__getitems__([0, 1]), train.inputs.__getitems__([2, 0]))
    (tmp_path / "c.csv").write_text("town,aeg\nBonn,30\n")
    with pytest.raises(InputError, match=r"c\.csv has no column 'age'\. Did you mean 'aeg'"):
        read_data(tmp_path / "c.csv", encoder=train.inputs.encoder, with_labels=False)


def test_codes_stay_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,label\n01,0\n1,1\n")
    train = read_data(tmp_path / "a.csv", categorical_columns=["code"])
    assert isinstance(train.inputs, TableInputs)
    assert train.inputs.encoder.feature_names == ("code = 01", "code = 1")
    for with_labels in (True, False):
        new = read_data(tmp_path / "a.csv", encoder=train.inputs.encoder, with_labels=with_labels)
        assert new.inputs.__getitems__([0, 1]).tolist() == [[1, 0], [0, 1]]


def test_labels_in_text_may_look_like_numbers_or_gaps(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,label\n1,007\n2,NA\n3, 7\n")
    assert read_data(tmp_path / "a.csv").class_names == ("007", "7", "NA")


def test_gaps_are_errors_unless_they_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,label\n1,a\n,b\n3,b\n")
    with pytest.raises(InputError, match=r"column 'x' has no value in 1 row \(1, counting from 0\)"):
        read_data(tmp_path / "a.csv")
    data = read_data(tmp_path / "a.csv", impute_missing=True)
    assert data.inputs.__getitems__(range(3)).tolist() == [[-1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    "values", [["a", None, "b"], [0.0, None, 1.0], pd.array([0, None, 1], dtype="Int64")]
)
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path, name: str, values: object) -> None:
    path = save(pd.DataFrame({"x": [1, 2, 3], "label": values}), tmp_path / name)
    with pytest.warns(UserWarning, match=r"1 of 3 samples have no label in column 'label' and are left out"):
        data = read_data(path)
    assert data.labels is not None
    assert (data.labels.tolist(), list(data.inputs.ids), data.unlabelled) == ([0, 1], ["0", "2"], 1)
    assert "1 without a label left out" in data.summary()


@pytest.mark.parametrize(
    "values", [pd.Categorical(["b", "a"]), pd.array([7, 3], dtype="Int64"), [True, False], [7.0, 3.0]]
)
def test_label_types_of_parquet(tmp_path: Path, values: object) -> None:
    data = read_data(save(pd.DataFrame({"x": [1, 2], "label": values}), tmp_path / "a.parquet"))
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0]


def test_an_index_with_a_name_is_a_column(tmp_path: Path) -> None:
    PEOPLE.set_index("label").to_parquet(tmp_path / "a.parquet")
    assert read_data(tmp_path / "a.parquet").class_names == ("None", "no", "yes")


def test_row_numbers_that_pandas_wrote_are_no_feature(tmp_path: Path) -> None:
    PEOPLE[["age", "label"]].to_csv(tmp_path / "a.csv")
    data = read_data(tmp_path / "a.csv")
    assert isinstance(data.inputs, TableInputs)
    assert data.inputs.encoder.feature_names == ("age",)


def test_labels_from_another_file(tmp_path: Path) -> None:
    path = save(PEOPLE[["age"]], tmp_path / "a.csv")
    np.save(tmp_path / "y.npy", np.array([1, 0, 0, 1]))
    data = read_data(path, labels=str(tmp_path / "y.npy"))
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 0, 1]
    np.save(tmp_path / "y.npy", np.array([1, 0]))
    with pytest.raises(InputError, match=r"a\.csv.* has 4 samples, .*y\.npy 2 labels"):
        read_data(path, labels=str(tmp_path / "y.npy"))


def test_paths_of_images(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "img" / "a.png", seed=1)
    outside = make_image(tmp_path / "elsewhere" / "b.png", seed=2)
    (tmp_path / "t" / "x").mkdir(parents=True)
    table = tmp_path / "t" / "t.csv"
    table.write_text(f"file,kind\n../img/a.png,cat\n{outside},dog\n")
    data = read_data(table, image_column="file", labels="kind")
    assert data.labels is not None
    assert (data.inputs.kind, data.inputs.ids) == ("image", ("../img/a.png", str(outside)))
    assert data.labels.tolist() == [0, 1]
    assert data.inputs[0].tolist() != data.inputs[1].tolist()


def test_labels_stay_with_their_images_when_some_are_skipped(tmp_path: Path, make_image: MakeImage) -> None:
    for name in ("a.png", "c.png", "d.png"):
        make_image(tmp_path / name)
    (tmp_path / "t.csv").write_text("file,label\na.png,x\nb.png,y\nc.png,y\nd.png,x\n")
    with pytest.raises(InputError, match=r"1 of 4 images cannot be read: b\.png \(no such file\)"):
        read_data(tmp_path / "t.csv", image_column="file")
    with pytest.warns(UserWarning, match="skipped"):
        data = read_data(tmp_path / "t.csv", image_column="file", skip_unreadable=True)
    assert data.labels is not None
    assert list(zip(data.inputs.ids, data.labels.tolist(), strict=True)) == [
        ("a.png", 0),
        ("c.png", 1),
        ("d.png", 0),
    ]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("age,lable\n1,a\n", {"label_column": "label"}, "has no column 'label'. Did you mean 'lable'?"),
        ("age,town\n1,a\n", {}, "not clear which column of"),
        ("age,label\n1,a\n", {"feature_columns": ["aeg"]}, "has no column 'aeg'. Did you mean 'age'?"),
        ("age,label\n1,a\n", {"image_column": "file"}, "has no column 'file'. Its columns are: age, label."),
        ("age,label\n1,a\n", {"categorical_columns": ["town"]}, "has no column 'town'"),
        (
            "age,label\n1,a\n",
            {"feature_columns": ["label"]},
            "'label' holds the labels, so it cannot be a feature",
        ),
        ("age,label\n1,a\n", {"labels": "age", "label_column": "label"}, "name two columns of"),
        (
            "f,label\na,b\n",
            {"image_column": "f", "feature_columns": ["f"]},
            "image_column excludes feature_columns",
        ),
        ("f,label\n,b\n", {"image_column": "f"}, "names no image in 1 rows (0, counting from 0)"),
        ("age,label\n", {}, "has a header but no rows"),
        ("", {}, "as a table: it is empty"),
        ("a,label\n1,2,3\n4,5,6\n", {}, "its rows have more cells than its header"),
        ("a,label\n1,2\n4,5,6\n", {}, "Expected 2 fields in line 3, saw 3"),
        ('a,label\n"1,2\n', {}, "as a table: Error tokenizing data"),
        ("age,label\n1,a\n2,a\n", {}, "one class only, 'a'"),
    ],
)
def test_tables_that_cannot_be_used(
    tmp_path: Path, text: str, options: dict[str, object], message: str
) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        read_data(tmp_path / "a.csv", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_files_that_are_no_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(128, 256)) * 20)
    with warnings.catch_warnings(), pytest.raises(InputError, match=r"cannot read .* as a table"):
        read_data(tmp_path / name)

"""pandas, polars and Hugging Face data sets: in as labelled data, out with other labels, types kept."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from noiselayer import audit_labels
from noiselayer.data import read_data
from noiselayer.errors import InputError
from noiselayer.interchange import (
    corrected_labels,
    from_datasets,
    from_frame,
    from_pandas,
    from_polars,
    relabel_datasets,
    relabel_frame,
    relabel_pandas,
    relabel_polars,
)

ROWS = {
    "age": [20.0, 40.0, 60.0, 80.0],
    "town": ["x", "y", "x", "z"],
    "pet": ["dog", "cat", "cat", "bird"],
}
NEW = ["dog", "dog", "cat", "bird"]


def test_a_frame_is_read_as_its_file_is(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, index=["a", "b", "c", "d"])
    data = from_frame(frame, "pet")
    frame.to_parquet(tmp_path / "pets.parquet", index=False)
    file = read_data(tmp_path / "pets.parquet", label_column="pet")
    assert data.class_names == file.class_names == ("bird", "cat", "dog")
    torch.testing.assert_close(data.labels, file.labels)
    torch.testing.assert_close(data.inputs.__getitems__([0, 1, 2, 3]), file.inputs.__getitems__([0, 1, 2, 3]))
    assert list(data.inputs.ids) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("column", "class_names", "expected"),
    [
        (pd.Series(ROWS["pet"]), None, NEW),
        (pd.Series([2, 1, 1, 0], dtype="int8"), ["bird", "cat", "dog"], [2, 2, 1, 0]),
        (pd.Series(ROWS["pet"], dtype="category"), None, NEW),
        (pd.Series(["cat", "cat", "fish", "cat"], dtype="category"), None, NEW),  # new categories
    ],
)
def test_pandas_columns_keep_their_type(column: Any, class_names: Any, expected: list[Any]) -> None:
    frame = pd.DataFrame({"age": ROWS["age"], "pet": column, "z": 1}).set_index("age")
    new = relabel_frame(frame, "pet", NEW, class_names=class_names)
    assert new["pet"].tolist() == expected
    assert type(new["pet"].dtype) is type(frame["pet"].dtype)
    assert list(new.columns) == list(frame.columns)
    pd.testing.assert_index_equal(new.index, frame.index)
    assert frame["pet"].tolist() == column.tolist()  # the frame itself is as it was


def test_parquet_out_is_the_frame_with_corrected_labels(tmp_path: Path) -> None:
    relabel_frame(pd.DataFrame(ROWS), "pet", NEW).to_parquet(tmp_path / "new.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "new.parquet"), pd.DataFrame({**ROWS, "pet": NEW})
    )


def test_an_audit_corrects_by_name_and_in_the_order_of_the_samples() -> None:
    truth = torch.arange(300) % 3
    probs = torch.full((300, 3), 0.005)
    probs[torch.arange(300), truth] = 0.99
    labels = truth.clone()
    labels[[5, 17, 42]] = (truth[[5, 17, 42]] + 1) % 3
    names = ("bird", "cat", "dog")
    result = audit_labels(labels, probs, class_names=names, probs_predict="given")
    assert corrected_labels(result) == [names[k] for k in truth.tolist()]
    assert corrected_labels(result, above=1.0) == [names[k] for k in labels.tolist()]
    with pytest.raises(InputError, match="holds 2 of 300 samples; audit all of them, without top"):
        corrected_labels(audit_labels(labels, probs, class_names=names, top=2, probs_predict="given"))
    with pytest.raises(InputError, match="above must be a probability"):
        corrected_labels(result, above=2)


def test_unfit_frames_are_refused() -> None:
    frame = pd.DataFrame(ROWS)
    with pytest.raises(InputError, match="the frame has no column 'pte'. Did you mean 'pet'"):
        from_frame(frame, "pte")
    with pytest.raises(InputError, match="holds the labels, so it cannot be a feature"):
        from_frame(frame, "pet", feature_columns=["pet"])
    with pytest.raises(InputError, match=r"'pet' has 1 rows without a label.*dropna\(subset=\['pet'\]\)"):
        from_frame(frame.assign(pet=["dog", None, "cat", "cat"]), "pet")
    with pytest.raises(InputError, match="one per row: column 'pet' has 4 rows, got 1"):
        relabel_frame(frame, "pet", ["dog"])
    with pytest.raises(InputError, match="'fish' is not one of the 3 classes"):
        relabel_frame(frame.assign(pet=[0, 1, 2, 0]), "pet", ["fish"] * 4, class_names=["bird", "cat", "dog"])


@pytest.mark.parametrize("kind", ["String", "Categorical", "Int16"])
def test_polars(kind: str, tmp_path: Path) -> None:
    pl = pytest.importorskip("polars", reason="needs polars: pip install polars")
    number, names = kind == "Int16", ["bird", "cat", "dog"]
    pets = [names.index(pet) for pet in ROWS["pet"]] if number else ROWS["pet"]
    frame = pl.DataFrame({**ROWS, "pet": pets}).with_columns(pl.col("pet").cast(getattr(pl, kind)))
    class_names = names if number else None
    for one in (frame, frame.lazy()):
        data = from_frame(one, "pet", class_names=class_names)
        same = from_frame(pd.DataFrame(ROWS), "pet", class_names=class_names)
        torch.testing.assert_close(data.labels, same.labels)
        torch.testing.assert_close(data.inputs[0], same.inputs[0])
    new = relabel_frame(frame, "pet", NEW, class_names=class_names)
    assert new.schema == frame.schema
    assert new["pet"].to_list() == ([names.index(pet) for pet in NEW] if number else NEW)
    assert new.drop("pet").equals(frame.drop("pet"))
    new.write_parquet(tmp_path / "new.parquet")
    back = from_frame(pd.read_parquet(tmp_path / "new.parquet"), "pet", class_names=class_names)
    assert [back.class_names[k] for k in back.labels.tolist()] == NEW


def test_hugging_face_tables_vectors_and_images() -> None:
    datasets = pytest.importorskip("datasets", reason="needs datasets: pip install datasets")
    if datasets.__file__ is None:  # a folder of that name is none
        pytest.skip("needs datasets: pip install datasets")
    names = ["dog", "cat", "bird"]  # not sorted: the order is the data set's
    features = datasets.Features(
        {
            "age": datasets.Value("float32"),
            "pet": datasets.ClassLabel(names=names),
            "vector": datasets.Sequence(datasets.Value("float32")),
            "image": datasets.Image(),
        }
    )
    pixels = np.random.default_rng(0).integers(0, 255, (4, 5, 5, 3), dtype=np.uint8)
    dataset = datasets.Dataset.from_dict(
        {
            "age": ROWS["age"],
            "pet": [names.index(pet) for pet in ROWS["pet"]],
            "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
            "image": [Image.fromarray(one) for one in pixels],
        },
        features=features,
    )
    table = from_datasets(dataset.select_columns(["age", "pet"]), "pet")
    assert table.class_names == tuple(names)
    assert [names[k] for k in table.labels.tolist()] == ROWS["pet"]
    vectors = from_datasets(dataset, "pet", input_column="vector")
    assert vectors.inputs[1].tolist() == [3.0, 4.0]
    images = from_datasets(dataset, "pet", input_column="image")
    np.testing.assert_array_equal(images.inputs[2].numpy(), pixels[2].transpose(2, 0, 1))
    new = relabel_datasets(dataset, NEW, "pet")
    assert new.features == dataset.features
    assert [names[k] for k in new["pet"]] == NEW
    assert new["age"][:] == dataset["age"][:]
    with pytest.raises(InputError, match="got DatasetDict. Choose one: dataset"):
        from_datasets(datasets.DatasetDict(train=dataset), "pet")
    with pytest.raises(InputError, match="class_names are a, b, but column 'pet' says dog, cat, bird"):
        from_datasets(dataset, "pet", class_names=["a", "b"])
    with pytest.raises(InputError, match="must hold samples of one shape"):
        from_datasets(
            datasets.Dataset.from_dict({"label": ["a", "b"], "v": [[1.0], [1.0, 2.0]]}), input_column="v"
        )
    with pytest.raises(InputError, match="Turn text into embeddings"):
        from_datasets(
            datasets.Dataset.from_dict({"label": ["a", "b"], "v": ["one", "two"]}), input_column="v"
        )


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match="needs datasets, which is not installed: pip install datasets"):
        from_datasets(None, "label")


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(InputError, match="must be a data frame of pandas, polars or another.*got list"):
        from_frame([1, 2], "pet")
    with pytest.raises(InputError, match="must be a data frame"):
        relabel_frame(None, "pet", NEW)


def test_columns_without_text_for_a_name_stay() -> None:
    frame = pd.DataFrame({0: ROWS["age"], "pet": ROWS["pet"]})
    assert list(relabel_frame(frame, "pet", NEW).columns) == [0, "pet"]
    assert from_frame(frame, "pet").class_names == ("bird", "cat", "dog")


def test_an_ordered_category_stays_one() -> None:
    kind = pd.CategoricalDtype(["dog", "cat", "bird"], ordered=True)
    frame = pd.DataFrame({"pet": pd.Series(ROWS["pet"], dtype=kind)}, index=[3, 3, 1, 0])
    new = relabel_frame(frame, "pet", NEW)
    assert new["pet"].dtype == kind
    assert new["pet"].tolist() == NEW
    assert list(new.index) == [3, 3, 1, 0]


def test_the_older_names_do_the_same() -> None:
    assert from_pandas is from_polars is from_frame
    assert relabel_pandas is relabel_polars is relabel_frame

"""Columns that must not be learned from are found before anything is trained, and named together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noiselayer.data import TableInputs, read_data
from noiselayer.data.doubtful_columns import leaking_columns
from noiselayer.errors import InputError

N = 120


@pytest.fixture
def frame() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, N)
    given = np.where(generator.random(N) < 0.3, generator.integers(0, 3, N), truth)
    words = np.array(["cat", "dog", "owl"])
    return pd.DataFrame(
        {
            "e0": truth + generator.normal(size=N),
            "e1": generator.normal(size=N),
            "age": generator.integers(20, 60, N),
            "label": words[given],
            "human": words[truth],
        }
    )


def features_of(path: Path, **options: object) -> tuple[str, ...]:
    data = read_data(path, label_column="label", **options)
    assert isinstance(data.inputs, TableInputs)
    return tuple(column.name for column in data.inputs.encoder.columns)


def save(frame: pd.DataFrame, tmp_path: Path) -> Path:
    frame.to_csv(tmp_path / "a.csv", index=False)
    return tmp_path / "a.csv"


def test_others_labels_of_the_same_rows_are_no_feature_unasked(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = save(frame, tmp_path)
    with pytest.raises(InputError, match="column 'human' holds names of the classes: are these labels too"):
        features_of(path)
    assert features_of(path, ignore_columns=["human"]) == ("e0", "e1", "age")
    with pytest.warns(UserWarning, match="column 'human' says the same of 117 rows as of others"):
        assert features_of(path, id_column="human") == ("e0", "e1", "age")
    assert features_of(path, feature_columns=["e*", "human"]) == ("e0", "e1", "human")
    with pytest.raises(InputError, match=r"has no column 'f\*'"):
        features_of(path, feature_columns=["f*"])


def test_a_code_of_the_label_is_found(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["code"] = frame.pop("label").map({"cat": 17, "dog": 4, "owl": 99})
    frame["label"] = frame["code"].map({17: "cat", 4: "dog", 99: "owl"})
    with pytest.raises(InputError, match="column 'code' tells the label alone: was it made from it"):
        features_of(save(frame.drop(columns="human"), tmp_path))


def test_columns_of_the_same_words_by_chance_are_features(frame: pd.DataFrame, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    frame["label"] = np.where(frame["e0"] > 1, "yes", "no")
    frame["smokes"] = generator.choice(["yes", "no"], N)
    frame["binary"] = generator.integers(0, 2, N)
    path = save(frame.drop(columns="human"), tmp_path)
    assert features_of(path) == ("e0", "e1", "age", "smokes", "binary")


def test_everything_that_is_wrong_is_said_at_once(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["customer_id"] = np.random.default_rng(0).permutation(N) + 1000
    frame["row"] = range(N)
    frame["day"] = [f"2024-01-{1 + n % 28:02d}" for n in range(N)]
    frame["notes"] = [f"the {n}th customer was happy" for n in range(N)]
    frame.loc[3, "age"] = None
    path = save(frame, tmp_path)
    with pytest.raises(InputError) as caught:
        features_of(path)
    message = str(caught.value)
    assert message.startswith("6 columns cannot be features as they are:\n")
    for said in (
        "column 'customer_id' is an identifier",
        "column 'row' is an identifier",
        "column 'day' holds dates",
        "column 'notes' holds text that differs from row to row (120 different values)",
        "column 'age' has no value in 1 row (3, counting from 0)",
        "column 'human' holds names of the classes",
    ):
        assert said in message
    assert message.endswith(
        "To leave all of them out, say ignore_columns='customer_id,row,day,notes,age,human'."
    )
    frame["label"] = frame["e0"].round(1)
    with pytest.raises(
        InputError, match=r"^labels .* a measured quantity is no class\.\n5 columns cannot be"
    ):
        features_of(save(frame.drop(columns="human"), tmp_path))
    path = save(frame.assign(label=frame["human"]), tmp_path)
    left_out = ["customer_id", "row", "day", "notes", "human"]
    assert features_of(path, ignore_columns=left_out, impute_missing=True) == ("e0", "e1", "age")


def test_checked_labels_with_slips_of_the_pen_are_still_labels() -> None:
    generator = np.random.default_rng(0)
    labels = np.array(["cat", "dog", "owl"])[generator.integers(3, size=200)]
    human = pd.Series(np.where(np.arange(200) < 60, labels, None), dtype=object)
    human[[3, 4]] = ["Cat", "dgo"]
    assert "are these labels too" in leaking_columns(pd.DataFrame({"human": human}), labels)["human"]
    human[:30] = "unsure"  # most of it is something else
    assert leaking_columns(pd.DataFrame({"human": human}), labels) == {}

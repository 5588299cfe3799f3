from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from noiselayer.data import TableEncoder, TableInputs
from noiselayer.errors import InputError

numbers = st.floats(-1e6, 1e6)
levels = st.sampled_from(["red", "green", "blue", "True", "1"])
tables = st.lists(
    st.tuples(numbers | st.none(), numbers, levels | st.none(), levels), min_size=2, max_size=12
).filter(lambda rows: any(row[0] is not None for row in rows) and any(row[2] is not None for row in rows))


def frame_of(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["gappy", "full", "colour?", "colour"])
    return frame.astype({"gappy": float, "full": float, "colour?": object, "colour": object})


@settings(deadline=None, max_examples=50)
@given(tables, tables)
def test_an_encoder_survives_json(train: list[tuple[object, ...]], new: list[tuple[object, ...]]) -> None:
    encoder = TableEncoder.fit(frame_of(train), impute_missing=True)
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again == encoder
    rows = frame_of([row for row in new if row[0] is not None] or train)
    assert again.transform(rows).tobytes() == encoder.transform(rows).tobytes()
    assert encoder.transform(rows).shape == (len(rows), len(encoder.feature_names))


@settings(deadline=None, max_examples=50)
@given(tables)
def test_categories_can_be_read_back(rows: list[tuple[object, ...]]) -> None:
    frame = frame_of(rows)[["colour?", "colour"]]
    encoder = TableEncoder.fit(frame)
    ones = encoder.transform(frame)
    assert ones.sum() == ones.shape[0] * 2  # one level of each column, gaps counting as a level
    for row, (_, _, maybe, sure) in zip(ones, rows, strict=True):
        lit = {name for name, value in zip(encoder.feature_names, row, strict=True) if value == 1}
        assert lit == {
            f"colour? = {maybe}" if maybe is not None else "colour? is unknown",
            f"colour = {sure}",
        }


def test_the_numbers_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(5, 3, 50),
            "b": np.where(rng.random(50) < 0.2, np.nan, rng.exponential(size=50)),
            "c": rng.choice(["x", "y", "z"], 50),
        }
    )
    train, new = frame[:40], frame[40:]
    encoder = TableEncoder.fit(train, impute_missing=True)
    ours = pd.DataFrame(encoder.transform(new), columns=encoder.feature_names)
    # Mean and scale come from the values that are there, not from filled ones: so compare in steps.
    witness = ColumnTransformer([("a", StandardScaler(), ["a"]), ("c", OneHotEncoder(), ["c"])]).fit(train)
    expected = witness.transform(new)
    assert np.allclose(ours[["a", "c = x", "c = y", "c = z"]], expected, atol=1e-6)
    scaler = StandardScaler().fit(train[["b"]])  # ignores NaN
    filled = make_pipeline(SimpleImputer(strategy="median")).fit(train[["b"]]).transform(new[["b"]])
    assert np.allclose(ours["b"], scaler.transform(pd.DataFrame(filled, columns=["b"]))[:, 0], atol=1e-6)
    assert ours["b is missing"].tolist() == new["b"].isna().astype(float).tolist()
    assert new["b"].isna().any()


def test_columns_are_found_by_name_whatever_their_order() -> None:
    train = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    encoder = TableEncoder.fit(train)
    new = pd.DataFrame({"other": [0, 0], "b": ["y", "x"], "a": [2, 1]})
    assert encoder.transform(new).tolist() == encoder.transform(train[::-1]).tolist()


def test_an_unknown_level_is_zeros_or_the_level_trained_on_gaps() -> None:
    sure = TableEncoder.fit(pd.DataFrame({"c": ["x", "y"]}))
    assert sure.transform(pd.DataFrame({"c": ["z", None]})).tolist() == [[0, 0], [0, 0]]
    gappy = TableEncoder.fit(pd.DataFrame({"c": ["x", None]}))
    assert gappy.transform(pd.DataFrame({"c": ["z", None, "x"]})).tolist() == [[0, 1], [0, 1], [1, 0]]
    assert TableEncoder.fit(pd.DataFrame({"c": ["x", " "]})) == gappy  # a cell read as text may be empty


@pytest.mark.parametrize(
    ("train", "new"),
    [
        (["1", "2", "x"], [2, 1, 1]),
        (["1", "2", "x"], [2.0, 1.0, np.nan]),
        ([True, False], ["TRUE", "false"]),
        (["true", "false"], [True, False]),
        ([" x", "y "], ["x", "y"]),
    ],
)
def test_a_level_is_the_same_however_it_was_read(train: list[object], new: list[object]) -> None:
    encoder = TableEncoder.fit(pd.DataFrame({"c": train}))
    spelled = {"True": "True", "False": "False", "true": "True", "false": "False", "TRUE": "True"}
    for value, row in zip(new, encoder.transform(pd.DataFrame({"c": new})), strict=True):
        text = "" if value != value else str(int(value)) if isinstance(value, float) else str(value)
        lit = [name for name, one in zip(encoder.feature_names, row, strict=True) if one]
        assert lit == ([f"c = {spelled.get(text, text)}"] if text else [])


def test_codes_can_be_categories() -> None:
    frame = pd.DataFrame({"zip": [10115, 52062]})
    assert TableEncoder.fit(frame).feature_names == ("zip",)
    assert TableEncoder.fit(frame, categorical=["zip"]).feature_names == ("zip = 10115", "zip = 52062")


def test_a_spoiled_cell_does_not_turn_numbers_into_categories() -> None:
    frame = pd.DataFrame({"a": [*map(str, range(30)), "", "1o", "?"]})
    with pytest.raises(InputError, match=r"column 'a' holds numbers, but '1o' in row 31 \(counting from 0\)"):
        TableEncoder.fit(frame)
    assert len(TableEncoder.fit(frame, categorical=["a"]).feature_names) == 33
    rooms = pd.DataFrame({"rooms": ["1", "2", "3", "4+"]})  # few numbers: categories
    assert len(TableEncoder.fit(rooms).feature_names) == 4


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 0.1])
def test_a_constant_column_becomes_zeros_and_stays_tame(value: float) -> None:
    encoder = TableEncoder.fit(pd.DataFrame({"a": [value] * 7}))
    assert np.abs(encoder.transform(pd.DataFrame({"a": [value]}))).max() < 1e-6
    assert np.allclose(encoder.transform(pd.DataFrame({"a": [value + 1]})), 1, atol=1e-6)


def test_gaps_that_training_did_not_have_are_filled_aloud() -> None:
    encoder = TableEncoder.fit(pd.DataFrame({"a": [1.0, 2.0, 6.0]}), impute_missing=True)
    with pytest.warns(UserWarning, match=r"column 'a' has no value in 1 rows.*no gaps in training"):
        filled = encoder.transform(pd.DataFrame({"a": [None, 2.0]}))
    assert filled[0] == filled[1]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"a": [1.0, np.nan, np.nan]}, "column 'a' has no value in 2 rows (1, 2, counting from 0). Fill it"),
        ({"a": [1.0, np.inf]}, "column 'a' must be finite; row 1 (counting from 0) holds inf"),
        ({"a": [np.nan, np.nan]}, "column 'a' has no value in any row. Leave it out with ignore_columns"),
        ({"a": [None, ""]}, "column 'a' has no value in any row"),
        ({"a": [1e308, 1e308, -1e308]}, "column 'a' holds numbers too large to average"),
        ({"a": pd.to_datetime(["2024-01-01", "2024-01-02"])}, "column 'a' holds dates"),
        ({"a": [[1], [2]]}, "column 'a' must hold numbers or categories; got list"),
        (
            {"a": [f"n{index}" for index in range(300)]},
            "has 300 different values, more than 256 categories. Leave",
        ),
        ({"a": [f"{index}.JPG" for index in range(300)]}, "paths of images: say image_column='a'"),
        ({}, "at least one row and one feature column; got 0 rows and 0 columns"),
    ],
)
def test_columns_that_are_no_features(frame: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        TableEncoder.fit(pd.DataFrame(frame))


def test_new_rows_must_look_like_the_training_rows() -> None:
    encoder = TableEncoder.fit(pd.DataFrame({"weight": [1.0, 2.0], "height": [3, 4]}))
    with pytest.raises(InputError, match=r"no column 'weight'\. Did you mean 'Weight'\?"):
        encoder.transform(pd.DataFrame({"Weight": [1.0], "height": [1]}))
    with pytest.raises(
        InputError, match=r"'weight' must hold numbers.*row 1 \(counting from 0\) holds 'heavy'"
    ):
        encoder.transform(pd.DataFrame({"weight": ["1.5", "heavy"], "height": [1, 1]}))
    with pytest.raises(InputError, match=r"'height' has no value in 1 row"):
        encoder.transform(pd.DataFrame({"weight": ["1.5"], "height": [""]}))
    with pytest.raises(InputError, match=r"encoded features must be finite float32.*row 0"):
        TableInputs(pd.DataFrame({"weight": [1e300], "height": [1]}), encoder)


@pytest.mark.parametrize(
    "state", [{}, {"columns": [{"kind": "numeric"}], "impute_missing": False}, {"columns": 3}]
)
def test_a_state_that_is_none(state: dict[str, object]) -> None:
    with pytest.raises(InputError, match="not the state of a table encoder"):
        TableEncoder.from_dict(state)


def test_table_inputs_are_vectors_with_their_encoder() -> None:
    frame = pd.DataFrame(np.arange(6).reshape(3, 2))  # columns named 0 and 1, not text
    inputs = TableInputs(frame, TableEncoder.fit(frame), ids=["a", "b", "c"])
    assert (inputs.kind, inputs.shape, inputs.ids) == ("table", (2,), ("a", "b", "c"))
    assert inputs.__getitems__(range(3)).mean(dim=0).tolist() == pytest.approx([0, 0], abs=1e-6)

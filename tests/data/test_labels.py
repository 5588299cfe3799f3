from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder

from noiselayer.data import encode_labels
from noiselayer.data.labels import rename_labels
from noiselayer.errors import InputError

texts = st.lists(st.text("abcxyz", min_size=1, max_size=3), min_size=2, max_size=40).filter(
    lambda values: len(set(values)) > 1
)


@given(texts)
def test_text_is_encoded_as_scikit_learn_does(values: list[str]) -> None:
    encoder = LabelEncoder().fit(values)
    labels, names = encode_labels(values)
    assert labels.dtype == torch.int64
    assert labels.tolist() == encoder.transform(values).tolist()
    assert list(names) == encoder.classes_.tolist()


@given(st.lists(st.integers(0, 30), min_size=2, max_size=40).filter(lambda values: len(set(values)) > 1))
def test_integers_are_sorted_by_size_and_names_lead_back(values: list[int]) -> None:
    labels, names = encode_labels(np.array(values))
    assert [int(names[label]) for label in labels] == values
    assert [int(name) for name in names] == sorted(set(values))


@given(texts, st.randoms(use_true_random=False))
def test_given_names_fix_the_order(values: list[str], random: object) -> None:
    names = sorted(set(values))
    random.shuffle(names)  # type: ignore[attr-defined]
    labels, kept = encode_labels(values, names)
    assert kept == tuple(names)
    assert [names[label] for label in labels] == values


@pytest.mark.parametrize(
    "values",
    [
        np.array([2, 0, 1], dtype=np.uint8),
        np.array([2.0, 0.0, 1.0]),
        np.array([[2], [0], [1]]),
        torch.tensor([2, 0, 1]),
        ["2", "0", "1"],
        ["c", "a", "b"],
        np.array([b"c", b"a", b"b"]),
    ],
)
def test_indices_and_names_mean_the_same(values: object) -> None:
    assert encode_labels(values, ["a", "b", "c"])[0].tolist() == [2, 0, 1]  # type: ignore[arg-type]


def test_names_that_are_integers_are_names_not_positions() -> None:
    # A model trained on the labels 1, 5 and 10 meets a test set with 5 and 10 alone.
    assert encode_labels([10, 5], ["1", "5", "10"])[0].tolist() == [2, 1]
    with pytest.raises(
        InputError, match=r"'0' \(row 1, counting from 0\) is not one of the 3 classes 1, 5, 10"
    ):
        encode_labels([5, 0], ["1", "5", "10"])


@pytest.mark.parametrize(
    "values",
    [["1", "0", "10"], ["1.0", "0.0", "10.0"], ["1", "0.0", "1e1"], ["1,0", "0,0", "10,0"], [1.0, 0.0, 10.0]],
)
def test_whole_numbers_are_the_same_classes_however_they_are_written(values: list[object]) -> None:
    labels, names = encode_labels(values)  # type: ignore[arg-type]
    assert (labels.tolist(), names) == ([1, 0, 2], ("0", "1", "10"))
    assert encode_labels(values, ["10", "1", "0"])[0].tolist() == [1, 2, 0]  # type: ignore[arg-type]


def test_codes_and_given_names_stay_as_they_are_written() -> None:
    assert encode_labels(["007", "7", "07"])[1] == ("007", "07", "7")
    assert encode_labels(["1.5", "2.0"], ["2.0", "1.5"])[0].tolist() == [1, 0]


def test_missing_labels_may_be_marked() -> None:
    assert encode_labels([2.0, np.nan, 1.0], allow_missing=True)[0].tolist() == [1, -1, 0]
    assert encode_labels(["2.0", "NaN", "1"], allow_missing=True)[0].tolist() == [1, -1, 0]
    # Where labels are words, None may be one.
    assert encode_labels(["None", "", "cat"], allow_missing=True)[1] == ("None", "cat")
    with pytest.raises(InputError, match="2 rows have no label"):
        encode_labels(["", ""], allow_missing=True)


def test_names_that_nearly_agree_are_said() -> None:
    with pytest.warns(UserWarning, match="taken for different ones: 'SUN' and 'sun'"):
        assert encode_labels(["SUN", "sun", "C++", "C#"])[1] == ("C#", "C++", "SUN", "sun")


def test_booleans() -> None:
    labels, names = encode_labels(np.array([True, False]))
    assert (labels.tolist(), names) == ([1, 0], ("False", "True"))


@pytest.mark.parametrize("values", [[-1, 1, 1], [1.0, -1.0]])
def test_minus_one_and_one_are_two_classes(values: list[float]) -> None:
    assert encode_labels(values)[1] == ("-1", "1")


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        (
            [0, 3],
            ["a", "b", "c"],
            r"must lie in 0..2 for the 3 classes a, b, c; row 1 \(counting from 0\) is 3",
        ),
        ([0, -1], ["a", "b"], r"must lie in 0..1 .* is -1"),
        ([0, 1, -1], None, r"row 2 \(counting from 0\) is -1, which often means 'no label'"),
        ([0, 1.5], None, r"row 1 \(counting from 0\) is 1.5, a fraction"),
        ([0, np.nan, 1], None, r"1 row has no label \(1, counting from 0\)"),
        ([0, np.inf], None, "row 1 (counting from 0) is inf, too large for a class"),
        ([0, 1e300], None, "row 1 (counting from 0) is 1e+300, too large"),
        (["0", "-0.5"], None, "row 1 (counting from 0) is -0.5, a fraction"),
        (["1", str(2**63)], None, f"row 1 (counting from 0) is {2**63}, too large"),
        (np.array([1, 2**63], dtype=np.uint64), None, f"is {2**63}, too large"),
        (["2024-01-05", "2024-02-01"], None, "labels are dates, such as 2024-01-05; a date is no class"),
        (["cat", "dog "], None, "must not begin or end with a space or hold a carriage return; got 'dog '"),
        (["cat", "d\rg"], None, "must not begin or end with a space or hold a carriage return"),
        (["a", "", "b", ""], None, r"2 rows have no label \(1, 3, counting from 0\)"),
        (
            ["cat", "dgo"],
            ["cat", "dog"],
            "'dgo' (row 1, counting from 0) is not one of the 2 classes cat, dog. Did",
        ),
        (["cat", "cat"], None, "one class only, 'cat'"),
        ([7, 7], None, "one class only, '7'"),
        ([], None, "at least one label; got none"),
        (np.eye(3), None, r"shape (3, 3). Turn one-hot rows into class indices with .argmax(axis=1)"),
        (np.array([object()]), None, "integers or text; got dtype object"),
        (np.array([1j, 0]), None, "integers or text; got dtype complex128"),
        (["a", "b"], ["a"], "at least two classes; got a"),
        (["a", "b"], ["a", "b", "a"], "must differ; 'a' stands there more than once"),
    ],
)
def test_labels_that_are_none(values: object, names: list[str] | None, message: str) -> None:
    pattern = message if "\\(" in message or ".*" in message else re.escape(message)
    with pytest.raises(InputError, match=pattern):
        encode_labels(values, names)  # type: ignore[arg-type]


def test_the_message_names_the_labels() -> None:
    with pytest.raises(InputError, match=r"^labels \(column 'y'\): 1 row"):
        encode_labels(["a", ""], name="labels (column 'y')")


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_renaming_keeps_every_name(order: list[int], labels: list[int]) -> None:
    own = list("abcde")
    other = [own[index] for index in order]
    renamed = rename_labels(torch.tensor(labels), own, other)
    assert [other[label] for label in renamed] == [own[label] for label in labels]


def test_renaming_needs_only_the_names_in_use() -> None:
    assert rename_labels(torch.tensor([0, 0]), ["a", "unused"], ["b", "a"]).tolist() == [1, 1]
    with pytest.raises(
        InputError, match=r"of class 'dgo', which is not one of the 2 classes cat, dog\. Did you mean 'dog'"
    ):
        rename_labels(torch.tensor([1]), ["cat", "dgo"], ["cat", "dog"])


def test_names_that_stand_once_and_are_almost_common_ones_are_slips() -> None:
    labels = ["Person"] * 30 + ["Place"] * 30 + ["Persn", "PLace", "Other"]
    with pytest.warns(UserWarning, match="differ in capitals|slips of the pen") as warned:
        encode_labels(labels)
    slips = [str(one.message) for one in warned if "slips of the pen" in str(one.message)]
    assert slips == [
        "classes that stand once or twice are spelled almost like common ones: 'Persn' like 'Person'. If these are "
        "slips of the pen, mend them."
    ]
    numbered = [f"class{k}" for k in range(9) for _ in range(1 + 30 * (k > 0))]
    encode_labels(numbered)  # these are no slips, and no warning comes


def test_all_values_that_are_no_class_are_said_at_once() -> None:
    with pytest.raises(
        InputError, match=r"'dgo' \(row 2, .*Did you mean 'dog'\? The same holds for 'oul' \(row 3\)"
    ):
        encode_labels(["cat", "dog", "dgo", "oul", "dgo"], ["cat", "dog", "owl"])

"""Labels in every kind of column: the same classes and predictions, and gaps that are named."""

import enum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier
from noiselayer.arrays.class_labels import class_numbers
from noiselayer.data.labels import encode_labels
from noiselayer.errors import InputError
from noiselayer.estimators.gold_labels import GoldLabels
from noiselayer.estimators.meta import NoisyLabelMetaClassifier

ESTIMATORS: dict[str, Any] = {
    "network": NoisyLabelClassifier("normal", model="linear", max_iter=1, random_state=0),
    "features": NoisyLabelFeaturesClassifier("normal", random_state=0),
    "meta": NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=np.eye(2), random_state=0),
}
X = np.repeat([[-1.0, 0.0], [1.0, 0.5]], 20, axis=0)
LARGE = np.repeat([2**53, 2**53 + 1], 20)  # floats cannot tell them apart


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "int64[pyarrow]"])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_whole_numbers_of_a_column_that_may_have_gaps_stay_whole(name: str, dtype: str) -> None:
    y = pd.Series(LARGE).astype(dtype)
    fitted = ESTIMATORS[name].fit(X, y)
    assert fitted.classes_.dtype.kind in "iu"
    assert fitted.classes_.tolist() == [2**53, 2**53 + 1]
    assert set(fitted.predict(X).tolist()) <= {2**53, 2**53 + 1}


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA], ids=str)
@pytest.mark.parametrize("kind", ["list", "object", "category", "nullable", "float", "polars"])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_missing_labels_are_counted_and_placed(name: str, kind: str, gap: Any) -> None:
    values: list[Any] = np.repeat([0, 1], 20).tolist()
    values[3] = values[7] = gap
    y: Any = values
    if kind == "object":
        y = np.array(values, dtype=object)
    elif kind == "category":
        y = pd.Categorical([None if one is gap else f"dog{one}" for one in values])
    elif kind == "nullable":
        y = pd.Series(values, dtype="Int64")
    elif kind == "float":
        y = np.array([np.nan if one is gap else one for one in values])
    elif kind == "polars":
        y = pytest.importorskip("polars").Series([None if one is gap else one for one in values])
    with pytest.raises(
        InputError,
        match=r"2 of 40 samples have no label \(rows 3, 7, counting from 0\). Leave them out of X and y",
    ):
        ESTIMATORS[name].fit(X, y)


Mood = enum.Enum("Mood", {"GOOD": "very good", "BAD": "very bad"}, type=str)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_members_of_an_enumeration_are_the_texts_that_they_are(name: str, kind: Any) -> None:
    y = kind([Mood.GOOD] * 20 + [Mood.BAD] * 20, **({} if kind is list else {"dtype": object}))
    fitted = ESTIMATORS[name].fit(X, y)
    assert fitted.classes_.tolist() == ["very bad", "very good"]
    assert set(fitted.predict(X).tolist()) <= {"very bad", "very good"}


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_members_that_are_neither_text_nor_numbers_are_refused(name: str) -> None:
    kind = enum.Enum("kind", "ONE TWO")
    with pytest.raises(
        TypeError, match=r"y must hold text or numbers; got kind.ONE, of an enumeration. Use \["
    ):
        ESTIMATORS[name].fit(X, [kind.ONE] * 20 + [kind.TWO] * 20)


def test_members_of_an_enumeration_as_classes_by_name() -> None:
    assert class_numbers([Mood.BAD, Mood.GOOD], "labels", ["very good", "very bad"]).tolist() == [1, 0]
    assert encode_labels([Mood.BAD, Mood.GOOD])[1] == ("very bad", "very good")
    gold = GoldLabels.of([Mood.BAD, Mood.GOOD], [Mood.BAD, None], None, 2)
    assert gold.classes.tolist() == ["very bad", "very good"]


@pytest.mark.parametrize(
    "y", [np.eye(2)[[0, 1] * 20], np.full((40, 2), 0.5), np.eye(3, dtype=bool)[[0, 1] * 20]]
)
def test_one_hot_labels_are_not_taken_for_labellers(y: Any) -> None:
    with pytest.raises(InputError, match=r"as one-hot labels .* Give the classes: y.argmax\(axis=1\)"):
        NoisyLabelFeaturesClassifier().fit(X, y)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_missing_trusted_label_is_named_as_one(name: str) -> None:
    y = np.repeat([0, 1], 20)
    with pytest.raises(
        InputError, match=r"Input y_clean contains NaN: 1 of 40 .* Leave them out of X_clean and y_clean"
    ):
        ESTIMATORS[name].set_params(noise_matrix=None).fit(X, y, X_clean=X, y_clean=[None, *y[1:].tolist()])


@pytest.mark.parametrize(
    ("labels", "checked", "message"),
    [
        ([0, 1], ["0", "1"], "y has 0, which is no text, and {} the text '0'. Give all as texts"),
        (["a", "b"], [0.0, 1.0], "{} has 0(\\.0)?, which is no text, and y the text 'a'"),
        ([0, 1], ["yes", "no"], "y has 0, which is no text, and {} the text '(yes|no)'"),
    ],
)
def test_numbers_and_texts_are_not_classes_of_one_problem(labels, checked, message: str) -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    gold = pd.Series([*np.repeat(checked, 10), *[None] * 20], dtype=object)
    y = np.repeat(labels, 20)
    with pytest.raises(
        InputError, match="y and gold must hold labels of one kind; " + message.format("gold")
    ):
        NoisyLabelFeaturesClassifier().fit(X, y, gold=gold)
    other = NoisyLabelClassifier("estimated", model="linear", max_iter=1)
    with pytest.raises(
        InputError, match="y and y_clean must hold labels of one kind; " + message.format("y_clean")
    ):
        other.fit(X, y, X_clean=X[:20], y_clean=np.repeat(checked, 10))


@pytest.mark.parametrize("twins", [("cat", "cat "), ("caf\u00e9", "cafe\u0301"), ("Cat", "cat")])
def test_classes_that_look_like_one_are_told(twins: tuple[str, str]) -> None:
    y = np.array([*twins, "dog"])[np.arange(60) % 3]
    inputs = np.random.default_rng(0).normal(size=(60, 2))
    model = NoisyLabelFeaturesClassifier("known", noise_matrix=np.eye(3), cv=2)
    with pytest.warns(UserWarning, match="differ in capitals, accents or spaces alone"):
        model.fit(inputs, y)
    assert len(model.classes_) == 3

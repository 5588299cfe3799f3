"""Inputs that hold no numbers, or hide some, are named by argument, row and column."""

import numpy as np
import pandas as pd
import pytest

from noiselayer import (
    NoisyLabelBoostingClassifier,
    NoisyLabelClassifier,
    NoisyLabelFeaturesClassifier,
    audit_labels,
)

generator = np.random.default_rng(0)
Y = generator.integers(3, size=120)
X = generator.normal(size=(120, 4)) + 2 * np.eye(3, 4)[Y]
FRAME = pd.DataFrame(X, columns=list("abcd"))


def model() -> NoisyLabelFeaturesClassifier:
    return NoisyLabelFeaturesClassifier("known", noise_matrix=np.eye(3), cv=2, random_state=0)


def test_masked_values_do_not_count_as_values() -> None:
    with pytest.raises(ValueError, match=r"X must have a value everywhere; \d+ of 480 are masked"):
        model().fit(np.ma.masked_array(X, mask=X > 2), Y)
    with pytest.raises(ValueError, match=r"y must have a value everywhere; \d+ of 120 are masked"):
        model().fit(X, np.ma.masked_array(Y, mask=Y > 1))
    with pytest.raises(ValueError, match="X must have a value everywhere"):
        model().fit(X, Y).predict(np.ma.masked_array(X, mask=X > 2))
    probs = np.full((120, 3), 1 / 3)
    with pytest.raises(ValueError, match=r"labels must have a value everywhere; \d+ of 120 are masked"):
        audit_labels(np.ma.masked_array(Y, mask=Y > 1), probs)
    found = model().fit(np.ma.masked_array(X), np.ma.masked_array(Y))
    assert (found.predict(X) == model().fit(X, Y).predict(X)).all()


@pytest.mark.parametrize(
    ("column", "held"),
    [
        ("u", "'u'"),
        (pd.Timestamp("2020-01-01"), "'2020-01-01 00:00:00'"),
        (pd.Categorical(np.array(["p", "q", "r"])[Y]), "'[pqr]'"),
        ([1.5, "u", *X[2:, 0].tolist()], "'u'"),
    ],
)
def test_a_column_without_numbers_is_named(column: object, held: str) -> None:
    with pytest.raises(ValueError, match=f"X must hold numbers; column 'd' holds {held}"):
        model().fit(FRAME.assign(d=column), Y)


@pytest.mark.parametrize(
    "codes", [Y, Y.astype(float), Y > 0, Y.astype(str)], ids=["int", "float", "bool", "text"]
)
def test_categories_that_numbers_stand_for_are_no_numbers(codes: np.ndarray) -> None:
    frame = FRAME.assign(d=pd.Categorical(codes))
    boosted = NoisyLabelBoostingClassifier(noise_matrix=np.eye(3))
    for estimator in (model(), boosted, NoisyLabelClassifier()):
        with pytest.raises(ValueError, match=r"column 'd' holds categories.*X\.astype\({'d': float}\)"):
            estimator.fit(frame, Y)
    with pytest.raises(ValueError, match="column 'd' holds categories"):
        model().fit(FRAME, Y).predict(frame)


def test_categories_in_the_order_of_their_numbers_are_numbers() -> None:
    frame = FRAME.assign(d=pd.Categorical(Y, ordered=True))
    expected = model().fit(FRAME.assign(d=Y), Y).predict_proba(FRAME.assign(d=Y))
    assert np.array_equal(model().fit(frame, Y).predict_proba(frame), expected)
    turned = FRAME.assign(d=pd.Categorical(Y, categories=[2, 0, 1], ordered=True))
    with pytest.raises(ValueError, match="column 'd' holds categories"):
        model().fit(turned, Y)


@pytest.mark.parametrize("kind", ["pyarrow", "a dictionary of pyarrow", "polars"])
def test_a_column_of_text_of_another_library_is_named(kind: str) -> None:
    columns = {"a": X[:, 0].tolist(), "d": np.array(["p", "q", "r"])[Y].tolist()}
    if kind == "polars":
        table = pytest.importorskip("polars").DataFrame(columns)
    else:
        pyarrow = pytest.importorskip("pyarrow")
        table = pyarrow.table(columns)
        if kind != "pyarrow":
            table = table.set_column(1, "d", table["d"].dictionary_encode())
    with pytest.raises(ValueError, match="X must hold numbers; column 'd' holds '[pqr]'"):
        model().fit(table, Y)


def test_embeddings_of_which_the_first_is_missing() -> None:
    with pytest.raises(ValueError, match="row 1 has 4 numbers, row 0 holds None"):
        model().fit(pd.Series([None, *X.tolist()[1:]]), Y)


def test_labels_of_which_some_are_texts() -> None:
    mixed = np.array(["cat" if label == 1 else label for label in Y], dtype=object)
    with pytest.raises(
        ValueError, match=r"y must hold labels of one kind; got the text 'cat' in row \d+ and \d"
    ):
        model().fit(X, mixed)

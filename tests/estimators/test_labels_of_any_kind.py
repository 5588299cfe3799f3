"""Labels in every kind of column: the same classes and predictions, and gaps that are named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier
from noiselayer.errors import InputError
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


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_missing_trusted_label_is_named_as_one(name: str) -> None:
    y = np.repeat([0, 1], 20)
    with pytest.raises(
        InputError, match=r"Input y_clean contains NaN: 1 of 40 .* Leave them out of X_clean and y_clean"
    ):
        ESTIMATORS[name].set_params(noise_matrix=None).fit(X, y, X_clean=X, y_clean=[None, *y[1:].tolist()])

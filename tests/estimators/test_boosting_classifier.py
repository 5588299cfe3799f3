"""Boosting as one estimator: scikit-learn's conventions, both libraries, what is learned, words."""

import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks
from xgboost import XGBClassifier

from noiselayer import corrupt_labels
from noiselayer.estimators.boosting import NoisyLabelBoostingClassifier, noisy_label_objective

Array = npt.NDArray[Any]
SKEWED = np.array([[0.9, 0.45, 0.0], [0.1, 0.55, 0.0], [0.0, 0.0, 1.0]])
LIGHT = LGBMClassifier(
    n_estimators=20, learning_rate=0.3, num_leaves=4, min_child_samples=5, n_jobs=1, verbose=-1
)
EXTREME = XGBClassifier(n_estimators=20, max_depth=2, n_jobs=1)


def blobs(size: int = 450, seed: int = 0) -> tuple[Array, Array, Array]:
    X, truth = make_blobs(size, centers=[[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]], random_state=seed)
    noisy = corrupt_labels(torch.from_numpy(truth), torch.from_numpy(SKEWED))
    return X, truth, noisy.numpy()


# Some checks draw labels at random; of those there is nothing to learn, and fit says so.
untold = pytest.mark.filterwarnings("ignore:the noise cannot be told from")


# Slow, as those of the meta-estimator are, which shares all but the trees with it.
@pytest.mark.slow
@untold
@parametrize_with_checks([NoisyLabelBoostingClassifier(LIGHT, cv=2, rounds=1, random_state=0)])
def test_keeps_scikit_learns_conventions(estimator: NoisyLabelBoostingClassifier, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@untold
@parametrize_with_checks(
    [
        NoisyLabelBoostingClassifier(EXTREME, random_state=0),
        NoisyLabelBoostingClassifier(LIGHT, random_state=0),
    ]
)
def test_keeps_scikit_learns_conventions_with_default_budgets(
    estimator: NoisyLabelBoostingClassifier, check: Any
) -> None:
    check(estimator)


@pytest.mark.parametrize("trees", [LIGHT, EXTREME], ids=["lightgbm", "xgboost"])
def test_known_matrix_is_the_objective_by_hand(trees: Any) -> None:
    X, truth, noisy = blobs()
    names = np.array(["b", "d", "x"])
    model = NoisyLabelBoostingClassifier(trees, noise_matrix=SKEWED).fit(X, names[noisy])
    by_hand = clone(trees).set_params(objective=noisy_label_objective(SKEWED)).fit(X, noisy)
    if trees is LIGHT:
        z = by_hand.booster_.predict(X, raw_score=True)
        expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    else:
        expected = by_hand.predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    assert np.mean(model.predict(X) == names[truth]) > 0.97
    opened = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(opened.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("trees", [LIGHT, EXTREME], ids=["lightgbm", "xgboost"])
def test_learns_and_measures_the_matrix(trees: Any) -> None:
    X, truth, noisy = blobs()
    learned = NoisyLabelBoostingClassifier(trees, cv=3, rounds=1, random_state=0).fit(X, noisy)
    np.testing.assert_allclose(learned.noise_matrix_, SKEWED, atol=0.12)
    assert np.mean(learned.predict(X) == truth) > 0.96
    X_clean, y_clean, _ = blobs(90, seed=1)
    measured = NoisyLabelBoostingClassifier(trees, cv=3, random_state=0)
    measured.fit(X, noisy, X_clean=X_clean, y_clean=y_clean)
    np.testing.assert_allclose(measured.noise_matrix_, SKEWED, atol=0.15)
    assert np.mean(measured.predict(X) == truth) > 0.96


def test_missing_numbers_are_the_trees_affair() -> None:
    X, truth, noisy = blobs()
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.05, np.nan, X)
    model = NoisyLabelBoostingClassifier(LIGHT, cv=2, rounds=1, random_state=0).fit(X, noisy)
    assert np.mean(model.predict(X) == truth) > 0.85


def test_an_estimator_without_an_objective_is_refused() -> None:
    X, _, noisy = blobs(60)
    with pytest.raises(ValueError, match=r"got LogisticRegression.*NoisyLabelMetaClassifier takes any"):
        NoisyLabelBoostingClassifier(LogisticRegression()).fit(X, noisy)


def test_inputs_without_a_column_that_varies_are_named() -> None:
    estimator = NoisyLabelBoostingClassifier(LIGHT, noise_matrix=np.eye(2))
    with pytest.raises(ValueError, match="^X must have a column whose values differ; all 40 rows are alike"):
        estimator.fit(np.zeros((40, 3)), np.arange(40) % 2)

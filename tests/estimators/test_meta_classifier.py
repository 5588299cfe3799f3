"""Expectation-maximisation around any classifier: scikit-learn's conventions, known answers, naive loops, words."""

import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from noiselayer import corrupt_labels
from noiselayer.estimators.meta import NoisyLabelMetaClassifier, update_noise_matrix
from noiselayer.estimators.meta.fold_predictions import fold_numbers, predict_folds
from noiselayer.estimators.meta.rounds import class_probabilities_behind

Array = npt.NDArray[Any]
SKEWED = np.array([[0.9, 0.45, 0.0], [0.1, 0.55, 0.0], [0.0, 0.0, 1.0]])  # class 1 is often taken for class 0


def blobs(size: int = 300, noise_matrix: Array = SKEWED, seed: int = 0) -> tuple[Array, Array, Array]:
    """Inputs, true classes and noisy labels."""
    X, truth = make_blobs(size, centers=[[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]], random_state=seed)
    generator = torch.Generator().manual_seed(seed)
    noisy = corrupt_labels(torch.from_numpy(truth), torch.from_numpy(noise_matrix), generator=generator)
    return X, truth, noisy.numpy()


# Some checks draw labels at random; of those there is nothing to learn, and fit says so.
untold = pytest.mark.filterwarnings("ignore:the noise cannot be told from")


@pytest.mark.slow
@untold
@parametrize_with_checks(
    [NoisyLabelMetaClassifier(LogisticRegression(max_iter=1000), cv=2, max_iter=2, random_state=0)]
)
def test_keeps_scikit_learns_conventions(estimator: NoisyLabelMetaClassifier, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@untold
@parametrize_with_checks(
    [
        NoisyLabelMetaClassifier(LogisticRegression(max_iter=1000), random_state=0),
        NoisyLabelMetaClassifier(DecisionTreeClassifier(max_depth=3, random_state=0), random_state=0),
    ]
)
def test_keeps_scikit_learns_conventions_with_default_budgets(
    estimator: NoisyLabelMetaClassifier, check: Any
) -> None:
    check(estimator)


# Known answers.


def test_identity_is_the_estimator_itself() -> None:
    X, truth, _ = blobs()
    model = NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=np.eye(3)).fit(X, truth)
    plain = LogisticRegression().fit(X, truth)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(model.estimator_.coef_, plain.coef_, atol=1e-5)
    assert model.n_iter_ == 1 or model.n_iter_ == 2


def test_known_matrix_undoes_the_noise_where_the_plain_estimator_repeats_it() -> None:
    Q = np.array([[1.0, 0.7, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 1.0]])  # class 1 is labelled 0 mostly
    X, truth, noisy = blobs(600, Q)
    assert np.mean(LogisticRegression().fit(X, noisy).predict(X) == truth) < 0.75
    model = NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=Q, max_iter=30, tol=0)
    model.fit(X, noisy)
    assert np.mean(model.predict(X) == truth) > 0.98
    # What annotators would say goes through the matrix, the prediction does not.
    p, seen = model.predict_proba(X[:4]), model.noisy_proba(X[:4])
    for n in range(4):
        for j in range(3):
            assert seen[n, j] == pytest.approx(sum(Q[j, i] * p[n, i] for i in range(3)))
    assert not np.allclose(model.noisy_proba(X), model.predict_proba(X) @ Q, atol=0.05)  # transposed


def test_likelihood_of_noisy_labels_climbs() -> None:
    X, _, noisy = blobs(400)
    losses = []
    for steps in (1, 2, 4, 8):
        model = NoisyLabelMetaClassifier(
            LogisticRegression(C=1e6), noise_matrix=SKEWED, max_iter=steps, tol=0, cross_fit=False
        ).fit(X, noisy)
        losses.append(-np.log(model.noisy_proba(X)[np.arange(len(X)), noisy]).mean())
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1] + 1e-4


def test_learns_the_matrix() -> None:
    # Wide clusters: of narrow ones far apart a linear model can repeat the noise, and Q is anybody's guess.
    X, truth = make_blobs(900, centers=[[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]], cluster_std=1.8, random_state=0)
    noisy = corrupt_labels(torch.from_numpy(truth), torch.from_numpy(SKEWED)).numpy()
    model = NoisyLabelMetaClassifier(LogisticRegression(), rounds=1, cv=3, random_state=0).fit(X, noisy)
    np.testing.assert_allclose(model.noise_matrix_, SKEWED, atol=0.12)  # its transpose is off by 0.35
    assert model.rounds_[0]["view"] in ("predictions", "inputs", "both")
    assert np.mean(model.predict(X) == truth) > 0.93


def test_measures_the_matrix_with_clean_samples_and_trains_on_them() -> None:
    X, truth, noisy = blobs(600)
    X_clean, y_clean, _ = blobs(90, seed=1)
    model = NoisyLabelMetaClassifier(LogisticRegression(), cv=3, random_state=0)
    model.fit(X, noisy, X_clean=X_clean, y_clean=y_clean)
    np.testing.assert_allclose(model.noise_matrix_, SKEWED, atol=0.12)
    assert model.estimate_.standard_error.shape == (3, 3)
    assert np.mean(model.predict(X) == truth) > 0.97


def test_forest_that_memorises_its_weights_needs_predictions_out_of_fold() -> None:
    Q = np.array([[1.0, 0.45], [0.0, 0.55]])
    X, truth = make_blobs(400, centers=[[-2.0, 0.0], [2.0, 0.0]], random_state=0)
    noisy = corrupt_labels(torch.from_numpy(truth), torch.from_numpy(Q)).numpy()
    forest = RandomForestClassifier(20, random_state=0)
    right = {}
    for cross_fit in (False, True):
        model = NoisyLabelMetaClassifier(
            forest, noise_matrix=Q, cross_fit=cross_fit, max_iter=4, tol=0, random_state=0
        ).fit(X, noisy)
        right[cross_fit] = np.mean(model.predict(X) == truth)
    assert right[True] > right[False]
    assert right[True] > 0.9


class Counted(LogisticRegression):
    """Counts the samples that all its copies were fitted to."""

    seen = 0

    def fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> Any:
        Counted.seen += len(np.unique(X, axis=0))
        return super().fit(X, y, sample_weight)


def test_a_fit_with_a_learned_matrix_sees_every_sample_five_times() -> None:
    X, _, noisy = blobs(500)
    Counted.seen = 0
    model = NoisyLabelMetaClassifier(Counted(), cv=5, random_state=0).fit(X, noisy)
    assert Counted.seen == 5 * len(X)  # four fifths in each of five folds, and all of them at the end
    assert not hasattr(model, "_noisy_probs")


def test_classes_behind_a_prediction_are_those_of_a_grid_search() -> None:
    Q = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.1], [0.1, 0.2, 0.8]])
    noisy = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    found = class_probabilities_behind(noisy, Q, steps=2000)
    grid = np.array([(a, b, 100 - a - b) for a in range(101) for b in range(101 - a)]) / 100
    values = noisy @ np.log(grid @ Q.T).T
    np.testing.assert_allclose(found, grid[values.argmax(axis=1)], atol=0.015)
    np.testing.assert_allclose(class_probabilities_behind(np.eye(3), np.eye(3)), np.eye(3))


def test_trainable_matrix_moves_towards_the_truth_from_a_guess() -> None:
    X, _, noisy = blobs(900)
    guess = np.array([[0.8, 0.3, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.8]])
    model = NoisyLabelMetaClassifier(
        LogisticRegression(C=100), noise_matrix=guess, noise_trainable=True, max_iter=8, tol=0, random_state=0
    ).fit(X, noisy)
    assert np.abs(model.noise_matrix_ - SKEWED).sum() < 0.7 * np.abs(guess - SKEWED).sum()
    np.testing.assert_allclose(model.noise_matrix_.sum(axis=0), 1)


# The pieces.


def test_update_of_the_matrix_is_that_of_a_naive_loop_and_raises_the_likelihood() -> None:
    generator = np.random.default_rng(0)
    p, y = generator.dirichlet([1.0] * 3, size=50), generator.integers(0, 3, size=50)
    Q = generator.dirichlet([1.0] * 3, size=3).T
    expected = np.zeros((3, 3))
    for n in range(50):
        evidence = sum(Q[y[n], k] * p[n, k] for k in range(3))
        for i in range(3):
            expected[y[n], i] += Q[y[n], i] * p[n, i] / evidence
    expected /= expected.sum(axis=0)
    updated = update_noise_matrix(p, y, Q)
    np.testing.assert_allclose(updated, expected)

    def likelihood(Q: Array) -> float:
        return float(np.log((p @ Q.T)[np.arange(50), y]).sum())

    assert likelihood(updated) > likelihood(Q)


def test_folds_leave_out_every_sample_once_and_no_class_altogether() -> None:
    codes = np.array([0] * 7 + [1] * 2 + [2])
    fold_of = fold_numbers(codes, 3, np.random.RandomState(0))
    assert fold_of[-1] == -1
    for fold in range(3):
        assert set(codes[fold_of != fold]) == {0, 1, 2}
    seen: list[set[int]] = []

    def fit(X: Array, codes: Array, rows: Array) -> Any:
        seen.append(set(rows.tolist()))
        return lambda X: np.repeat([[float(len(seen)), 0.0, 0.0]], len(X), axis=0)

    probs = predict_folds(np.zeros((10, 1)), codes, 3, fold_of, fit).probs
    for n in range(9):
        assert n not in seen[int(probs[n, 0]) - 1]


# Types, words, chance.


def test_labels_and_tables_of_any_type() -> None:
    X, _, noisy = blobs(150)
    table = pd.DataFrame(X, columns=["width", "height"])
    names = np.array(["b", "d", "x"])
    model = NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=SKEWED, random_state=0)
    model.fit(table, names[noisy])
    assert model.feature_names_in_.tolist() == ["width", "height"]
    numbers = clone(model).fit(X, noisy)
    np.testing.assert_array_equal(model.predict(table), names[numbers.predict(X)])
    opened = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(opened.predict_proba(table), model.predict_proba(table))


@pytest.mark.parametrize(
    ("estimator", "parameters", "message"),
    [
        (KNeighborsClassifier(), {}, "must take sample_weight in fit; KNeighborsClassifier does not"),
        (LinearSVC(), {}, "must have predict_proba; LinearSVC has not"),
        (LogisticRegression(), {"max_iter": 0}, "max_iter must be at least 1; got 0"),
        (LogisticRegression(), {"cv": 1}, "cv must be at least 2; got 1"),
        (LogisticRegression(), {"rounds": 0}, "rounds must be at least 1; got 0"),
        (LogisticRegression(), {"noise_matrix": SKEWED.T}, "columns must sum to 1"),
        (LogisticRegression(), {"noise_matrix": np.eye(2)}, "noise_matrix is 2 x 2, but there are 3 classes"),
        (
            LogisticRegression(),
            {"noise_trainable": True, "cross_fit": False},
            "noise_trainable needs cross_fit=True",
        ),
    ],
)
def test_unfit_parameters_are_refused(estimator: Any, parameters: dict[str, Any], message: str) -> None:
    X, _, noisy = blobs(60)
    with pytest.raises(ValueError, match=message):
        NoisyLabelMetaClassifier(estimator, **parameters).fit(X, noisy)


def test_unfit_clean_samples_are_refused() -> None:
    X, truth, noisy = blobs(60)
    model = NoisyLabelMetaClassifier(LogisticRegression())
    with pytest.raises(ValueError, match="X_clean and y_clean must be given together"):
        model.fit(X, noisy, X_clean=X)
    with pytest.raises(ValueError, match="y_clean must hold every class; 2 is missing"):
        model.fit(X, noisy, X_clean=X[truth < 2], y_clean=truth[truth < 2])
    with pytest.raises(ValueError, match=r"y_clean must hold labels that y has too.*'?3'? besides"):
        model.fit(X, noisy, X_clean=X, y_clean=truth + 1)
    with pytest.raises(ValueError, match="but noise_matrix is given. Leave one of the two out"):
        NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=SKEWED).fit(
            X, noisy, X_clean=X, y_clean=truth
        )


def test_a_seed_reproduces_every_bit() -> None:
    X, _, noisy = blobs(150)
    first, again = (
        NoisyLabelMetaClassifier(LogisticRegression(), cv=2, max_iter=2, random_state=5).fit(X, noisy)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(first.noise_matrix_, again.noise_matrix_)

"""The objective against autograd, naive loops and the libraries' own; all four interfaces; words."""

import copy
import inspect
import pickle
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pytest
import torch
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st

from noiselayer import corrupt_labels, noisy_label_loss
from noiselayer.estimators.boosting import class_probabilities, noisy_label_metric, noisy_label_objective
from noiselayer.noise import pair_flip

Array = npt.NDArray[Any]
SKEWED = np.array([[0.7, 0.0, 0.4], [0.3, 0.8, 0.0], [0.0, 0.2, 0.6]])
TWO = np.array([[1.0, 0.45], [0.0, 0.55]])
LIGHT = {"n_jobs": 1, "verbose": -1, "min_child_samples": 5, "random_state": 0}


def made(size: int = 200, num_classes: int = 3) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    y = np.arange(size) % num_classes
    return generator.normal(size=(size, 4)) + 2 * np.eye(num_classes, 4)[y], y


def margins(size: int, num_classes: int, scale: float = 3.0) -> Array:
    return scale * np.random.default_rng(1).normal(size=(size, num_classes))


# Gradient and curvature.


@pytest.mark.parametrize("scale", [0.1, 3.0, 300.0])
def test_gradient_is_that_of_autograd(scale: float) -> None:
    z, y = margins(60, 3, scale), np.arange(60) % 3
    logits = torch.from_numpy(z).requires_grad_()
    noisy_label_loss(logits, torch.from_numpy(y), torch.from_numpy(SKEWED), reduction="sum").backward()
    assert logits.grad is not None
    gradient, curvature = noisy_label_objective(SKEWED)(y, z)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), atol=1e-12)
    assert (curvature > 0).all()
    assert np.isfinite(gradient).all()


def test_gradient_of_a_single_margin_is_that_of_autograd() -> None:
    z, y = margins(60, 1)[:, 0], np.arange(60) % 2
    margin = torch.from_numpy(z).requires_grad_()
    logits = torch.stack([torch.zeros_like(margin), margin], dim=1)
    noisy_label_loss(logits, torch.from_numpy(y), torch.from_numpy(TWO), reduction="sum").backward()
    assert margin.grad is not None
    gradient, curvature = noisy_label_objective(TWO)(y, z)
    assert gradient.shape == curvature.shape == (60,)
    np.testing.assert_allclose(gradient, margin.grad.numpy(), atol=1e-12)
    p = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(curvature, p * (1 - p))


@given(st.integers(0, 10_000), st.integers(2, 5), st.floats(0.01, 20))
def test_curvature_bounds_the_true_one_from_above(seed: int, num_classes: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    Q = torch.from_numpy(generator.dirichlet([0.3] * num_classes, size=num_classes).T.copy())
    z = torch.from_numpy(scale * generator.normal(size=num_classes))
    y = int(generator.integers(num_classes))

    def loss(z: torch.Tensor) -> torch.Tensor:
        return -((Q[y] * z.softmax(0)).sum() + 1e-300).log()

    hessian = torch.autograd.functional.hessian(loss, z).numpy()
    _, curvature = noisy_label_objective(Q)(np.array([y]), z.numpy()[None])
    if np.isfinite(hessian).all():
        assert np.linalg.eigvalsh(np.diag(curvature[0]) - hessian).min() > -1e-6


def test_a_step_of_newton_lowers_the_loss() -> None:
    # Also where the loss is not convex and the true second derivative is negative.
    y, z = np.arange(300) % 3, margins(300, 3, 4.0)
    gradient, curvature = noisy_label_objective(SKEWED)(y, z)
    loss = noisy_label_metric(SKEWED)
    for n in range(300):
        stepped = z[n : n + 1] - gradient[n] / curvature[n]
        assert loss(y[n : n + 1], stepped)[1] <= loss(y[n : n + 1], z[n : n + 1])[1] + 1e-12


def test_weights_scale_both() -> None:
    y, z = np.arange(6) % 3, margins(6, 3)
    weight = np.arange(6.0)
    plain, weighted = noisy_label_objective(SKEWED)(y, z), noisy_label_objective(SKEWED)(y, z, weight)
    for one, other in zip(plain, weighted, strict=True):
        np.testing.assert_allclose(other, weight[:, None] * one)


def test_trusted_labels_go_through_the_identity() -> None:
    y, z = np.arange(6) % 3, margins(6, 3)
    clean = np.array([True, False] * 3)
    mixed, _ = noisy_label_objective(SKEWED, clean=clean)(y, z)
    np.testing.assert_allclose(mixed[clean], (class_probabilities(z) - np.eye(3)[y])[clean])
    np.testing.assert_allclose(mixed[~clean], noisy_label_objective(SKEWED)(y, z)[0][~clean])


def test_a_label_that_is_impossible_moves_nothing() -> None:
    Q = np.array([[1.0, 1.0], [0.0, 0.0]])
    gradient, _ = noisy_label_objective(Q)(np.array([1, 0]), np.array([[0.3, -0.2], [0.0, 0.0]]))
    np.testing.assert_allclose(gradient, 0, atol=1e-15)


# The libraries.


def test_identity_grows_lightgbms_own_trees_for_two_classes() -> None:
    X, y = made(num_classes=2)
    ours = lgb.LGBMClassifier(n_estimators=5, objective=noisy_label_objective(np.eye(2)), **LIGHT).fit(X, y)
    own = lgb.LGBMClassifier(n_estimators=5, boost_from_average=False, **LIGHT).fit(X, y)
    np.testing.assert_allclose(
        class_probabilities(ours.booster_.predict(X, raw_score=True)), own.predict_proba(X), atol=1e-6
    )


@pytest.mark.parametrize("num_classes", [2, 3])
def test_identity_grows_xgboosts_own_trees(num_classes: int) -> None:
    X, y = made(num_classes=num_classes)
    objective = noisy_label_objective(np.eye(num_classes))
    ours = xgb.XGBClassifier(n_estimators=5, n_jobs=1, objective=objective, base_score=0.5).fit(X, y)
    own = xgb.XGBClassifier(n_estimators=5, n_jobs=1, base_score=0.5).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), own.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_native_and_scikit_learn_interfaces_agree(num_classes: int) -> None:
    X, y = made(num_classes=num_classes)
    Q = TWO if num_classes == 2 else SKEWED
    weight = np.random.default_rng(3).random(len(y))
    objective = noisy_label_objective(Q)
    many = {} if num_classes == 2 else {"num_class": num_classes}

    shared = {"verbose": -1, "num_threads": 1, "min_child_samples": 5, "seed": 0}
    booster = lgb.train(
        {"objective": objective, **shared, **many}, lgb.Dataset(X, y, weight=weight), num_boost_round=4
    )
    classifier = lgb.LGBMClassifier(n_estimators=4, objective=objective, **LIGHT).fit(X, y, weight)
    np.testing.assert_allclose(
        class_probabilities(booster.predict(X)),
        class_probabilities(classifier.booster_.predict(X, raw_score=True)),
        atol=1e-6,
    )

    data = xgb.DMatrix(X, y, weight=weight)
    native = xgb.train({"nthread": 1, "base_score": 0.0, **many}, data, num_boost_round=4, obj=objective)
    other = xgb.XGBClassifier(n_estimators=4, n_jobs=1, objective=objective).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        class_probabilities(native.predict(data, output_margin=True)), other.predict_proba(X), atol=1e-4
    )


def test_early_stopping_on_noisy_labels_in_all_interfaces() -> None:
    X, truth = made(600)
    y = corrupt_labels(torch.from_numpy(truth), pair_flip(3, 0.4)).numpy()
    Q = pair_flip(3, 0.4)
    objective, metric = noisy_label_objective(Q), noisy_label_metric(Q)
    renamed = "eval_X" in inspect.signature(lgb.LGBMClassifier.fit).parameters  # in later versions
    held_out = {"eval_X": (X[400:],), "eval_y": (y[400:],)} if renamed else {"eval_set": [(X[400:], y[400:])]}
    light = lgb.LGBMClassifier(n_estimators=200, objective=objective, metric="none", **LIGHT).fit(
        X[:400],
        y[:400],
        **held_out,
        eval_metric=metric,
        callbacks=[lgb.early_stopping(5, verbose=False)],
    )
    seen = light.evals_result_["valid_0"]
    assert list(seen) == ["noisy_label_loss"]  # no metric of its own has a say in when to stop
    assert light.best_iteration_ == np.argmin(seen["noisy_label_loss"]) + 1
    assert 10 < light.best_iteration_ < 200
    probs = class_probabilities(light.booster_.predict(X[400:], raw_score=True))
    expected = -np.log((probs @ Q.numpy().T)[np.arange(200), y[400:]]).mean()
    assert light.best_score_["valid_0"]["noisy_label_loss"] == pytest.approx(expected)

    other = noisy_label_metric(Q, "xgboost")
    trees = xgb.XGBClassifier(
        n_estimators=200, n_jobs=1, objective=objective, eval_metric=other, early_stopping_rounds=5
    ).fit(X[:400], y[:400], eval_set=[(X[400:], y[400:])], verbose=False)
    assert trees.best_iteration < 200
    seen = trees.evals_result()["validation_0"]["noisy_label_loss"][trees.best_iteration]
    probs = trees.predict_proba(X[400:])
    assert seen == pytest.approx(-np.log((probs @ Q.numpy().T)[np.arange(200), y[400:]]).mean(), abs=1e-4)
    held = xgb.DMatrix(X[400:], y[400:])
    result: dict[str, Any] = {}
    xgb.train(
        {"num_class": 3, "nthread": 1, "disable_default_eval_metric": True},
        xgb.DMatrix(X[:400], y[:400]),
        3,
        obj=objective,
        custom_metric=other,
        evals=[(held, "held")],
        evals_result=result,
        verbose_eval=False,
    )
    assert len(result["held"]["noisy_label_loss"]) == 3


def test_pickled_and_copied() -> None:
    y, z = np.arange(6) % 3, margins(6, 3)
    objective = noisy_label_objective(SKEWED)
    for other in (pickle.loads(pickle.dumps(objective)), copy.deepcopy(objective)):
        np.testing.assert_array_equal(other(y, z)[0], objective(y, z)[0])


@pytest.mark.parametrize("num_classes", [2, 3])
def test_curvature_without_noise_is_xgboosts_and_lightgbms_but_for_a_factor(num_classes: int) -> None:
    X, y = made(num_classes=num_classes)
    shared = {
        "n_estimators": 1,
        "learning_rate": 1.0,
        "boost_from_average": False,
        "min_child_weight": 0,
        **LIGHT,
    }
    ours = lgb.LGBMClassifier(objective=noisy_label_objective(np.eye(num_classes)), **shared).fit(X, y)
    own = lgb.LGBMClassifier(**shared).fit(X, y)
    factor = 1.0 if num_classes == 2 else 2 * (num_classes - 1) / num_classes
    theirs, same = (trees.booster_.predict(X, raw_score=True) for trees in (own, ours))
    assert np.isclose(theirs, factor * same, atol=1e-6).mean() > 0.9  # the rest: splits that are equally good


# Words.


@pytest.mark.parametrize(
    ("labels", "z", "message"),
    [
        (
            [0, 1],
            np.zeros((2, 4)),
            r"noise_matrix is 3 x 3, but the margins of 2 samples have shape \(2, 4\)",
        ),
        ([0, 1], np.zeros(2), r"have shape \(2,\), not \(2, 3\).*num_class=3"),
        ([0, 3], np.zeros((2, 3)), "labels must be classes 0..2, those of noise_matrix; got 3"),
        ([0, 0.5], np.zeros((2, 3)), "labels must be classes 0..2, those of noise_matrix; got 0.5"),
    ],
)
def test_what_does_not_suit_is_named(labels: Any, z: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noisy_label_objective(SKEWED)(np.array(labels), z)


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="columns must sum to 1"):
        noisy_label_objective(SKEWED.T)
    with pytest.raises(ValueError, match="noise_matrix must be given"):
        noisy_label_objective(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"clean must have shape \(2,\).*got \(3,\)"):
        noisy_label_objective(SKEWED, clean=[True] * 3)(np.array([0, 1]), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="library must be 'lightgbm' or 'xgboost'; got 'catboost'"):
        noisy_label_metric(SKEWED, "catboost")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"margins must have shape \(N, K\).*got \(2, 1\)"):
        class_probabilities(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="margins must be finite"):
        class_probabilities([np.nan])


def test_numbers_in_an_object_column_are_numbers() -> None:
    y, scores = np.array([0, 1, 2]), np.eye(3)
    objective = noisy_label_objective(SKEWED)
    expected = objective(y, scores)
    for mine, other in zip(objective(y.astype(object), scores.astype(object)), expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_lists_of_different_lengths_are_named() -> None:
    with pytest.raises(TypeError, match="labels must be an array of numbers, an entry or a row per sample"):
        noisy_label_objective(SKEWED)([[0, 1], [2]], np.eye(3))
    with pytest.raises(TypeError, match="margins must be an array of numbers, an entry or a row per sample"):
        noisy_label_objective(SKEWED)([0, 1, 2], [[0, 1], [2]])

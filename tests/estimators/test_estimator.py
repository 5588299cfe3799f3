import pickle
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from noiselayer import NoisyLabelClassifier, corrupt_labels

Array = npt.NDArray[Any]
CENTERS = [[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]]
SKEWED = np.array([[0.9, 0.4, 0.0], [0.1, 0.6, 0.0], [0.0, 0.0, 1.0]])  # class 1 is often taken for class 0


def quick(method: str = "normal", **parameters: Any) -> NoisyLabelClassifier:
    """Small, and without the search for a start, which has tests of its own."""
    defaults = {"max_iter": 3, "learning_rate": 0.02, "start": "confusion", "accelerator": "cpu"}
    given = {"random_state": 0, **defaults, **parameters}
    names = NoisyLabelClassifier().get_params()
    options = {name: given.pop(name) for name in list(given) if name not in names}
    return NoisyLabelClassifier(method, **{"options": options, **given})


def blobs(size: int = 60, noise_matrix: Array | None = None) -> tuple[Array, Array, Array]:
    """Inputs, true classes and noisy labels."""
    X, truth = make_blobs(size, centers=CENTERS, random_state=0)
    if noise_matrix is None:
        return X, truth, truth
    generator = torch.Generator().manual_seed(0)
    noisy = corrupt_labels(torch.from_numpy(truth), torch.from_numpy(noise_matrix), generator=generator)
    return X, truth, noisy.numpy()


# What scikit-learn asks of every estimator. Nothing is expected to fail.


@parametrize_with_checks([quick("auto")])
def test_keeps_scikit_learns_conventions(estimator: NoisyLabelClassifier, check: Any) -> None:
    check(estimator)


# Of classes without any signal, as some of the checks have them, there is nothing to be learned but that.
@pytest.mark.filterwarnings("ignore:The noise cannot be told from the network's own mistakes")
@pytest.mark.slow
@parametrize_with_checks([quick(), NoisyLabelClassifier()])
def test_keeps_scikit_learns_conventions_with_default_budgets(
    estimator: NoisyLabelClassifier, check: Any
) -> None:
    check(estimator)


def test_works_inside_a_grid_search_over_a_pipeline() -> None:
    X, _, y = blobs()
    grid = {"noisylabelclassifier__method": ["normal", "learned"], "noisylabelclassifier__batch_size": [8]}
    search = GridSearchCV(make_pipeline(StandardScaler(), quick()), grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    assert search.predict(X).shape == y.shape


def test_integers_of_numpy_are_integers() -> None:
    X, _, y = blobs()
    of_numpy = quick(max_iter=np.int64(2), batch_size=np.int64(16)).fit(X, y)
    plain = quick(max_iter=2, batch_size=16).fit(X, y)
    assert np.array_equal(of_numpy.predict_proba(X), plain.predict_proba(X))


def test_predicts_out_of_fold() -> None:
    X, truth, y = blobs()
    probabilities = cross_val_predict(quick(max_iter=6), X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.mean(probabilities.argmax(axis=1) == truth) > 0.9


def test_pickled_and_cloned() -> None:
    X, _, y = blobs()
    model = quick("known", noise_matrix=SKEWED).fit(X, y)
    opened = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(opened.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(opened.noisy_proba(X), model.noisy_proba(X))
    fresh = clone(model)
    assert not hasattr(fresh, "network_")
    np.testing.assert_array_equal(fresh.fit(X, y).predict_proba(X), model.predict_proba(X))
    with pytest.raises(NotFittedError):
        clone(model).noisy_proba(X)


def test_table_of_numbers_has_named_features() -> None:
    X, _, y = blobs()
    table = pd.DataFrame({"width": X[:, 0].astype(np.float32), "height": X[:, 1]})
    model = quick().fit(table, pd.Series(y))
    assert model.feature_names_in_.tolist() == ["width", "height"]
    assert model.n_features_in_ == 2
    np.testing.assert_array_equal(model.predict_proba(table), quick().fit(X, y).predict_proba(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.rename(columns={"width": "depth"}))


# Labels and classes.


@pytest.mark.parametrize(
    "classes", [["b", "d", "x"], [-7, 0, 3], [0.0, 2.0, 5.0], np.array(["", "a", "b"], dtype=object)]
)
def test_labels_of_any_type_come_back(classes: Any) -> None:
    X, _, y = blobs()
    plain, named = quick().fit(X, y), quick().fit(X, np.asarray(classes)[y])
    assert named.classes_.tolist() == list(classes)
    np.testing.assert_array_equal(named.predict(X), np.asarray(classes)[plain.predict(X)])
    np.testing.assert_array_equal(named.predict_proba(X), plain.predict_proba(X))


def test_boolean_labels_come_back() -> None:
    X, _, y = blobs()
    model = quick().fit(X, y == 1)
    assert model.classes_.dtype == bool
    assert model.predict(X).dtype == bool
    assert model.predict_proba(X).shape == (60, 2)


# The noise matrix.


def test_finds_the_noise_matrix_and_the_true_classes() -> None:
    X, truth, noisy = blobs(300, SKEWED)
    model = quick("learned", start="features", max_iter=8).fit(X, noisy)
    np.testing.assert_allclose(model.noise_matrix_, SKEWED, atol=0.15)  # its transpose is off by 0.3
    np.testing.assert_allclose(model.noise_matrix_.sum(axis=0), 1, atol=1e-6)
    assert model.start_matrix_.shape == (3, 3)
    assert model.score(X, truth) > 0.98


def test_prediction_never_goes_through_the_matrix_and_noisy_proba_does() -> None:
    # Class 1 is labelled 0 most of the time: whoever believes the labels never predicts it.
    Q = np.array([[1.0, 0.7, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 1.0]])
    X, truth, noisy = blobs(600, Q)
    model = quick("known", noise_matrix=Q, max_iter=10).fit(X, noisy)
    assert np.mean(model.predict(X) == truth) > 0.98
    assert not np.any(model.noisy_proba(X).argmax(axis=1) == 1)
    p, seen = model.predict_proba(X[:5]), model.noisy_proba(X[:5])
    for n in range(5):
        for j in range(3):
            assert seen[n, j] == pytest.approx(sum(Q[j, i] * p[n, i] for i in range(3)), abs=1e-6)


def test_ordinary_training_has_the_identity_and_no_start() -> None:
    X, _, y = blobs()
    model = quick().fit(X, y)
    np.testing.assert_array_equal(model.noise_matrix_, np.eye(3))
    assert model.start_matrix_ is None
    np.testing.assert_array_equal(model.noisy_proba(X), model.predict_proba(X))


def test_known_identity_is_ordinary_training() -> None:
    X, _, y = blobs()
    known = quick("known", noise_matrix=np.eye(3, dtype=int)).fit(X, y)
    np.testing.assert_allclose(known.predict_proba(X), quick().fit(X, y).predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "form", [lambda Q: Q.tolist(), lambda Q: Q.astype(np.float32), torch.from_numpy, pd.DataFrame]
)
def test_known_matrix_in_any_form(form: Any) -> None:
    X, _, y = blobs()
    model = quick("known", noise_matrix=form(SKEWED), max_iter=1).fit(X, y)
    np.testing.assert_allclose(model.noise_matrix_, SKEWED, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "noise_matrix", "message"),
    [
        ("known", None, "method 'known' needs noise_matrix"),
        ("known", np.eye(2), "noise_matrix is 2 x 2, but there are 3 classes"),
        ("known", SKEWED.T, "noise_matrix columns must sum to 1.*from_transition_matrix"),
        ("known", "identity", "noise_matrix must be an array of numbers of shape .*columns = true classes"),
        ("known", [[1.0, 2.0], [3.0]], "noise_matrix must be an array of numbers"),
        ("learned", SKEWED, "noise_matrix is for method 'known'; method 'learned' finds its own"),
        ("normal", SKEWED, "noise_matrix is for method 'known'"),
    ],
)
def test_unfit_noise_matrix_is_named(method: str, noise_matrix: Any, message: str) -> None:
    X, _, y = blobs()
    with pytest.raises(ValueError, match=message):
        quick(method, noise_matrix=noise_matrix).fit(X, y)


# Probabilities.


def test_log_probabilities_are_finite_where_probabilities_are_zero() -> None:
    X, _, y = blobs()
    model = quick().fit(X, y)
    far = [[1e6, 1e6]]
    assert model.predict_proba(far).min() == 0
    assert np.isfinite(model.predict_log_proba(far)).all()
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


def test_a_sample_alone_gets_the_probabilities_it_gets_in_company() -> None:
    X, _, y = blobs(200)
    model = quick().fit(X, y)
    alone = np.concatenate([model.predict_proba(x[None]) for x in X])
    np.testing.assert_allclose(alone, model.predict_proba(X), rtol=1e-10)


def test_linear_model_agrees_with_logistic_regression() -> None:
    X, truth, _ = blobs(300)
    model = quick(model="linear", max_iter=30, learning_rate=0.1).fit(X, truth)
    assert np.mean(model.predict(X) == LogisticRegression().fit(X, truth).predict(X)) > 0.99


# Images.


@pytest.mark.parametrize("method", ["normal", pytest.param("learned", marks=pytest.mark.slow)])
def test_images_in_every_layout(method: str) -> None:
    generator = np.random.default_rng(0)
    y = np.arange(40) % 2
    images = (generator.integers(0, 128, (40, 8, 8, 3)) + 127 * y[:, None, None, None]).astype(np.uint8)
    model = quick(method, batch_size=8, max_iter=10).fit(images, y)
    assert model.score(images, y) > 0.9
    for same in (images.transpose(0, 3, 1, 2), images.astype(np.float64), images.astype(int)):
        again = quick(method, batch_size=8, max_iter=10).fit(same, y)
        np.testing.assert_allclose(again.predict_proba(same), model.predict_proba(images), atol=1e-5)
    grey = quick(method, batch_size=8, max_iter=10).fit(images[..., 0], y)
    assert grey.score(images[..., 0], y) > 0.9
    with pytest.raises(ValueError, match=r"samples of shape \(1, 8, 8\), as in fit; got .* \(1, 8, 9\)"):
        grey.predict(np.zeros((2, 8, 9)))


def test_unclear_layout_is_told() -> None:
    images, y = np.zeros((20, 3, 8, 3)), np.arange(20) % 2
    with pytest.raises(ValueError, match="layout='NHWC' or layout='NCHW'"):
        quick().fit(images, y)
    assert quick(layout="NHWC", model="mlp").fit(images, y).input_shape_ == (3, 3, 8)


# Tiny and unfit data.


@pytest.mark.filterwarnings("ignore:The noise cannot be told from")
@pytest.mark.parametrize("start", ["features", "confusion", "identity"])
@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[0.0], [1.0], [2.0]], [0, 1, 1]),
        ([[0.0], [1.0], [2.0], [3.0]], ["a", "b", "c", "c"]),
        (np.random.default_rng(0).normal(size=(20, 2)), [0] * 10 + [1] * 9 + [2]),
        (np.ones((20, 2)), [0, 1] * 10),
    ],
    ids=["three samples", "classes of one sample", "one rare class", "constant inputs"],
)
def test_tiny_data_work(start: Any, X: Any, y: Any) -> None:
    model = quick("learned", start=start, max_iter=2).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_allclose(model.noise_matrix_.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("method", ["normal", "learned"])
def test_one_sample_of_every_class_is_validated_on_itself(method: str) -> None:
    X, y = np.array([[-1.0], [1.0]]), np.array(["no", "yes"])
    with pytest.warns(UserWarning, match="each of the 2 classes has one sample only.*validated on"):
        model = quick(method, max_iter=20).fit(X, y)
    if method == "normal":
        assert model.predict(X).tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[np.nan], [1.0]], [0, 1], "Input X contains NaN"),
        ([[1e300], [1.0]], [0, 1], r"too large for dtype\('float32'\)"),
        ([["red"], ["blue"]], [0, 1], "could not convert string to float"),
        ([[0.0], [1.0]], ["cat", "cat"], "all 2 labels in y are of one class, 'cat'.*at least two"),
        ([[0.0], [1.0]], [0.5, 1.0], "Unknown label type: continuous"),
        ([[0.0], [1.0]], [0, 1, 1], "inconsistent numbers of samples"),
        (np.zeros((2, 4, 4)), [0, 1], "at least 8 x 8 pixels.*'mlp'"),
    ],
)
def test_unfit_data_are_refused(X: Any, y: Any, message: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "each of the 2 classes has one sample")
        with pytest.raises(ValueError, match=message):
            quick().fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"method": "clean"},
            "method must be one of auto, normal, top-down, known, learned, estimated, refined",
        ),
        ({"start": "middle"}, "start must be one of features, confusion, identity, joint; got 'middle'"),
        ({"model": "small"}, r"\(channels, height, width\).*'mlp'"),
        ({"model": "resnet"}, "there is no model 'resnet'"),
        ({"strat": "identity"}, "options has no 'strat'. Did you mean 'start'"),
        ({"options": {"alpha": 0.3}}, "options holds 'alpha', which is a parameter of the estimator itself"),
        ({"options": {"max_epochs": 3}}, "options has no 'max_epochs'"),
        ({"model_options": {"hiden": (8,)}}, "model 'mlp' has no option 'hiden'.*'hidden'"),
        ({"validation_fraction": 1.0}, "validation_fraction must lie between 0 and 1"),
        ({"max_iter": 0}, "max_iter must be at least 1; got 0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be at least 1"),
        ({"accelerator": "abacus"}, "abacus"),
        ({"precision": "7-bit"}, "7-bit"),
        ({"random_state": "luck"}, "luck"),
    ],
)
def test_unfit_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    X, _, y = blobs()
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(X, y)


# Chance, time and words.


@pytest.mark.parametrize("method", ["normal", "learned"])
def test_a_seed_reproduces_every_bit(method: str) -> None:
    X, _, y = blobs(60, SKEWED)
    first, again, other = (quick(method, random_state=seed).fit(X, y) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.predict_log_proba(X), again.predict_log_proba(X))
    np.testing.assert_array_equal(first.noise_matrix_, again.noise_matrix_)
    assert (first.predict_log_proba(X) != other.predict_log_proba(X)).any()


def test_without_a_seed_numpys_generator_decides() -> None:
    X, _, y = blobs()
    results = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        results += [quick(random_state=None).fit(X, y).predict_log_proba(X) for _ in range(2)]
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[3])
    assert (results[0] != results[1]).any()


def test_leaves_torchs_generator_alone() -> None:
    X, _, y = blobs()
    before = torch.get_rng_state()
    quick("learned").fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), before)


def test_history_has_a_row_for_every_epoch() -> None:
    X, _, y = blobs()
    history = quick("learned", max_iter=4).fit(X, y).history_
    assert [row["stage"] for row in history] == ["warm-up-0"] * 2 + ["warm-up-1"] * 2 + ["main"] * 4
    assert {"epoch", "train_loss", "val_loss", "noise_trace"} <= history[-1].keys()


def test_silent_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    X, _, y = blobs()
    quick("learned").fit(X, y).predict(X)
    assert capfd.readouterr() == ("", "")
    quick(verbose=True).fit(X, y)
    assert "Main stage: mlp, at most 3 epochs" in capfd.readouterr().out


def test_options_of_the_model_are_its_own() -> None:
    X, _, y = blobs()
    network = quick(model_options={"hidden": (5,)}).fit(X, y).network_
    assert [m.out_features for m in network.modules() if isinstance(m, torch.nn.Linear)] == [5, 3]

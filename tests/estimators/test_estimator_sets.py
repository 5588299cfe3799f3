"""The estimator with clean samples and with samples from outside the classes."""

import pickle
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs

from noiselayer import NoisyLabelClassifier, corrupt_labels
from noiselayer.estimation import NoiseEstimate

Array = npt.NDArray[Any]
CENTERS = [[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]]
SKEWED = np.array([[0.9, 0.4, 0.0], [0.1, 0.6, 0.0], [0.0, 0.0, 1.0]])  # class 1 is often taken for class 0


def quick(method: str = "normal", **parameters: Any) -> NoisyLabelClassifier:
    defaults = {"max_iter": 3, "learning_rate": 0.02, "start": "confusion", "accelerator": "cpu"}
    given = {"random_state": 0, **defaults, **parameters}
    names = NoisyLabelClassifier().get_params()
    options = {name: given.pop(name) for name in list(given) if name not in names}
    return NoisyLabelClassifier(method, **{"options": options, **given})


@pytest.fixture(scope="module")
def sets() -> dict[str, Array]:
    """240 noisy samples and 60 clean ones, 20 a class."""
    X, truth = make_blobs(300, centers=CENTERS, random_state=0)
    order = np.argsort(truth, kind="stable").reshape(3, 100).T.flatten()  # a class after the other, in turn
    X, truth = X[order], truth[order]
    generator = torch.Generator().manual_seed(0)
    noisy = corrupt_labels(torch.from_numpy(truth), torch.from_numpy(SKEWED), generator=generator).numpy()
    return {"X": X[60:], "y": noisy[60:], "truth": truth[60:], "X_clean": X[:60], "y_clean": truth[:60]}


def clean_of(sets: dict[str, Array]) -> dict[str, Array]:
    return {"X_clean": sets["X_clean"], "y_clean": sets["y_clean"]}


def test_auto_measures_with_enough_clean_samples(sets: dict[str, Array]) -> None:
    model = quick("auto", max_iter=6).fit(sets["X"], sets["y"], **clean_of(sets))
    assert model.method_ == "estimated"
    assert isinstance(model.estimate_, NoiseEstimate)
    np.testing.assert_array_equal(model.noise_matrix_, model.estimate_.noise_matrix.double().numpy())
    np.testing.assert_allclose(model.noise_matrix_, SKEWED, atol=0.15)  # its transpose is off by 0.3
    assert model.estimate_.standard_error.shape == (3, 3)
    assert model.score(sets["X"], sets["truth"]) > 0.98
    assert {row["stage"] for row in model.history_} == {"measure-0", "measure-1", "main"}
    opened = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(opened.predict_proba(sets["X"]), model.predict_proba(sets["X"]))
    assert opened.estimate_.warnings == model.estimate_.warnings


def test_auto_learns_without_clean_samples_or_with_few(
    sets: dict[str, Array], capfd: pytest.CaptureFixture[str]
) -> None:
    X, y = sets["X"][:60], sets["y"][:60]
    alone = quick("auto", max_iter=1, verbose=True).fit(X, y)
    assert "Method learned: there is no clean set" in capfd.readouterr().out
    few = quick("auto", max_iter=1).fit(X, y, X_clean=sets["X_clean"][:9], y_clean=sets["y_clean"][:9])
    assert (alone.method_, alone.estimate_, few.method_, few.estimate_) == ("learned", None, "learned", None)
    learned = quick("learned", max_iter=1).fit(X, y)
    np.testing.assert_array_equal(alone.predict_log_proba(X), learned.predict_log_proba(X))


@pytest.mark.parametrize("names", [["b", "d", "x"], [-7, 0, 3]])
def test_weight_0_leaves_the_clean_samples_alone_whatever_labels_are_called(
    sets: dict[str, Array], names: list[Any]
) -> None:
    wrong, right = np.array(names)[(sets["truth"] + 1) % 3], np.array(names)[sets["truth"]]
    model = quick(noisy_weight=0.0, max_iter=15)
    model.fit(sets["X"], wrong, X_clean=sets["X_clean"], y_clean=np.array(names)[sets["y_clean"]])
    assert np.mean(model.predict(sets["X"]) == right) > 0.9


def test_the_weight_of_noisy_samples_does_not_reach_models_of_noisy_samples_alone(
    sets: dict[str, Array],
) -> None:
    found = [
        quick("estimated", measure_with="noisy", noisy_weight=weight, max_iter=2)
        .fit(sets["X"], sets["y"], **clean_of(sets))
        .estimate_.noise_matrix
        for weight in (0.0, 1.0)
    ]
    assert torch.equal(*found)


def test_outside_samples_teach_doubt(sets: dict[str, Array]) -> None:
    outside = np.random.default_rng(0).normal([0.0, -9.0], 1.0, (60, 2))
    plain = quick(max_iter=8).fit(sets["X"], sets["truth"])
    doubtful = clone(plain).set_params(options={**plain.options, "outside_weight": 2.0})
    doubtful.fit(sets["X"], sets["truth"], X_outside=outside)
    sure = [model.predict_proba(outside).max(axis=1).mean() for model in (plain, doubtful)]
    assert sure[1] < sure[0] - 0.2
    assert doubtful.score(sets["X"], sets["truth"]) > 0.95


def test_samples_in_both_sets_are_refused_or_dropped(sets: dict[str, Array]) -> None:
    X, y = np.concatenate([sets["X"], sets["X_clean"][:5]]), np.append(sets["y"], [0, 1, 2, 0, 1])
    with pytest.raises(ValueError, match=r"5 samples stand in the noisy and in the clean set.*'drop'"):
        quick(max_iter=1).fit(X, y, **clean_of(sets))
    dropped = quick(max_iter=1, overlapping="drop").fit(X, y, **clean_of(sets))
    apart = quick(max_iter=1).fit(sets["X"], sets["y"], **clean_of(sets))
    np.testing.assert_array_equal(dropped.predict_proba(X), apart.predict_proba(X))


def test_a_class_without_clean_samples(sets: dict[str, Array]) -> None:
    lacking = {"X_clean": sets["X_clean"][:40], "y_clean": np.arange(40) % 2}
    with pytest.raises(
        ValueError, match=r"the clean set \(X_clean and y_clean\) has no samples of '2'; the noise"
    ):
        quick("estimated", max_iter=1).fit(sets["X"], sets["y"], **lacking)
    with pytest.warns(
        UserWarning, match="The clean set has no samples of '2', and the noise of a class can only"
    ):
        model = quick("auto", max_iter=1).fit(sets["X"], sets["y"], **lacking)
    assert model.method_ == "learned"
    assert model.predict(sets["X"]).shape == (240,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_clean": None}, "X_clean and y_clean must be given together"),
        (
            {"y_clean": np.arange(60) % 4},
            "y_clean must hold labels that y has too, 0, 1, 2; it has 3 besides",
        ),
        (
            {"y_clean": np.array(["a", "b", "c"] * 20)},
            "y and y_clean must hold labels of one kind; y has 0, which is no text, and y_clean the text 'a'",
        ),
        ({"y_clean": np.arange(59) % 3}, "inconsistent numbers of samples"),
        ({"X_clean": np.zeros((60, 3))}, "3 features, but NoisyLabelClassifier is expecting 2"),
        ({"X_clean": np.full((60, 2), np.nan)}, "NaN"),
        ({"X_outside": np.zeros((4, 5))}, "5 features"),
        ({"X_clean": np.arange(6.0).reshape(3, 2), "y_clean": [0, 1, 2]}, "one sample of each class"),
    ],
)
def test_sets_that_do_not_fit_are_refused(
    sets: dict[str, Array], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quick(max_iter=1).fit(sets["X"], sets["y"], **{**clean_of(sets), **changes})


def test_too_few_clean_samples_to_measure_with_models_of_theirs(sets: dict[str, Array]) -> None:
    few = {"X_clean": sets["X_clean"][:4], "y_clean": sets["y_clean"][:4]}
    with pytest.raises(ValueError, match="too few samples of .* each class needs 2 .*measure_with='noisy'"):
        quick("estimated", measure_with="clean").fit(sets["X"], sets["y"], **few)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick("estimated", measure_with="noisy").fit(sets["X"], sets["y"], **few)
    assert any("Fewer than 5 clean samples" in warning for warning in model.estimate_.warnings)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"trace_penalty": 0.1}, "trace_penalty acts only while the noise matrix learns by gradient"),
        ({"noise_learning_rate": 0.1}, "noise_learning_rate acts only"),
        ({"method": "normal", "alpha": 0.3}, "alpha is for method 'top-down'"),
        ({"noisy_weight": 2.0}, "none to train on"),
        ({"mixing": "alternating"}, "mixing says how clean samples are mixed"),
        ({"method": "estimated"}, "measures the noise with trusted labels and needs clean"),
        ({"noisy_weight": -1.0}, "noisy_weight must be a number from 0 up; got -1"),
        ({"noisy_weight": float("nan")}, "noisy_weight must be a number from 0 up; got nan"),
        ({"alpha": 1.5}, "alpha must lie between 0 and 1; got 1.5"),
        ({"mixing": "shaken"}, "mixing must be one of joined, alternating; got 'shaken'"),
    ],
)
def test_parameters_without_effect_or_out_of_range(
    sets: dict[str, Array], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**{"method": "auto", **parameters}).fit(sets["X"], sets["y"])


def test_overlapping_is_one_of_two(sets: dict[str, Array]) -> None:
    with pytest.raises(ValueError, match="overlapping must be 'error' or 'drop'; got 'ignore'"):
        quick(overlapping="ignore").fit(sets["X"], sets["y"], **clean_of(sets))

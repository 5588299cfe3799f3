"""The classifier of frozen features: scikit-learn's conventions, what it imports, its audit."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from noiselayer import NoisyLabelFeaturesClassifier, corrupt_labels

Q = np.array([[0.6, 0.05, 0.1], [0.35, 0.9, 0.0], [0.05, 0.05, 0.9]])


def blobs(n=900, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.integers(3, size=n)
    centres = 2.5 * np.eye(3, 6)
    X = generator.normal(size=(n, 6)) + centres[truth]
    noisy = corrupt_labels(
        torch.from_numpy(truth), torch.from_numpy(Q), generator=torch.Generator().manual_seed(1)
    )
    return X, truth, noisy.numpy()


@parametrize_with_checks([NoisyLabelFeaturesClassifier("normal", random_state=0)])
def test_keeps_scikit_learns_conventions(estimator, check) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([NoisyLabelFeaturesClassifier(random_state=0)])
def test_keeps_scikit_learns_conventions_while_it_learns_a_matrix(estimator, check) -> None:
    check(estimator)


def test_true_classes_come_back_and_the_matrix_is_learned() -> None:
    X, truth, noisy = blobs()
    names = np.array(["a", "b", "c"])
    model = NoisyLabelFeaturesClassifier(random_state=0).fit(X, names[noisy])
    assert model.taken_ == "noise matrix"
    assert (model.predict(X) == names[truth]).mean() > (noisy == truth).mean() + 0.03
    assert np.abs(model.noise_matrix_ - Q).max() < 0.2
    np.testing.assert_allclose(model.noisy_proba(X), model.predict_proba(X) @ model.noise_matrix_.T)


def test_coefficients_are_of_the_features_as_they_come() -> None:
    X, _, noisy = blobs(300)
    model = NoisyLabelFeaturesClassifier("normal", random_state=0).fit(1000 * X + 5, noisy)
    logits = (1000 * X + 5) @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(
        model.predict_log_proba(1000 * X + 5), logits - np.logaddexp.reduce(logits, 1)[:, None], atol=1e-6
    )


def test_auto_follows_what_is_given() -> None:
    X, truth, noisy = blobs(400)
    assert NoisyLabelFeaturesClassifier(noise_matrix=Q).fit(X, noisy).method_ == "known"
    trusted = NoisyLabelFeaturesClassifier().fit(X, noisy, X_clean=X[:150], y_clean=truth[:150])
    assert trusted.method_ == "estimated"
    assert trusted.estimate_ is not None


def test_an_audit_finds_the_wrong_labels_without_fitting_the_estimator() -> None:
    X, truth, noisy = blobs()
    model = NoisyLabelFeaturesClassifier(random_state=0)
    result = model.audit(X, noisy)
    assert not hasattr(model, "classes_")
    wrong = noisy != truth
    assert abs(result.wrong.total - wrong.sum()) < 0.35 * wrong.sum()
    corrected = result.corrected_labels().numpy()
    assert (corrected == truth).mean() > (noisy == truth).mean() + 0.05


def test_one_class_and_half_a_trusted_set_are_refused() -> None:
    X, _, noisy = blobs(60)
    with pytest.raises(ValueError, match="all 60 labels in y are of one class, 0"):
        NoisyLabelFeaturesClassifier().fit(X, np.zeros(60, int))
    with pytest.raises(ValueError, match="X_clean and y_clean must be given together"):
        NoisyLabelFeaturesClassifier().fit(X, noisy, X_clean=X)


def test_a_fit_imports_no_training_library_no_pictures_no_plots() -> None:
    program = (
        "import sys, numpy as np\n"
        "from noiselayer import NoisyLabelFeaturesClassifier\n"
        "X = np.random.default_rng(0).normal(size=(1000, 64))\n"
        "NoisyLabelFeaturesClassifier(random_state=0).fit(X, (X[:, 0] > 0).astype(int)).predict(X)\n"
        "heavy = {'pytorch_lightning', 'lightning', 'torchvision', 'matplotlib', 'torchmetrics', 'optuna'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

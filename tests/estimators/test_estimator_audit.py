"""``audit`` of the estimators: every label judged by a model that has not seen it, through the noise matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier, NoisyLabelMetaClassifier

Q = [[1.0, 0.3], [0.0, 0.7]]  # three in ten dogs are called cats, no cat a dog


def blobs() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    truth = np.arange(1000) % 2
    X = generator.normal(size=(1000, 2)) + 4 * truth[:, None]
    wrong = (truth == 1) & (generator.random(1000) < 0.3)
    return X, np.array(["cat", "dog"])[np.where(wrong, 0, truth)], wrong


@pytest.mark.parametrize(
    "estimator",
    [
        NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=Q, random_state=0),
        NoisyLabelMetaClassifier(LogisticRegression(), random_state=0),
        NoisyLabelClassifier("known", noise_matrix=Q, max_iter=10, random_state=0),
    ],
    ids=["meta, known", "meta, learned", "network"],
)
def test_audit_finds_what_is_wrong_and_leaves_the_estimator_alone(estimator: Any) -> None:
    X, y, wrong = blobs()
    audit = estimator.audit(X, y)
    assert audit.probs_predict == "true"
    assert audit.class_names == ("cat", "dog")
    assert (audit.is_error.numpy() == wrong).mean() > 0.97
    assert abs(audit.wrong.total - wrong.sum()) < 0.15 * wrong.sum()
    assert not hasattr(estimator, "classes_")
    assert repr(audit).startswith("AuditResult: ")
    assert "tensor" not in repr(audit)


@pytest.mark.parametrize(
    "estimator",
    [
        NoisyLabelMetaClassifier(LogisticRegression(), random_state=0),
        NoisyLabelFeaturesClassifier(random_state=0),
    ],
    ids=["meta", "features"],
)
def test_mistakes_of_an_estimator_that_is_too_simple_are_not_taken_for_the_labels(estimator: Any) -> None:
    generator = np.random.default_rng(2)
    truth = np.arange(500) % 2
    X = generator.normal(size=(500, 2))
    X[:, 0] += (
        4 * (1 - 2 * truth) * np.where(generator.random(500) < 0.25, -1, 1)
    )  # a quarter on the other side
    X[:, 1] += 4 * (X[:, 0] * (1 - 2 * truth) < 0)  # and above
    audit = estimator.audit(X, truth)
    assert audit.wrong.total < 10
    assert audit.wrong.total_low < 1


def test_one_trusted_half_is_an_error() -> None:
    X, y, _ = blobs()
    with pytest.raises(ValueError, match="X_clean and y_clean must be given together"):
        NoisyLabelMetaClassifier(LogisticRegression()).audit(X, y, X_clean=X)


@pytest.mark.parametrize(
    "estimator",
    [NoisyLabelMetaClassifier(LogisticRegression()), NoisyLabelFeaturesClassifier(), NoisyLabelClassifier()],
)
@pytest.mark.parametrize(
    ("name", "said"), [("class_names", "give y by name"), ("annotators", "audit_annotators")]
)
def test_options_that_no_audit_of_an_estimator_can_follow_are_named(
    estimator: Any, name: str, said: str
) -> None:
    X, y, _ = blobs()
    with pytest.raises(TypeError, match=f"audit takes the options .*; got {name}.*{said}"):
        estimator.audit(X, y, **{name: ["a", "b"]})

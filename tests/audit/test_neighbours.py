"""Neighbours on the features beside a model that is too simple, with labels that are right and with wrong ones."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from noiselayer import audit_labels
from noiselayer.audit.neighbours import gain_by_neighbours, mixed_with_neighbours


def clusters(num_classes: int = 3, N: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Classes of two clusters each, which no line parts."""
    return make_classification(
        N, 8, n_informative=6, n_redundant=0, n_classes=num_classes, n_clusters_per_class=2, class_sep=2.0,
        flip_y=0, random_state=5,
    )  # fmt: skip


def by_lines(X: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return cross_val_predict(LogisticRegression(max_iter=300), X, labels, cv=5, method="predict_proba")


def test_right_labels_that_a_linear_model_misses_are_not_said_to_be_wrong() -> None:
    X, truth = clusters()
    probs = by_lines(X, truth)
    assert (probs.argmax(axis=1) == truth).mean() < 0.9
    alone = audit_labels(truth, probs, probs_predict="given", check_model=False)
    assert alone.wrong.total > 30  # the model's mistakes, for none of the labels'
    audit = audit_labels(truth, probs, probs_predict="given", features=X, check_model=False)
    assert audit.wrong.total_low <= 2
    assert audit.wrong.total < 12
    assert audit.flagged < 12
    assert "nearest others explain its label better than the model alone" in audit.warnings[0]


def test_wrong_labels_are_found_that_the_model_alone_does_not_find() -> None:
    X, truth = clusters()
    generator = np.random.default_rng(0)
    wrong = generator.random(len(truth)) < 0.2
    labels = np.where(wrong, (truth + 1) % 3, truth)
    probs = by_lines(X, labels)
    before, after = (
        audit_labels(labels, probs, probs_predict="given", features=features, check_model=False)
        for features in (None, X)
    )
    assert after.wrong.total == pytest.approx(wrong.sum(), rel=0.2)
    assert after.wrong.total_low <= wrong.sum() <= after.wrong.total_high
    assert (after.is_error == wrong).mean() > (before.is_error == wrong).mean() + 0.05


@pytest.mark.parametrize(("steepness", "mixed"), [(1.5, False), (0.7, True)])
def test_a_model_that_is_only_a_little_unsure_is_not_blurred(steepness: float, mixed: bool) -> None:
    """Of 20,000 embedded sentences that cost the audit 1.5 points of average precision and a narrow interval."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(3000, 2, generator=generator)
    labels = (torch.rand(3000, generator=generator) < torch.sigmoid(3 * X[:, 0])).long()
    p = torch.sigmoid(steepness * X[:, 0])
    probs = torch.stack([1 - p, p], dim=1)
    assert gain_by_neighbours(labels, probs.gather(1, labels[:, None])[:, 0], X) > 0.02  # beyond chance
    assert (mixed_with_neighbours(labels, probs, X) is not None) == mixed


def test_a_model_that_knows_the_classes_stays_as_it_is() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(3, size=500)
    X = generator.normal(size=(500, 4)) + 3 * np.eye(3, 4)[truth]
    labels = np.where(generator.random(500) < 0.2, (truth + 1) % 3, truth)
    likely = np.exp(3 * X[:, :3])
    likely /= likely.sum(axis=1, keepdims=True)
    probs = 0.8 * likely + 0.2 * np.roll(likely, 1, axis=1)  # exactly
    plain, looked = (
        audit_labels(labels, probs, probs_predict="given", features=features, check_model=False)
        for features in (None, X)
    )
    assert_allclose(looked.error_probability, plain.error_probability)
    assert looked.warnings == plain.warnings


def test_the_mixture_is_what_the_equation_says() -> None:
    X, truth = clusters(N=80)
    y, probs = torch.from_numpy(truth), torch.full((80, 3), 1 / 3)
    rows = torch.from_numpy(X).float()
    rows[3, 2] = torch.nan  # counts as the mean
    mixed = mixed_with_neighbours(y, probs, rows)
    assert mixed is not None
    filled = X.astype(np.float32)
    filled[3, 2] = np.delete(filled[:, 2], 3).mean()
    scaled = (filled - filled.mean(axis=0)) / filled.std(axis=0)
    for n in range(80):
        distance = np.square(scaled - scaled[n]).sum(axis=1)
        distance[n] = np.inf
        c = np.bincount(truth[distance.argsort()[: mixed.neighbours]], minlength=3)
        one = (1 - mixed.weight) / 3 + mixed.weight * (c + 1 / 3) / (mixed.neighbours + 1)
        assert_allclose(mixed.probs[n], one, atol=1e-5)


def test_many_columns_and_rows_that_are_fetched() -> None:
    X, truth = clusters()
    generator = torch.Generator().manual_seed(0)
    wide = torch.from_numpy(X).float() @ torch.randn(8, 400, generator=generator)
    fetched = []

    def rows(positions: torch.Tensor) -> torch.Tensor:
        fetched.append(len(positions))
        return wide[positions]

    y = torch.from_numpy(truth)
    mixed = mixed_with_neighbours(y, torch.full((600, 3), 1 / 3), rows)
    assert mixed is not None
    assert (mixed.probs.argmax(dim=1) == y).float().mean() > 0.9
    assert len(fetched) == 3  # those to look among, those that tell, and all


def test_columns_in_another_order_are_still_named() -> None:
    X, truth = clusters()
    probs = by_lines(X, truth)[:, [1, 2, 0]]
    audit = audit_labels(truth, probs, probs_predict="given", features=X, check_model=False)
    assert "another order" in audit.warnings[0]


@pytest.mark.parametrize("rate", [0.0, 0.2], ids=["right labels", "a fifth wrong"])
def test_probabilities_alone_show_that_a_model_misses_clusters(rate: float) -> None:
    """By the class-conditional fit at least 71 of the right labels are wrong, and 229 of the 169 that are."""
    X, truth = make_classification(
        800, 10, n_informative=6, n_redundant=0, n_classes=5, n_clusters_per_class=2, class_sep=2.0 if rate else 1.5,
        flip_y=0, random_state=5,
    )  # fmt: skip
    labels = np.where(np.random.default_rng(1000005).random(800) < rate, (truth + 1) % 5, truth)
    audit = audit_labels(labels, by_lines(X, labels), probs_predict="given", check_model=False)
    assert not audit.wrong.settled
    assert audit.wrong.total_low <= (labels != truth).sum() <= audit.wrong.total_high
    assert any("the model may miss something of the classes" in warning for warning in audit.warnings)


def test_features_of_another_number_and_of_a_model_of_true_classes_are_errors() -> None:
    probs = np.full((40, 2), 0.5)
    y = np.arange(40) % 2
    with pytest.raises(
        ValueError, match=r"features must have shape \(40, D\), a row per sample; got \(39, 3\)"
    ):
        audit_labels(y, probs, probs_predict="given", features=np.zeros((39, 3)))
    with pytest.raises(
        ValueError, match="features help where the model predicts the given label.*leave them out"
    ):
        audit_labels(y, probs, probs_predict="true", features=np.zeros((40, 3)))

"""Figures of a labeller: unbiased, as exact as prediction-powered inference, and intervals that hold."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from noiselayer.estimation.labeller import Figure, measure_labels

Array = npt.NDArray[Any]


def world(
    size: int = 3000, num_classes: int = 4, right: float = 0.6, abstains: float = 0.0, seed: int = 0
) -> tuple[Array, Array]:
    """Labels and truths: class 0 is what wrong labels mostly say."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(num_classes, size, p=np.array([4, 3, 2, 1])[:num_classes] / 10)
    wrong = generator.choice(num_classes, size, p=np.array([0.7, 0.1, 0.1, 0.1])[:num_classes])
    labels = np.where(generator.random(size) < right, truth, wrong)
    return np.where(generator.random(size) < abstains, -1, labels), truth


def gold_of(truth: Array, rows: Array) -> Array:
    gold = np.full(len(truth), -1)
    gold[rows] = truth[rows]
    return gold


def prediction_powered(labels: Array, truth: Array, rows: Array, K: int) -> Array:
    """PPI++ with its weight tuned for every class by itself (Angelopoulos, Duchi and Zrnic 2023)."""
    Y, F, everyone = np.eye(K)[truth[rows]], np.eye(K)[labels[rows]], np.eye(K)[labels]
    together = ((Y - Y.mean(0)) * (F - F.mean(0))).mean(0)
    weight = np.clip(together / np.maximum(F.var(0), 1e-12) / (1 + len(rows) / len(labels)), 0, 1)
    result: Array = weight * everyone.mean(0) + (Y - weight * F).mean(0)
    return result


def test_intervals_hold_and_errors_are_those_of_prediction_powered_inference() -> None:
    labels, truth = world()
    N, K, n = len(truth), 4, 100
    shares, accuracy = np.bincount(truth, minlength=K) / N, (labels == truth).mean()
    precision = [(truth[labels == k] == k).mean() for k in range(K)]
    recall = [(labels[truth == k] == k).mean() for k in range(K)]
    Q = np.array([[(labels[truth == i] == j).mean() for i in range(K)] for j in range(K)])
    generator = np.random.default_rng(1)
    held: dict[str, list[bool]] = {"shares": [], "accuracy": [], "precision": [], "recall": []}
    ours, theirs, matrices = [], [], []

    def holds(figure: Figure | None, value: float) -> bool:
        return figure is None or figure.low <= value <= figure.high

    for _ in range(150):
        rows = generator.choice(N, n, replace=False)
        found = measure_labels(labels, gold_of(truth, rows), K)
        ours.append([share.value for share in found.shares])
        theirs.append(prediction_powered(labels, truth, rows, K))
        matrices.append(found.noise_matrix)
        held["shares"] += [holds(*pair) for pair in zip(found.shares, shares, strict=True)]
        held["accuracy"].append(holds(found.accuracy, accuracy))
        held["precision"] += [holds(*pair) for pair in zip(found.precision, precision, strict=True)]
        held["recall"] += [holds(*pair) for pair in zip(found.recall, recall, strict=True)]
    for name, cases in held.items():
        assert 0.92 < np.mean(cases) < 0.985, name
    error, other = (np.sqrt(((np.array(one) - shares) ** 2).mean()) for one in (ours, theirs))
    assert error < 1.02 * other
    np.testing.assert_allclose(np.mean(ours, axis=0), shares, atol=0.01)
    np.testing.assert_allclose(np.nanmean(matrices, axis=0), Q, atol=0.03)


def test_where_nothing_is_surely_better_shares_are_those_of_prediction_powered_inference() -> None:
    generator, same = np.random.default_rng(0), 0
    truth = generator.integers(2, size=1000)
    labels = np.where(generator.random(1000) < 0.3, 1 - truth, truth)
    for _ in range(20):
        rows = generator.choice(1000, 100, replace=False)
        found = [figure.value for figure in measure_labels(labels, gold_of(truth, rows), 2).shares]
        same += bool(np.allclose(found, prediction_powered(labels, truth, rows, 2), atol=1e-12))
    assert same >= 15


def test_a_label_that_means_another_class_is_used_although_prediction_powered_inference_cannot() -> None:
    generator = np.random.default_rng(0)
    truth = generator.choice(3, 2000, p=[0.5, 0.3, 0.2])
    labels = np.where(generator.random(2000) < 0.1, generator.integers(3, size=2000), (truth + 1) % 3)
    shares, errors = np.bincount(truth) / 2000, []
    for _ in range(40):
        rows = generator.choice(2000, 100, replace=False)
        found = np.array([figure.value for figure in measure_labels(labels, gold_of(truth, rows), 3).shares])
        errors.append([found - shares, prediction_powered(labels, truth, rows, 3) - shares])
    ours, theirs = np.sqrt(np.square(errors).mean(axis=(0, 2)))
    assert ours < 0.6 * theirs


def test_with_every_sample_checked_it_is_counting() -> None:
    labels, truth = world(400, abstains=0.1)
    found = measure_labels(labels, truth, 4)
    assert found.accuracy == Figure(*3 * [pytest.approx((labels == truth).mean())])
    for k in range(4):
        assert found.shares[k].value == pytest.approx((truth == k).mean())
        assert found.shares[k].low == found.shares[k].high
        assert found.precision[k] is not None
        assert found.precision[k].value == pytest.approx((truth[labels == k] == k).mean())
        assert found.recall[k] is not None
        assert found.recall[k].value == pytest.approx((labels[truth == k] == k).mean())
        np.testing.assert_allclose(
            found.noise_matrix[:, k], [(labels[truth == k] == j).mean() for j in (0, 1, 2, 3, -1)], atol=1e-6
        )
        np.testing.assert_allclose(found.inverse_noise_matrix[:, k].sum(), 1)


def test_renaming_the_classes_renames_the_figures() -> None:
    labels, truth = world()
    gold, renamed = gold_of(truth, np.arange(150)), np.array([2, 0, 3, 1])
    one = measure_labels(labels, gold, 4)
    other = measure_labels(renamed[labels], np.where(gold < 0, -1, renamed[gold]), 4)
    assert one.accuracy.value == pytest.approx(other.accuracy.value)
    for k in range(4):
        assert one.shares[k].value == pytest.approx(other.shares[renamed[k]].value)
        assert one.recall[k].low == pytest.approx(other.recall[renamed[k]].low)  # type: ignore[union-attr]


def test_gold_chosen_by_its_label_is_weighted_and_said() -> None:
    labels, truth = world(4000)
    rows = np.concatenate([np.flatnonzero(labels == 0)[:20], np.flatnonzero(labels == 3)[:120]])
    with pytest.warns(
        UserWarning, match="were not drawn at random from all: 120 of 200 carry label 3, where"
    ):
        found = measure_labels(
            labels, gold_of(truth, np.concatenate([rows, np.flatnonzero(labels == 1)[:60]])), 4
        )
    assert found.notes
    assert found.shares[3].low <= (truth == 3).mean() <= found.shares[3].high
    # The same from weights that say how the samples were chosen.
    generator = np.random.default_rng(5)  # not the stream that drew the truth
    chance = np.where(labels == 3, 0.2, 0.03)
    chosen = np.flatnonzero(generator.random(4000) < chance)
    weighted = measure_labels(labels, gold_of(truth, chosen), 4, weights=1 / chance)
    for k in range(4):
        assert weighted.shares[k].low <= (truth == k).mean() <= weighted.shares[k].high


def test_a_label_that_is_always_right_has_an_interval_with_weights_of_any_size() -> None:
    _, truth = world(600, right=1.0)
    for seed in range(20):
        weights = np.random.default_rng(seed).uniform(1, 30, size=600)
        found = measure_labels(truth, gold_of(truth, np.arange(150)), 4, weights=weights)
        for figure in found.precision:
            assert figure is not None
            assert 0.8 < figure.low < figure.value <= figure.high <= 1
            assert figure.high == pytest.approx(1)


def test_a_stated_confidence_that_means_something_makes_intervals_narrower() -> None:
    labels, truth = world(4000, right=0.5)
    surely = np.where(labels == truth, 0.9, 0.3)
    gold = gold_of(truth, np.random.default_rng(5).choice(4000, 200, replace=False))
    without, with_it = (
        measure_labels(labels, gold, 4),
        measure_labels(labels, gold, 4, stated_confidence=surely),
    )
    assert with_it.accuracy.high - with_it.accuracy.low < 0.7 * (without.accuracy.high - without.accuracy.low)
    assert with_it.accuracy.low <= (labels == truth).mean() <= with_it.accuracy.high


def test_a_labeller_that_says_one_thing_has_no_agreement_beyond_chance() -> None:
    _, truth = world()
    found = measure_labels(np.zeros_like(truth), gold_of(truth, np.arange(100)), 4)
    assert found.kappa.value == pytest.approx(0, abs=0.02)
    assert found.kappa.low < 0 < found.kappa.high
    assert found.precision[1] is None
    assert any("never gives class 1, 2, 3" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gold": np.where(np.arange(60) < 9, 1, -1)}, "at least 10 checked labels .* it holds 9"),
        ({"gold": np.zeros(59, dtype=int)}, r"gold must have shape \(60,\)"),
        ({"labels": np.full(60, 3)}, r"labels must have shape \(60,\) and lie in -1..2.*with 3 to 3"),
        (
            {"stated_confidence": np.full(60, 87.0)},
            "stated_confidence must .* between 0 and 1.*with 87 to 87",
        ),
        ({"weights": np.zeros(60)}, r"weights must have shape \(60,\) and be positive"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    sound = {"labels": np.arange(60) % 3, "gold": np.arange(60) % 3}
    with pytest.raises(ValueError, match=message):
        measure_labels(**{**sound, **changes}, num_classes=3)
    with pytest.raises(
        TypeError,
        match="labels must be class indices .* or -1, None or NaN .* got torch.float64",
    ):
        measure_labels(np.zeros(60), np.zeros(60, dtype=int), 3)

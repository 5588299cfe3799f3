"""The classifier with checked labels: never worse than these alone, better where the labels say something."""

import numpy as np
import pytest
import torch

from noiselayer import NoisyLabelFeaturesClassifier
from noiselayer.annotators import fit_with_gold

K = 3


def simulated(flip, n=800, seed=0, D=24, apart=1.6):
    """Features, truth, and labels of which ``flip`` says: given the truth and a generator."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(K, size=n)
    X = generator.normal(size=(n, D)) + apart * np.eye(K, D)[truth]
    return X, truth, flip(truth, generator)  # the best classifier is right on 81 %


def biased(truth, generator):
    """Half of class 2 is called 0, a fifth of all anything."""
    labels = np.where((truth == 2) & (generator.random(len(truth)) < 0.5), 0, truth)
    return np.where(generator.random(len(truth)) < 0.2, generator.integers(K, size=len(truth)), labels)


def gold_of(truth, n=60, seed=1):
    gold = np.full(len(truth), -1)
    rows = np.random.default_rng(seed).choice(len(truth), n, replace=False)
    gold[rows] = truth[rows]
    return gold


def right(head, X, truth):
    return float((head.logits(X).argmax(dim=1).numpy() == truth).mean())


def test_labels_that_say_something_make_it_better_than_gold_alone() -> None:
    X, truth, labels = simulated(biased)
    unseen, unseen_truth, _ = simulated(biased, seed=5)
    head = fit_with_gold(X, labels, gold_of(truth), K)
    gold = next(c for c in head.candidates if c.name == "gold")
    alone = float(
        ((unseen @ gold.weight.numpy().T + gold.bias.numpy()).argmax(axis=1) == unseen_truth).mean()
    )
    assert head.taken != "gold"
    assert right(head, unseen, unseen_truth) > alone + 0.03
    assert f"{head.taken} (taken): " in head.summary()


def test_labels_that_say_nothing_leave_it_as_good_as_gold_alone() -> None:
    X, truth, labels = simulated(lambda t, g: g.integers(K, size=len(t)), n=500, apart=3)
    head = fit_with_gold(X, labels, gold_of(truth), K)
    gold = head.candidates[0]
    alone = float(((X @ gold.weight.numpy().T + gold.bias.numpy()).argmax(axis=1) == truth).mean())
    assert head.taken != "plain"
    assert right(head, X, truth) > alone - 0.02


def test_labels_that_are_shifted_by_one_class_are_understood() -> None:
    X, truth, labels = simulated(lambda t, g: (t + 1) % K)
    head = fit_with_gold(X, labels, gold_of(truth), K)
    assert head.taken != "plain"
    assert right(head, X, truth) > 0.74
    assert head.matrix.argmax(dim=0).tolist() == [1, 2, 0]  # columns are true classes


def test_samples_held_out_decide_and_no_sample_votes_for_itself() -> None:
    X, truth, labels = simulated(biased, n=300, apart=0)  # features say nothing: nothing can be right by them
    head = fit_with_gold(X, labels, gold_of(truth, 90), K)
    assert all(c.accuracy < 0.55 for c in head.candidates)
    agreed = float((head.out_of_fold.argmax(dim=1).numpy() == truth).mean())
    assert agreed < 0.5


def test_several_labellers_with_and_without_gold() -> None:
    def crowd(t, g):
        said = np.stack(
            [np.where(g.random(len(t)) < 0.4, g.integers(K, size=len(t)), t) for _ in range(6)], 1
        )
        said[:, 0] = g.integers(K, size=len(t))  # the first guesses
        return np.where(g.random(said.shape) < 0.5, said, -1)

    X, truth, votes = simulated(crowd)
    alone = fit_with_gold(X, votes, np.full(len(X), -1), K)
    assert (alone.taken, alone.candidates) == ("matrices", ())
    assert "unjudged" in alone.summary()
    assert right(alone, X, truth) > 0.74
    both = fit_with_gold(X, votes, gold_of(truth), K)
    assert both.annotators is not None
    assert int(both.annotators.accuracy.argmin()) == 0
    assert right(both, X, truth) > 0.74


def test_stated_certainty_is_used() -> None:
    certain = np.random.default_rng(3).random(1500) < 0.5

    def half(t, g):
        return np.where(certain, t, g.integers(K, size=len(t)))

    X, truth, labels = simulated(half, n=1500, apart=0.4)
    gold = gold_of(truth, 150)
    known = gold >= 0
    plain, told = (
        fit_with_gold(X, labels, gold, K, stated_confidence=c).candidates[3]
        for c in (None, np.where(certain, 0.95, 0.4))
    )
    assert plain.name == told.name == "taught"
    assert known.sum() == 150
    assert not torch.equal(plain.weight, told.weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gold": np.r_[np.zeros(5, int), np.full(95, -1)]},
            "at least 10 checked labels.*it holds 5. Check more",
        ),
        ({"stated_confidence": np.full(100, 1.2)}, "between 0 and 1.*with 1.2 to 1.2"),
        ({"stated_confidence": np.full(100, np.nan)}, "100 missing"),
        ({"labels": np.full(100, 7)}, r"labels must lie in -1..2, -1 for none; got 7 to 7"),
        ({"labels": np.zeros(99, int)}, r"labels must have shape \(100,\)"),
        ({"gold": np.full(100, -1)}, "no sample has labels of several labellers"),
    ],
)
def test_bad_input_is_named(change, message) -> None:
    X, truth, labels = simulated(biased, n=100)
    given = {"labels": labels, "gold": gold_of(truth, 20), **change}
    with pytest.raises(ValueError, match=message):
        fit_with_gold(X, given.pop("labels"), given.pop("gold"), K, **given)


NAMES = np.array(["bird", "cat", "dog"])


def test_the_estimator_takes_names_gaps_and_trusted_samples_of_its_own() -> None:
    X, truth, labels = simulated(biased)
    gold = gold_of(truth)
    names = np.where(np.arange(len(X)) % 10 == 0, "", NAMES[labels])  # no answer
    checked = [None if g < 0 else str(NAMES[g]) for g in gold]
    model = NoisyLabelFeaturesClassifier(random_state=0).fit(X, names, gold=checked)
    assert model.method_ == "gold"
    assert model.classes_.tolist() == NAMES.tolist()  # an abstention is no class
    assert (model.predict(X) == NAMES[truth]).mean() > 0.72
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    apart = gold >= 0
    other = NoisyLabelFeaturesClassifier("gold", random_state=0).fit(
        X[~apart], NAMES[labels[~apart]], X_clean=X[apart], y_clean=NAMES[truth[apart]]
    )
    assert (other.predict(X) == NAMES[truth]).mean() > 0.72


@pytest.mark.slow
def test_the_estimator_warns_of_classes_that_one_side_lacks_and_of_gold_chosen_by_label() -> None:
    X, truth, labels = simulated(biased)
    gold = gold_of(truth)
    with pytest.warns(UserWarning, match="no label is of class 2, which was found among the checked"):
        NoisyLabelFeaturesClassifier().fit(X, np.where(labels == 2, 0, labels), gold=gold)
    with pytest.warns(UserWarning, match="no checked sample is of class 2: only the labels speak for it"):
        NoisyLabelFeaturesClassifier().fit(X, labels, gold=np.where(gold == 2, -1, gold))
    chosen = np.full(len(X), -1)
    rows = np.flatnonzero(labels == 0)[:60]
    chosen[rows] = truth[rows]
    chosen[np.flatnonzero(labels == 1)[:2]] = 1
    with pytest.warns(UserWarning, match="not drawn at random.*Draw them at random"):
        NoisyLabelFeaturesClassifier().fit(X, labels, gold=chosen)


def test_the_estimator_names_what_does_not_fit() -> None:
    X, truth, labels = simulated(biased, n=100)
    gold = gold_of(truth, 20)
    with pytest.raises(
        ValueError, match="gold and confidence go with method='gold' or 'auto'; got method='learned'"
    ):
        NoisyLabelFeaturesClassifier("learned").fit(X, labels, gold=gold)
    with pytest.raises(ValueError, match=r"a row per row of X; got \(100, 1\) and \(99,\)"):
        NoisyLabelFeaturesClassifier().fit(X, labels, gold=gold[:99])
    with pytest.raises(ValueError, match="X_outside and noise_matrix do not go with method='gold'"):
        NoisyLabelFeaturesClassifier("gold").fit(X, labels, gold=gold, X_outside=X[:3])


def test_where_classes_are_clusters_mistakes_that_depend_on_the_sample_are_not_learned() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(K, size=900)
    X = generator.normal(size=(900, 12)) + 5 * np.eye(K, 12)[truth]
    taken_for_1 = (truth == 2) & (X[:, 5] > 0)  # half of a class, and a regression can tell which
    people = []
    for _ in range(4):
        said = np.where(taken_for_1 & (generator.random(900) < 0.7), 1, truth)
        said = np.where(generator.random(900) < 0.2, generator.integers(K, size=900), said)
        people.append(np.where(generator.random(900) < 0.4, -1, said))
    head = fit_with_gold(X[:600], np.stack(people, axis=1)[:600], np.full(600, -1), K)
    assert right(head, X[600:], truth[600:]) > 0.95

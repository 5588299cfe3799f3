"""NoisyLabelClassifier on texts and sparse matrices: the head on features that the command line fits."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from test_features_classifier import texts_of_two_topics
from typer.testing import CliRunner

from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier, load_run
from noiselayer.cli.app import app
from noiselayer.errors import InputError


@pytest.mark.parametrize("form", ["list", "array", "series", "column", "sparse", "embeddings"])
def test_texts_of_any_form_are_learned_and_audited(form) -> None:
    texts, truth, noisy = texts_of_two_topics(480)
    X = {
        "list": lambda: texts,
        "array": lambda: np.array(texts),
        "series": lambda: pd.Series(texts),
        "column": lambda: pd.DataFrame({"text": texts}),
        "embeddings": lambda: pd.Series(list(TfidfVectorizer().fit_transform(texts).toarray())),
        "sparse": lambda: TfidfVectorizer().fit_transform(texts),
    }[form]()
    model = NoisyLabelClassifier(model="head" if form == "embeddings" else None, random_state=0).fit(X, noisy)
    right = (noisy == truth).mean()
    assert model.score(X, truth) > 0.93 > right + 0.04
    assert model.method_ == "learned"
    assert model.noise_matrix_.diagonal() == pytest.approx([right, right], abs=0.1)
    probs = model.predict_proba(X)
    assert probs.shape == (480, 2)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    np.testing.assert_allclose(model.noisy_proba(X), probs @ model.noise_matrix_.T)
    wrong = noisy != truth
    result = clone(model).audit(X, noisy)
    found = np.argsort(-result.error_probability.numpy())[: wrong.sum()]
    assert wrong[found].mean() > 0.9


def test_it_is_the_head_of_the_other_two_ways(tmp_path) -> None:
    texts, _, noisy = texts_of_two_topics()
    pd.DataFrame({"text": texts, "label": noisy}).to_csv(tmp_path / "texts.csv", index=False)
    columns = ["--text-column", "text", "--label-column", "label"]
    command = ["train", str(tmp_path / "texts.csv"), *columns, "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, command).exit_code == 0
    probs = NoisyLabelClassifier(random_state=0).fit(texts, noisy).predict_proba(texts)
    of_run = load_run(tmp_path / "run").predict(texts).probs.numpy()
    np.testing.assert_allclose(probs, of_run, atol=5e-3)
    folds = int(np.random.RandomState(0).randint(2**31 - 1))  # what the other estimator draws
    probs = NoisyLabelClassifier(random_state=folds).fit(texts, noisy).predict_proba(texts)
    other = NoisyLabelFeaturesClassifier(random_state=0).fit(texts, noisy).predict_proba(texts)
    np.testing.assert_allclose(probs, other, atol=5e-3)


def test_it_clones_and_pickles() -> None:
    texts, _, noisy = texts_of_two_topics()
    model = NoisyLabelClassifier("normal", random_state=3, options={"embed": "tfidf"}).fit(texts, noisy)
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(texts[:9]), model.predict_proba(texts[:9]))


def test_trusted_texts_and_texts_of_no_class_are_used() -> None:
    texts, truth, noisy = texts_of_two_topics()
    model = NoisyLabelClassifier(random_state=0).fit(
        texts[60:], noisy[60:], X_clean=texts[:60], y_clean=truth[:60]
    )
    assert model.method_ in ("estimated", "normal")
    assert "of checked labels held out" in model.head_.summary()
    assert (model.predict(texts[60:]) == truth[60:]).mean() > 0.93
    neither = ["we saw the house yesterday", "a walk some street"] * 60
    plain = NoisyLabelClassifier("normal", random_state=0)
    without = plain.fit(texts, noisy).predict_proba(neither).max()
    assert plain.fit(texts, noisy, X_outside=neither).predict_proba(neither).max() < without - 0.1


def test_a_function_makes_the_features_and_a_network_can_be_asked_for() -> None:
    texts, truth, noisy = texts_of_two_topics()
    words = ("purr", "kitten", "meow", "claw")
    count = {"embed": lambda samples: [[sum(word in text for word in words), 1.0] for text in samples]}
    model = NoisyLabelClassifier(random_state=0, options=count).fit(texts, noisy)
    assert model.score(texts, truth) == 1
    assert [tuple(p.shape) for p in model.network_.parameters()] == [(2, 2), (2,)]
    network = NoisyLabelClassifier("normal", model="mlp", max_iter=15, random_state=0).fit(texts, noisy)
    assert network.head_ is None
    assert network.score(texts, truth) > 0.75


def test_what_does_not_suit_is_said() -> None:
    texts, _, noisy = texts_of_two_topics(40)
    with pytest.raises(InputError, match="learning_rate, max_iter are for networks; the head, which texts"):
        NoisyLabelClassifier(max_iter=3, learning_rate=0.1).fit(texts, noisy)
    with pytest.raises(InputError, match="augmentation is for networks"):
        NoisyLabelClassifier(options={"augmentation": "shift"}).fit(texts, noisy)
    by_two = NoisyLabelClassifier(random_state=0).fit(texts, noisy, annotators=["ann", "bob"] * 20)
    assert by_two.annotator_matrices_.shape == (2, 2, 2)
    with pytest.raises(InputError, match=r"row 3 \(counting from 0\) holds None. Give ''"):
        NoisyLabelClassifier().fit([*texts[:3], None, *texts[4:]], noisy)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        NoisyLabelClassifier().fit(texts, noisy[:-1])
    numbers = NoisyLabelClassifier("normal", model="head").fit(np.eye(2).repeat(20, axis=0), noisy)
    with pytest.raises(InputError, match="X must hold numbers, as in fit; got texts"):
        numbers.predict(texts)


def test_features_texts_and_the_head_bring_no_training_library_no_pictures_no_plots() -> None:
    program = (
        "import sys, numpy as np\n"
        "from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier\n"
        "X = np.random.default_rng(0).normal(size=(200, 64))\n"
        "y = (X[:, 0] > 0).astype(int)\n"
        "NoisyLabelClassifier('normal', model='head').fit(X, y).predict(X)\n"
        "NoisyLabelFeaturesClassifier(random_state=0).fit(X, y).predict(X)\n"
        "texts = [['good', 'bad'][k] for k in y]\n"
        "NoisyLabelClassifier('normal').fit(texts, y).predict(texts)\n"
        "NoisyLabelClassifier('normal').audit(texts, y)\n"
        "heavy = {'pytorch_lightning', 'lightning', 'torchvision', 'matplotlib', 'torchmetrics', 'optuna'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The classifier of frozen features: scikit-learn's conventions, what it imports, its audit."""

from collections import UserList

import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from noiselayer import NoisyLabelFeaturesClassifier, corrupt_labels
from noiselayer.errors import InputError

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


def texts_of_two_topics(count=240, seed=0):
    generator = np.random.default_rng(seed)
    topics = [["purr", "kitten", "meow", "claw"], ["bark", "leash", "puppy", "fetch"]]
    truth = generator.integers(2, size=count)
    common = ["the", "a", "house", "street", "yesterday", "we", "saw", "some", "walk"]
    texts = [" ".join([*generator.choice(common, 5), generator.choice(topics[k])]) for k in truth]
    noisy = np.where(generator.random(count) < 0.15, 1 - truth, truth)
    return texts, np.array(["cat", "dog"])[truth], np.array(["cat", "dog"])[noisy]


@pytest.mark.parametrize("form", ["list", "array", "objects", "series", "column", "polars"])
def test_texts_of_any_form_are_taken_as_tfidf(form) -> None:
    texts, truth, noisy = texts_of_two_topics()
    forms = {
        "list": lambda: texts,
        "array": lambda: np.array(texts),
        "objects": lambda: np.array(texts, dtype=object)[:, None],
        "series": lambda: pd.Series(texts),
        "column": lambda: pd.DataFrame({"text": texts}),
        "polars": lambda: pytest.importorskip("polars").Series(texts),
    }
    model = NoisyLabelFeaturesClassifier("normal", random_state=0).fit(forms[form](), noisy)
    assert (model.predict(forms[form]()) == truth).mean() > 0.93 > (noisy == truth).mean() + 0.04
    assert model.source_.name == "tfidf"
    assert model.coef_.shape == (2, len(model.source_.vocabulary))
    kitten = model.source_.vocabulary.index("kitten")
    assert model.coef_[0, kitten] > model.coef_[1, kitten]


def test_wrong_labels_of_texts_are_found_and_trusted_ones_used() -> None:
    texts, truth, noisy = texts_of_two_topics()
    model = NoisyLabelFeaturesClassifier(random_state=0)
    result = model.audit(texts, noisy, X_clean=texts[:60], y_clean=truth[:60])
    wrong = noisy != truth
    found = np.argsort(-result.error_probability.numpy())[: wrong.sum()]
    assert wrong[found].mean() > 0.9
    neither = ["we saw the house yesterday", "a walk some street"] * 60
    plain = NoisyLabelFeaturesClassifier("normal", random_state=0)  # a matrix scales doubt away again
    doubtful = plain.fit(texts, noisy, X_outside=neither).predict_proba(neither)
    assert doubtful.max() < plain.fit(texts, noisy).predict_proba(neither).max() - 0.1


def test_a_sparse_matrix_gives_what_the_dense_one_does_unstandardised() -> None:
    from scipy.sparse import csr_matrix, random

    texts, truth, noisy = texts_of_two_topics()
    X = TfidfVectorizer().fit_transform(texts)
    model = NoisyLabelFeaturesClassifier("normal", random_state=0).fit(X, noisy)
    assert (model.predict(X) == truth).mean() > 0.93
    logits = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(
        model.predict_log_proba(X), logits - np.logaddexp.reduce(logits, 1)[:, None], atol=1e-4
    )
    np.testing.assert_allclose(model.predict_proba(X.toarray()), model.predict_proba(X), atol=1e-6)
    wide = csr_matrix(random(100, 100_000, density=1e-3, random_state=0))  # 80 MB if it were dense
    model.fit(wide, np.arange(100) % 2)
    assert model.coef_.shape == (2, 100_000)


def test_a_column_of_embeddings_is_an_array() -> None:
    X, _, noisy = blobs(300)
    plain = NoisyLabelFeaturesClassifier("normal", random_state=0).fit(X, noisy)
    columns = [
        *(pd.Series(list(X)), pd.DataFrame({"e": X.tolist()}), np.array([*X, None], object)[:-1]),
        *(pyarrow.array(X.tolist()), pyarrow.table({"e": list(X)})["e"]),  # as Parquet is read
        UserList(X.tolist()),  # a sequence that is no list, as a column of a Hugging Face data set
    ]
    for column in columns:
        model = NoisyLabelFeaturesClassifier("normal", random_state=0).fit(column, noisy)
        np.testing.assert_allclose(model.coef_, plain.coef_)
        np.testing.assert_allclose(model.predict_proba(column), plain.predict_proba(X))
    with pytest.raises(InputError, match="row 0 has 6 numbers, row 2 holds"):
        model.fit(pd.Series([*X[:2], X[2, :3]]), noisy[:3])


def test_a_function_makes_the_features_of_any_samples() -> None:
    X, _, noisy = blobs(300)
    rows = [{"row": row} for row in range(300)]
    model = NoisyLabelFeaturesClassifier(
        "normal", random_state=0, embed=lambda samples: X[[one["row"] for one in samples]]
    )
    plain = NoisyLabelFeaturesClassifier("normal", random_state=0).fit(X, noisy)
    np.testing.assert_allclose(model.fit(rows, noisy).predict_proba(rows), plain.predict_proba(X))


def test_features_of_no_known_name_are_refused_with_those_there_are() -> None:
    texts, _, noisy = texts_of_two_topics(40)
    with pytest.raises(InputError, match=r"no features 'sst:small'. Did you mean 'st'\? .*tfidf.*timm:NAME"):
        NoisyLabelFeaturesClassifier(embed="sst:small").fit(texts, noisy)


def test_what_is_no_text_among_texts_is_named() -> None:
    texts, _, noisy = texts_of_two_topics(40)
    with pytest.raises(InputError, match=r"row 3 \(counting from 0\) holds None. Give ''"):
        NoisyLabelFeaturesClassifier().fit([*texts[:3], None, *texts[4:]], noisy)
    X, _, numbers = blobs(60)
    with pytest.raises(InputError, match="X must hold numbers, as in fit; got texts"):
        NoisyLabelFeaturesClassifier("normal").fit(X, numbers).predict(texts)

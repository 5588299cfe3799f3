"""TF-IDF in its principal directions: the same as scikit-learn's, kept in plain files, and never dense."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from noiselayer.errors import InputError
from noiselayer.features import make_source, restore_source
from noiselayer.features.projection import project_features
from noiselayer.features.text import SparseFeatures, TextFeatures

WORDS = {"cat": "purr whiskers kitten meow claw", "dog": "bark leash puppy fetch tail"}


def sentences(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts with one telling word in six, and what they are about."""
    generator = np.random.default_rng(seed)
    common = ["the", "a", "of", "house", "street", "yesterday", "very", "we", "they", "saw", "some", "walk"]
    truth = generator.integers(2, size=count)
    topics = [WORDS["cat"].split(), WORDS["dog"].split()]
    texts = [
        " ".join(
            [*generator.choice(common, 5), *generator.choice(topics[k], 1), *generator.choice(common, 2)]
        )
        for k in truth
    ]
    return texts, truth


def test_all_directions_keep_the_angles_of_tfidf() -> None:
    texts, _ = sentences(60)
    X = TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", min_df=2, sublinear_tf=True
    ).fit_transform(texts)
    Z = TextFeatures.fit(texts).transform(texts)
    assert Z.shape[1] <= 60
    np.testing.assert_allclose(Z @ Z.T, (X @ X.T).toarray(), atol=2e-4)


def test_a_source_survives_json_and_plain_arrays() -> None:
    texts, _ = sentences(80)
    source = make_source("tfidf", texts)
    again = restore_source(json.loads(json.dumps(source.to_dict())), source.arrays())
    new = ["a cat saw the leash", "", "nothing known here"]
    np.testing.assert_array_equal(again.transform(new), source.transform(new))
    assert not source.transform(new)[1].any()


def test_damaged_state_is_said() -> None:
    with pytest.raises(InputError, match="not the state of a source of features: KeyError"):
        restore_source({"name": "tfidf"}, {})


def test_texts_without_spaces_are_cut_into_characters() -> None:
    texts = [
        "猫がソファで寝ています",
        "犬が公園を走っています",
        "猫が窓の外を見ています",
        "犬がボールを追いかけます",
    ]
    source = TextFeatures.fit(texts)
    assert source.to_dict()["form"] == "characters"
    assert "猫" in source.vocabulary


def test_texts_without_words_are_refused() -> None:
    with pytest.raises(InputError, match="none of the 3 does"):
        TextFeatures.fit(["", "...", "!"])


def test_a_few_columns_stay_what_they_are() -> None:
    from scipy.sparse import csr_matrix

    X = csr_matrix(np.eye(9, 4, dtype=np.float32))
    np.testing.assert_array_equal(SparseFeatures.fit(X).transform(X), np.eye(9, 4))


def test_without_standardizing_all_features_share_one_scale() -> None:
    generator = np.random.default_rng(0)
    f = generator.normal(size=(500, 3)) * [1.0, 3.0, 0.1] + 7
    projection = project_features(f, standardize=False)
    centred = f - f.mean(axis=0)
    expected = centred / np.sqrt(centred.var(axis=0).mean())
    assert projection.variances.sum().item() == pytest.approx(3, rel=1e-5)
    Z = projection.apply(f).numpy()
    np.testing.assert_allclose(Z @ Z.T, expected @ expected.T, atol=1e-3)

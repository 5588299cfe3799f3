"""Texts, or the sparse matrix of their words, as a few hundred numbers each; scikit-learn is imported on use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

COMPONENTS = 512
"""At most; of the principal directions of the words."""
_MOST_WORDS = 50_000
_FORMS: dict[str, dict[str, Any]] = {
    "words": {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "characters": {"ngram_range": (1, 3), "analyzer": "char_wb"},
}
"""Words and pairs of words; runs of characters where a script puts no spaces between words."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese characters."""


class SparseFeatures:
    """The principal directions of a sparse matrix, found without ever making it dense.

    Args:
        components: Shape (r, V), what V columns become r numbers with.

    >>> from scipy.sparse import csr_matrix
    >>> X = csr_matrix(np.eye(4, 6, dtype=np.float32))
    >>> SparseFeatures.fit(X).transform(X).shape
    (4, 4)
    """

    name = "sparse"
    standardize = False  # the variance of a direction says how much it matters

    def __init__(self, components: npt.NDArray[np.float32]) -> None:
        self.components = components

    @classmethod
    def fit(cls, X: Any, *, max_components: int = COMPONENTS) -> SparseFeatures:
        """Of a sparse matrix of shape (N, V): the first directions of a truncated singular value decomposition."""
        from sklearn.decomposition import TruncatedSVD

        X = X.tocsr().astype(np.float32)
        most = min(max_components, *X.shape)
        if most == X.shape[1]:  # as many numbers as it has columns: they stay what they are
            return cls(np.eye(most, dtype=np.float32))
        svd = TruncatedSVD(most, n_iter=2, random_state=0).fit(X)
        # Half precision is what a folder keeps of them.
        return cls(np.ascontiguousarray(svd.components_.astype(np.float16), dtype=np.float32))

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Shape (N, r) of a sparse matrix of shape (N, V)."""
        return np.asarray(X.tocsr().astype(np.float32) @ self.components.T, dtype=np.float32)


class TextFeatures:
    """TF-IDF of words and pairs of words in its principal directions: a few hundred numbers for a text of any length.

    Words that stand in one text alone are left out, terms count with the logarithm of how often they occur, and every
    text has length 1 before it is projected. No label is looked at.

    Args:
        vectorizer: A fitted ``TfidfVectorizer`` of scikit-learn.
        reduction: Of what it gives.
        form: "words" or "characters".

    >>> texts = ["a red apple", "a green apple", "a red pear"]
    >>> features = TextFeatures.fit(texts)
    >>> features.transform(texts).shape
    (3, 3)
    """

    name = "tfidf"
    takes = "texts"
    standardize = SparseFeatures.standardize

    def __init__(self, vectorizer: TfidfVectorizer, reduction: SparseFeatures, form: str) -> None:
        self._vectorizer, self.reduction, self._form = vectorizer, reduction, form

    @classmethod
    def fit(cls, texts: Sequence[str], *, max_components: int = COMPONENTS) -> TextFeatures:
        """Learn the vocabulary, how rare each term is, and the principal directions.

        Raises:
            InputError: If fewer than two of the texts hold a word.
        """
        texts = list(map(str, texts))
        unspaced = sum(len(_UNSPACED.findall(text)) for text in texts)
        form = "characters" if unspaced > sum(map(len, texts)) / 3 else "words"
        for least in (2, 1) if len(texts) >= 50 else (1,):
            vectorizer = _vectorizer(form, min_df=least, max_features=_MOST_WORDS)
            try:
                X = vectorizer.fit_transform(texts)
            except ValueError:  # nothing stands in that many texts
                continue
            return cls(vectorizer, SparseFeatures.fit(X, max_components=max_components), form)
        raise InputError(
            f"texts must hold words; none of the {len(texts):,} does, so there is nothing to learn from."
        )

    @property
    def components(self) -> npt.NDArray[np.float32]:
        """Shape (r, V), what terms become r numbers with."""
        return self.reduction.components

    @property
    def vocabulary(self) -> list[str]:
        """The V terms, in the order of the columns of ``components``."""
        return [str(term) for term in self._vectorizer.get_feature_names_out()]

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (N, r); a text without a known word has zeros alone."""
        return self.reduction.transform(self._vectorizer.transform(map(str, texts)))

    def to_dict(self) -> dict[str, Any]:
        """The form and the vocabulary."""
        return {"name": self.name, "form": self._form, "vocabulary": self.vocabulary}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """How rare each term is, shape (V,), and the directions, (r, V)."""
        return {"idf": np.asarray(self._vectorizer.idf_), "components": self.components.astype(np.float16)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> TextFeatures:
        """What :meth:`to_dict` and :meth:`arrays` gave."""
        vectorizer = _vectorizer(state["form"], vocabulary=state["vocabulary"])
        vectorizer.idf_ = np.asarray(arrays["idf"])
        return cls(
            vectorizer, SparseFeatures(np.asarray(arrays["components"], dtype=np.float32)), state["form"]
        )


def _vectorizer(form: str, **more: Any) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **_FORMS[form], **more)

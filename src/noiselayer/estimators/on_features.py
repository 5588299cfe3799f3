"""The classifier of frozen features with scikit-learn's interface: no network is trained."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from noiselayer.annotators.gold_head import GoldHead
from noiselayer.annotators.with_gold import fit_with_gold
from noiselayer.arrays.kinds import check_count
from noiselayer.audit import AuditResult, audit_labels
from noiselayer.errors import InputError
from noiselayer.estimators.arguments import as_matrix, codes_of
from noiselayer.estimators.audited import audited, check_audit_options
from noiselayer.estimators.feature_inputs import features_of
from noiselayer.estimators.gold_labels import GoldLabels
from noiselayer.estimators.true_classes import TrueClassesMixin, check_pair
from noiselayer.features.feature_head import FeatureHead
from noiselayer.features.head import fit_head
from noiselayer.features.head_arguments import HeadMethod


class NoisyLabelFeaturesClassifier(TrueClassesMixin):
    """A linear classifier of frozen features or embeddings that learns from wrong labels, in seconds.

    Multinomial logistic regression through the noise matrix, its ridge chosen by the likelihood of noisy labels held
    out (:func:`noiselayer.features.fit_head`). Where the matrix gains no more than two standard errors of that, or no
    more than four and the surest labels contradict it, the plain regression of the same path is taken, and ``taken_``
    says so. Of texts by their words a learned matrix that says that many labels are wrong, and gains no more than four,
    is taken halfway: the classifier is the mean of both.

    Args:
        method: "auto" ("known" with a matrix, "gold" with ``gold`` or several labels per sample, "estimated" with
            other trusted samples, else "learned"), "learned", "estimated", "known", "gold" (several classifiers,
            of which labels that were checked choose: :func:`noiselayer.annotators.fit_with_gold`), "top-down"
            (labels are softened) or "normal" (plain regression).
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``: columns are true
            classes and sum to 1; rows and columns in the order of ``classes_``. For "known".
        noisy_weight: Weight of a noisy sample where a trusted one has 1.
        alpha: For "top-down", how much of a label is believed, 0 to 1.
        cv: Folds; 5, but 3 above 20,000 samples, if None.
        random_state: Of the folds.
        embed: What makes features of samples that are no numbers: "tfidf" (the default for texts), "patches" (of
            images: :mod:`noiselayer.features.patches`), the name of another source that
            :func:`noiselayer.features.make_source` knows, a fitted :class:`~noiselayer.features.FeatureSource`, or a
            function from a list of samples to an array of shape (N, D).

    Attributes:
        classes_: Shape (K,), the different labels, sorted.
        method_: What "auto" has chosen, or ``method``.
        noise_matrix_: Shape (K, K), columns = true classes: what the classifier was fitted through; the identity where
            plain regression was taken.
        found_matrix_: Shape (K, K), the matrix that was given, measured or learned, whether or not it was taken.
        taken_: "noise matrix", "plain" or "top-down"; with method "gold", "gold" (of the checked labels alone),
            "plain", "matrices" or "taught".
        coef_: Shape (K, D), weights of the features as they come; of texts in TF-IDF, of the terms
            ``source_.vocabulary``.
        intercept_: Shape (K,).
        head_: The :class:`~noiselayer.features.FeatureHead`, with ``summary()`` and the path of ridges; with method
            "gold" a :class:`~noiselayer.annotators.GoldHead`, with ``summary()`` and the ``candidates``.
        estimate_: The :class:`~noiselayer.estimation.NoiseEstimate` of "estimated"; else None.
        source_: What made features of images, texts, a sparse matrix or other samples; None if X were numbers.
        n_features_in_: ``X.shape[1]``, where X were numbers.
        feature_names_in_: Column names, if X was a DataFrame whose columns are all text.

    >>> generator = np.random.default_rng(0)
    >>> truth = generator.integers(2, size=800)
    >>> X = generator.normal(size=(800, 5)) + 3 * truth[:, None] * (np.arange(5) == 0)
    >>> y = np.where(generator.random(800) < 0.4 * truth, 1 - truth, truth)  # 1s are often 0
    >>> model = NoisyLabelFeaturesClassifier(random_state=0).fit(X, np.array(["cat", "dog"])[y])
    >>> model.predict(np.array([[0.0] * 5, [3.0] + [0.0] * 4])).tolist()
    ['cat', 'dog']
    >>> model.taken_  # what the matrix gains is more than two standard errors here
    'noise matrix'

    Texts are turned into TF-IDF:

    >>> texts = ["a good film", "good fun", "so good", "a bad film", "bad, very bad", "a bad idea"]
    >>> model = NoisyLabelFeaturesClassifier("normal", cv=3).fit(texts, ["+", "+", "+", "-", "-", "-"])
    >>> model.predict(["good!", "very bad"]).tolist()
    ['+', '-']
    """

    method_: str
    taken_: str
    head_: Any  # FeatureHead, or GoldHead

    def __init__(
        self,
        method: str = "auto",
        *,
        noise_matrix: npt.ArrayLike | Tensor | None = None,
        noisy_weight: float = 1.0,
        alpha: float = 0.5,
        cv: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        embed: Any = None,
    ) -> None:
        self.method = method
        self.noise_matrix = noise_matrix
        self.noisy_weight = noisy_weight
        self.alpha = alpha
        self.cv = cv
        self.random_state = random_state
        self.embed = embed

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        X_clean: Any = None,
        y_clean: Any = None,
        X_outside: Any = None,
        gold: Any = None,
        confidence: Any = None,
    ) -> NoisyLabelFeaturesClassifier:
        """Fit on noisy labels, and on trusted ones where there are some.

        Args:
            X: Shape (N, D), numbers; a memory map stays one, a sparse matrix is never made dense. Or N texts, or a
                column with an array or list in each row: lists, arrays, columns of pandas and polars.
            y: Shape (N,), the noisy labels, of any type that sorts. With ``gold`` or of several labellers, (N, S), a
                label may be missing: None, NaN, an empty text, or -1 where classes are numbers.
            X_clean: Samples like X whose labels can be trusted.
            y_clean: Their labels, each among those of y. With method "gold" they are checked labels of samples that
                have no label of a labeller.
            X_outside: Samples like X that show none of the classes.
            gold: Shape (N,), the true labels of the samples of X that were checked, drawn at random; missing
                elsewhere, as in y.
            confidence: Shape of y, how certain the labeller says it is, 0 to 1; for method "gold".

        Raises:
            ValueError: If X or y is unfit, trusted samples do not suit them, or an argument does not suit the method.

        Warns:
            UserWarning: If the checked samples were not drawn at random, or a class is missing among the labels or
                among the checked ones.
        """
        if self.method == "gold" or (self.method == "auto" and (gold is not None or _of_several(y))):
            return self._fit_gold(X, y, X_clean, y_clean, X_outside, gold, confidence)
        if gold is not None or confidence is not None:
            raise InputError(
                f"gold and confidence go with method='gold' or 'auto'; got method={self.method!r}."
            )
        X, y = features_of(self, X, y, embed=self.embed, reset=True)
        codes = self._codes(y)
        check_pair(X_clean, y_clean)
        clean_codes = None
        if X_clean is not None:
            X_clean, y_clean = features_of(self, X_clean, y_clean)
            clean_codes = codes_of(y_clean, self.classes_)
        if X_outside is not None:
            X_outside = features_of(self, X_outside)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        method = self._chosen(X_clean is not None)
        self.method_ = method
        if self.cv is not None:
            check_count(self.cv, "cv", 2)
        head = fit_head(
            X,
            torch.from_numpy(codes),
            len(self.classes_),
            method=method,
            noise_matrix=as_matrix(self.noise_matrix),
            clean_features=X_clean,
            clean_labels=clean_codes,
            outside_features=X_outside,
            noisy_weight=self.noisy_weight,
            alpha=self.alpha,
            folds=self.cv,
            standardize=self.source_ is None or self.source_.standardize,
            dtype=torch.float64 if X.dtype == np.float64 else torch.float32,
            seed=seed,
        )
        self.head_ = head
        self.taken_ = head.taken
        self.noise_matrix_ = head.noise_matrix.numpy()
        self.found_matrix_ = head.found_matrix.numpy()
        self._keep(head)
        self.estimate_ = head.estimate
        return self

    def _fit_gold(
        self, X: Any, y: Any, X_clean: Any, y_clean: Any, X_outside: Any, gold: Any, confidence: Any
    ) -> NoisyLabelFeaturesClassifier:
        if X_outside is not None or self.noise_matrix is not None:
            raise InputError("X_outside and noise_matrix do not go with method='gold'; leave them out.")
        check_pair(X_clean, y_clean)
        X = features_of(self, X, embed=self.embed, reset=True)
        labels = GoldLabels.of(y, gold, y_clean, len(X))
        self.classes_ = labels.classes
        if X_clean is not None:
            X = np.concatenate([X, features_of(self, X_clean)])
            confidence = None if confidence is None else labels.padded(confidence)
        for note in labels.notes():
            warnings.warn(note, stacklevel=3)
        self.method_ = "gold"
        head = fit_with_gold(
            X,
            labels.given,
            labels.gold,
            len(self.classes_),
            stated_confidence=confidence,
            standardize=self.source_ is None or self.source_.standardize,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        self.head_ = head
        self.taken_ = head.taken
        self.estimate_ = None
        self.found_matrix_ = head.matrix.numpy()
        self.noise_matrix_ = self.found_matrix_ if labels.given.shape[1] == 1 else np.eye(len(self.classes_))
        self._keep(head)
        return self

    def _keep(self, head: FeatureHead | GoldHead) -> None:
        self.coef_, self.intercept_ = head.weight.numpy(), head.bias.numpy()
        if hasattr(self.source_, "components"):
            self.coef_ = self.coef_ @ self.source_.components

    def audit(
        self, X: Any, y: Any, *, X_clean: Any = None, y_clean: Any = None, **options: Any
    ) -> AuditResult:
        """Find the labels in y that are wrong; every one is judged by a classifier that has not seen it.

        The folds that ``fit`` makes to choose the ridge give these classifiers: an audit costs one fit. The estimator
        stays as it is, fitted or not.

        Args:
            X: As in ``fit``.
            y: As in ``fit``.
            X_clean: As in ``fit``.
            y_clean: As in ``fit``.
            **options: Of :func:`noiselayer.audit_labels`: ``verified``, ``threshold``, ``top``, ``calibrate``,
                ``check_model``.

        Returns:
            The result; its labels are numbers, positions in the sorted labels, ``class_names``.

        Raises:
            ValueError: As ``fit`` does.
        """
        check_audit_options(options)
        other = clone(self).fit(X, y, X_clean=X_clean, y_clean=y_clean)
        probs = other.head_.out_of_fold.exp()
        probs /= probs.sum(dim=1, keepdim=True)
        codes = torch.from_numpy(np.searchsorted(other.classes_, np.asarray(y).ravel()))
        options["class_names"] = other._class_names()
        rows = None
        if other.source_ is None and not issparse(X):
            rows = torch.from_numpy(np.asarray(features_of(other, X)))
        if other.taken_ != "noise matrix":  # it predicts the labels as they are given
            return audit_labels(codes, probs, probs_predict="given", features=rows, **options)
        return audited(
            codes,
            probs,
            other.head_.noise_matrix,
            learned_from=rows if other.method_ == "learned" else None,
            standard_error=None if other.estimate_ is None else other.estimate_.standard_error,
            **options,
        )

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """p(true class | x), shape (N, K), columns as in ``classes_``; never through the noise matrix."""
        probs: npt.NDArray[np.float64] = self._logits(X).softmax(dim=1).numpy()
        return probs

    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Log-probabilities of the true class, shape (N, K)."""
        log_probs: npt.NDArray[np.float64] = self._logits(X).log_softmax(dim=1).numpy()
        return log_probs

    def _logits(self, X: Any) -> Tensor:
        check_is_fitted(self)
        logits: Tensor = self.head_.logits(features_of(self, X))
        return logits

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _chosen(self, clean: bool) -> HeadMethod:
        if self.method != "auto":
            return self.method  # type: ignore[return-value]
        if self.noise_matrix is not None:
            return "known"
        return "estimated" if clean else "learned"


def _of_several(y: Any) -> bool:
    """Whether labels are a matrix, a column for each labeller; what is no array is for the checks of labels to name."""
    try:
        return np.asarray(y).shape[1:] > (1,)
    except ValueError:
        return False

"""Any classifier that takes sample weights, trained on noisy labels by expectation-maximisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter
from torch import Tensor

from noiselayer.arrays.kinds import check_count
from noiselayer.errors import InputError
from noiselayer.estimators.meta.fold_predictions import Array, Codes, Floats, fold_numbers, predict_folds
from noiselayer.estimators.meta.rounds import class_probabilities_behind, posterior_of, update_noise_matrix
from noiselayer.estimators.meta.wrapper import NoisyLabelWrapper

SMALLEST_WEIGHT = 1e-3
"""Classes a sample is less probably of are left out of its copies: K of them would mostly weigh nothing."""


class NoisyLabelMetaClassifier(NoisyLabelWrapper):
    r"""Any scikit-learn classifier with sample weights, trained on noisy labels.

    Every sample is given to the classifier once per class that it may be of, weighted by

    .. math:: \pi_{ni} = \frac{Q_{\tilde y_n i}\, p_{ni}}{\sum_k Q_{\tilde y_n k}\, p_{nk}}

    The first p are the classes that explain what a copy, trained on the labels as they are, predicts of the labels
    (:func:`class_probabilities_behind`). More steps of expectation-maximisation (``max_iter``) take those of a copy
    trained with the weights, which climbs the likelihood of the noisy labels. All p are predicted out of fold
    (``cross_fit``), because a classifier that can memorise its weights, a forest for one, would otherwise confirm
    whatever the first labels were.

    Without ``noise_matrix`` it is learned from those predictions; with ``fit(X, y, X_clean=..., y_clean=...)``
    it is measured on the trusted samples, and these are trained on too. A fit costs ``cv`` fits to ``1 - 1 / cv`` of
    the samples and one with weights; every step more as much again, and every round more of a learned matrix ``cv``
    times as much.

    Args:
        estimator: A classifier whose ``fit`` takes ``sample_weight`` and that has ``predict_proba``.
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns
            sum to 1; rows and columns in the order of ``classes_``, sorted labels. None to find it.
        max_iter: Trainings with weights, at most. More than one pay where the estimator sees little of the classes
            in labels this wrong.
        tol: The mean change of the weights that ends them.
        cross_fit: Whether the weights come from predictions out of fold.
        noise_trainable: Whether every step updates the matrix too, in closed form
            (:func:`update_noise_matrix`). Needs ``cross_fit``.
        cv: Folds, for predictions out of fold.
        rounds: For a matrix that is learned.
        random_state: Of the folds; the estimator has its own.

    Attributes:
        classes_: Shape (K,), the different labels, sorted.
        noise_matrix_: Shape (K, K), columns = true classes.
        estimator_: The copy that was trained; it knows the classes by number.
        n_iter_: Steps of the last fit.
        rounds_: What each round has found, a dict; empty unless the matrix was learned.
        estimate_: The :class:`~noiselayer.estimation.NoiseEstimate`, where there were clean samples.
        n_features_in_: ``X.shape[1]``.
        feature_names_in_: Column names, if X was a DataFrame whose columns are all text.

    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> y = np.where(X[:, 0] < 0, "cat", "dog")
    >>> y[100::2] = "cat"  # half of the dogs
    >>> Q = [[1.0, 0.5], [0.0, 0.5]]
    >>> float(np.mean(LogisticRegression().fit(X, y).predict(X) == "dog")) < 0.3
    True
    >>> model = NoisyLabelMetaClassifier(LogisticRegression(), noise_matrix=Q).fit(X, y)
    >>> float(np.mean(model.predict(X) == "dog")) > 0.45
    True
    """

    def __init__(
        self,
        estimator: Any,
        *,
        noise_matrix: npt.ArrayLike | Tensor | None = None,
        max_iter: int = 1,
        tol: float = 1e-2,
        cross_fit: bool = True,
        noise_trainable: bool = False,
        cv: int = 5,
        rounds: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.noise_matrix = noise_matrix
        self.max_iter = max_iter
        self.tol = tol
        self.cross_fit = cross_fit
        self.noise_trainable = noise_trainable
        self.cv = cv
        self.rounds = rounds
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise InputError(
                f"estimator must take sample_weight in fit; {type(self.estimator).__name__} does not. Give one "
                "that does, such as LogisticRegression or HistGradientBoostingClassifier."
            )
        if not hasattr(self.estimator, "predict_proba"):
            raise InputError(
                f"estimator must have predict_proba; {type(self.estimator).__name__} has not, as it is "
                "configured."
            )
        check_count(self.max_iter, "max_iter", 1)
        if self.noise_trainable and not self.cross_fit:
            raise InputError(
                "noise_trainable needs cross_fit=True: a classifier that repeats the labels it was fitted to "
                "says that they have no noise."
            )

    def _fit_through(
        self,
        X: Array,
        codes: Codes,
        Q: Floats | None,
        X_clean: Array | None,
        clean_codes: Codes | None,
        generator: np.random.RandomState,
        noisy_probs: Floats | None = None,
    ) -> Weighted:
        K = len(self.classes_)
        if Q is None:
            return self._fit_weighted(X, np.eye(K)[codes])
        trusted = np.zeros((0, K))
        if X_clean is not None and clean_codes is not None:
            trusted = np.eye(K)[clean_codes]
            everything = np.concatenate([X, X_clean])
        else:
            everything = X
        fold_of = fold_numbers(codes, self.cv, generator)
        if noisy_probs is None:
            noisy_probs = self._predicted(X, np.eye(K)[codes], codes, fold_of)
        probs = class_probabilities_behind(noisy_probs, Q)
        weights = np.zeros((len(X), K))
        for step in range(1, self.max_iter + 1):
            if self.noise_trainable:
                Q = update_noise_matrix(probs, codes, Q)
            before, weights = weights, posterior_of(probs, codes, Q)
            if np.abs(weights - before).sum(axis=1).mean() <= self.tol:
                break
            predict = self._fit_weighted(everything, np.concatenate([weights, trusted]))
            self.n_iter_ = step
            if step < self.max_iter:
                probs = self._predicted(X, weights, codes, fold_of) if self.cross_fit else predict(X)
        self._last_matrix = Q
        return predict

    def _fit_all(
        self, X: Array, codes: Codes, X_clean: Any, clean_codes: Any, generator: np.random.RandomState
    ) -> None:
        noisy_probs = self._noisy_probs if self.cross_fit else None
        fitted = self._fit_through(X, codes, self.noise_matrix_, X_clean, clean_codes, generator, noisy_probs)
        self._predict = fitted
        self.noise_matrix_ = self._last_matrix
        self.estimator_ = fitted.estimator

    def _predicted(self, X: Array, weights: Floats, codes: Codes, fold_of: Codes) -> Floats:
        """By copies trained with these weights, out of fold if so wished, shape (N, K)."""
        if not self.cross_fit:
            return self._fit_weighted(X, weights)(X)
        return predict_folds(
            X, codes, len(self.classes_), fold_of, lambda X, codes, rows: self._fit_weighted(X, weights[rows])
        ).probs

    def _fit_weighted(self, X: Array, weights: Floats) -> Weighted:
        kept = weights >= SMALLEST_WEIGHT
        # No class may be lost to all samples: each keeps its likeliest.
        kept[weights.argmax(axis=0), np.arange(weights.shape[1])] = True
        rows, classes = np.nonzero(kept)
        weight = weights[rows, classes].clip(1e-12)
        return Weighted(clone(self.estimator).fit(X[rows], classes, sample_weight=weight))


class Weighted:
    """A fitted classifier of classes by number, as a function from inputs to probabilities."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def __call__(self, X: Array) -> Floats:
        """p(true class | x), shape (N, K)."""
        probs: Floats = np.asarray(self.estimator.predict_proba(X), dtype=np.float64)
        return probs

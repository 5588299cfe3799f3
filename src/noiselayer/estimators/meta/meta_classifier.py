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
from noiselayer.estimators.meta.rounds import posterior_of, update_noise_matrix
from noiselayer.estimators.meta.wrapper import NoisyLabelWrapper

SMALLEST_WEIGHT = 1e-3
"""Classes a sample is less probably of are left out of its copies: K of them would mostly weigh nothing."""


class NoisyLabelMetaClassifier(NoisyLabelWrapper):
    r"""Any scikit-learn classifier with sample weights, trained on noisy labels.

    Every sample is given to the classifier once per class that it may be of, weighted by

    .. math:: \pi_{ni} = \frac{Q_{\tilde y_n i}\, p_{ni}}{\sum_k Q_{\tilde y_n k}\, p_{nk}}

    and its predictions p give the next weights: expectation-maximisation, which climbs the likelihood of the
    noisy labels. The p are predicted out of fold (``cross_fit``), because a classifier that can memorise its
    weights, a forest for one, would otherwise confirm whatever it was told first.

    Without ``noise_matrix`` it is learned by turns, see ``rounds``; with ``fit(X, y, X_clean=..., y_clean=...)``
    it is measured on the trusted samples, and these are trained on too. A fit costs ``max_iter`` fits of the
    estimator, times ``cv`` if ``cross_fit``; to learn the matrix costs another ``cv`` times as much per
    round after the first.

    Args:
        estimator: A classifier whose ``fit`` takes ``sample_weight`` and that has ``predict_proba``.
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns
            sum to 1; rows and columns in the order of ``classes_``, sorted labels. None to find it.
        max_iter: Steps of expectation-maximisation, at most.
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
        max_iter: int = 10,
        tol: float = 1e-2,
        cross_fit: bool = True,
        noise_trainable: bool = False,
        cv: int = 5,
        rounds: int = 2,
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
        check_count(self.max_iter, "max_iter")
        if self.max_iter < 1:
            raise InputError(f"max_iter must be at least 1; got {self.max_iter!r}.")
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
        # The first weights know the label alone; the classifier adds what it sees.
        weights = posterior_of(np.tile(_class_prior(codes, Q), (len(X), 1)), codes, Q)
        for step in range(1, self.max_iter + 1):
            predict = self._fit_weighted(everything, np.concatenate([weights, trusted]))
            self.n_iter_ = step
            if step == self.max_iter:
                break
            probs = self._out_of_fold_of(X, weights, codes, fold_of) if self.cross_fit else predict(X)
            if self.noise_trainable:
                Q = update_noise_matrix(probs, codes, Q)
            before, weights = weights, posterior_of(probs, codes, Q)
            if np.abs(weights - before).sum(axis=1).mean() <= self.tol:
                break
        self._last_matrix = Q
        return predict

    def _fit_all(
        self, X: Array, codes: Codes, X_clean: Any, clean_codes: Any, generator: np.random.RandomState
    ) -> None:
        fitted = self._fit_through(X, codes, self.noise_matrix_, X_clean, clean_codes, generator)
        self._predict = fitted
        self.noise_matrix_ = self._last_matrix
        self.estimator_ = fitted.estimator

    def _out_of_fold_of(self, X: Array, weights: Floats, codes: Codes, fold_of: Codes) -> Floats:
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


def _class_prior(codes: Codes, Q: Floats, steps: int = 200) -> Floats:
    """The frequencies of true classes that explain those of the labels best, shape (K,)."""
    seen = np.bincount(codes, minlength=len(Q)) / len(codes)
    prior = np.full(len(Q), 1 / len(Q))
    for _ in range(steps):
        expected = Q @ prior
        prior = prior * (Q.T @ np.divide(seen, expected, out=np.zeros_like(seen), where=expected > 0))
        prior = prior / prior.sum()
    return prior

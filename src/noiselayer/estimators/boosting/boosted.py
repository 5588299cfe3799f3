"""Boosted trees that learn from noisy labels, as one estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.estimators.boosting.margins import class_probabilities
from noiselayer.estimators.boosting.objective import noisy_label_objective
from noiselayer.estimators.meta.fold_predictions import Array, Codes, Floats
from noiselayer.estimators.meta.wrapper import NoisyLabelWrapper


class NoisyLabelBoostingClassifier(NoisyLabelWrapper):
    """LightGBM or XGBoost, trained through a noise matrix that is given, measured or learned.

    ``fit`` takes labels of which many may be wrong; ``predict`` gives true classes. A copy of ``estimator`` is
    boosted with :func:`noisy_label_objective`. Without ``noise_matrix`` it is learned by turns: ordinary
    boosting out of fold, the matrix its predictions speak for, boosting through that, and so on. Each round
    costs a fit per fold. With ``fit(X, y, X_clean=..., y_clean=...)`` the matrix is measured on the trusted
    samples instead, and these are trained on too.

    Args:
        estimator: An ``LGBMClassifier`` or ``XGBClassifier``; None for LightGBM's with default parameters. Its
            objective is replaced, early stopping inside it is not supported.
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns
            sum to 1; rows and columns in the order of ``classes_``, sorted labels. None to find it.
        cv: Folds, for a matrix that is learned or measured.
        rounds: For a matrix that is learned.
        random_state: Of the folds; the estimator has its own.

    Attributes:
        classes_: Shape (K,), the different labels, sorted.
        noise_matrix_: Shape (K, K), columns = true classes.
        estimator_: The copy that was trained; its own predictions are raw or numbered.
        rounds_: What each round has found, a dict; empty unless the matrix was learned.
        estimate_: The :class:`~noiselayer.estimation.NoiseEstimate`, where there were clean samples.
        n_features_in_: ``X.shape[1]``.
        feature_names_in_: Column names, if X was a DataFrame whose columns are all text.

    >>> from lightgbm import LGBMClassifier
    >>> X = np.repeat([[-1.0], [1.0]], 200, axis=0)
    >>> y = np.repeat(["cat", "dog"], 200)
    >>> y[200:290] = "cat"  # 45 % of the dogs
    >>> trees = LGBMClassifier(n_estimators=60, verbose=-1)
    >>> model = NoisyLabelBoostingClassifier(trees, noise_matrix=[[1, 0.45], [0, 0.55]]).fit(X, y)
    >>> model.predict([[-1.0], [1.0]]).tolist()  # ordinary boosting as well, but less surely
    ['cat', 'dog']
    >>> float(model.predict_proba([[1.0]])[0, 1]) > 0.8 > 0.55
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        noise_matrix: npt.ArrayLike | Tensor | None = None,
        cv: int = 5,
        rounds: int = 2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.noise_matrix = noise_matrix
        self.cv = cv
        self.rounds = rounds
        self.random_state = random_state

    def _template(self) -> Any:
        if self.estimator is not None:
            return self.estimator
        try:
            from lightgbm import LGBMClassifier
        except ImportError as error:
            raise ImportError(
                "NoisyLabelBoostingClassifier without an estimator needs LightGBM: pip install "
                "noiselayer[boosting], or give an XGBClassifier."
            ) from error
        return LGBMClassifier(verbose=-1)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if "objective" not in self._template().get_params():
            raise InputError(
                "estimator must be a boosting classifier with an objective, LGBMClassifier or XGBClassifier; "
                f"got {type(self.estimator).__name__}. NoisyLabelMetaClassifier takes any classifier with "
                "sample weights."
            )

    def _fit_through(
        self,
        X: Array,
        codes: Codes,
        Q: Floats | None,
        X_clean: Array | None,
        clean_codes: Codes | None,
        generator: np.random.RandomState,
    ) -> Boosted:
        K = len(self.classes_)
        clean = np.zeros(len(X), dtype=bool)
        if X_clean is not None and clean_codes is not None:
            clean = np.repeat([False, True], [len(X), len(X_clean)])
            X, codes = np.concatenate([X, X_clean]), np.concatenate([codes, clean_codes])
        objective = noisy_label_objective(np.eye(K) if Q is None else Q, clean=clean)
        trees = clone(self._template()).set_params(objective=objective)
        if type(trees).__module__.startswith("lightgbm"):
            # Of few samples the filter leaves no column, and a custom objective then ends in a failed check.
            trees.set_params(feature_pre_filter=False)
            if not (X[:1] != X).any():
                raise InputError(f"X must have a column whose values differ; all {len(X):,} rows are alike.")
        return Boosted(trees.fit(X, codes))

    def _fit_all(
        self, X: Array, codes: Codes, X_clean: Any, clean_codes: Any, generator: np.random.RandomState
    ) -> None:
        boosted = self._fit_through(X, codes, self.noise_matrix_, X_clean, clean_codes, generator)
        self._predict = boosted
        self.estimator_ = boosted.trees


class Boosted:
    """Trained trees as a function from inputs to probabilities of the true classes."""

    def __init__(self, trees: Any) -> None:
        self.trees = trees

    def __call__(self, X: Array) -> Floats:
        """p(true class | x), shape (N, K)."""
        # The boosters themselves: LightGBM's classifier warns of what is intended here.
        if hasattr(self.trees, "booster_"):
            return class_probabilities(self.trees.booster_.predict(X, raw_score=True))
        return class_probabilities(self.trees.predict(X, output_margin=True))

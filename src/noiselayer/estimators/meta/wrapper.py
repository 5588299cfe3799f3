"""What the estimators around another estimator share: checks, where the noise matrix comes from, predictions."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from noiselayer.arrays.kinds import check_count
from noiselayer.audit import AuditResult
from noiselayer.errors import InputError, as_input_errors
from noiselayer.estimation.from_confusions import estimate_from_predictions
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimators.arguments import as_matrix, codes_of, plain_labels
from noiselayer.estimators.audited import audited, check_audit_options
from noiselayer.estimators.feature_inputs import stacked
from noiselayer.estimators.meta.fold_predictions import (
    Array,
    Codes,
    Floats,
    FoldPredictions,
    Predict,
    fold_numbers,
    predict_folds,
)
from noiselayer.estimators.meta.rounds import learn_noise_matrix
from noiselayer.estimators.true_classes import TrueClassesMixin, check_pair
from noiselayer.noise.matrices import check
from noiselayer.noise.possible import check_possible


class NoisyLabelWrapper(MetaEstimatorMixin, TrueClassesMixin, ABC):  # type: ignore[misc]
    """Trains another estimator through a noise matrix, given, measured or learned; ``_fit_through`` says how."""

    estimator: Any
    noise_matrix: Any
    cv: int
    rounds: int
    random_state: Any
    _predict: Predict

    def fit(self, X: Any, y: Any, *, X_clean: Any = None, y_clean: Any = None) -> Any:
        """Train on noisy labels; where some can be trusted, the noise matrix is measured with them.

        Args:
            X: Shape (N, D), numbers; NaN where the estimator takes it.
            y: Shape (N,), the noisy labels, of any type that sorts.
            X_clean: Samples like X whose labels can be trusted. They serve the measuring, and are trained on
                with the others as labels without noise are: through the identity.
            y_clean: Their labels, each among those of y; there must be some of every class.

        Raises:
            ValueError: If X or y is unfit, a parameter is out of range, ``noise_matrix`` does not suit the
                classes or calls a label of y impossible, or clean samples come although it is given.
        """
        self._fit_all(*self._with_matrix(X, y, X_clean, y_clean))
        del self._noisy_probs
        return self

    def _with_matrix(self, X: Any, y: Any, X_clean: Any, y_clean: Any) -> tuple[Any, ...]:
        """Check everything and find ``noise_matrix_``; what is left to do is to train through it."""
        X, y = validate_data(
            self, stacked(X), plain_labels(y), dtype=np.float64, ensure_all_finite=self._finite()
        )
        codes = self._codes(y)
        self._check_parameters()
        check_pair(X_clean, y_clean)
        generator = check_random_state(self.random_state)
        self.rounds_: list[dict[str, Any]] = []
        self.estimate_: NoiseEstimate | None = None
        self._noisy_probs: Floats | None = None
        if self.noise_matrix is not None:
            if X_clean is not None:
                raise InputError(
                    "X_clean serves to measure the noise matrix, but noise_matrix is given. Leave one of the "
                    "two out."
                )
            Q = as_matrix(self.noise_matrix)
            assert Q is not None
            with as_input_errors():
                check_possible(
                    check(Q, num_classes=len(self.classes_)),
                    torch.from_numpy(codes),
                    class_names=self._class_names(),
                )
            self.noise_matrix_: Floats = Q.double().numpy()
        elif X_clean is not None:
            X_clean, y_clean = self._clean(X_clean, y_clean)
            self.noise_matrix_ = self._measured(X, codes, X_clean, y_clean, generator)
        else:
            self.noise_matrix_ = self._learned(X, codes, generator)
        return X, codes, X_clean, y_clean, generator

    def audit(
        self, X: Any, y: Any, *, X_clean: Any = None, y_clean: Any = None, **options: Any
    ) -> AuditResult:
        """Find the labels in y that are wrong; every one is judged by a copy that has not seen it.

        The noise matrix is found as ``fit`` does; then ``cv`` copies are trained through it. The estimator stays
        as it is, fitted or not. A matrix that is learned or measured counts as exact in the intervals, unless
        ``estimate_`` knows its error. One that is learned is left where the labels of neighbours in X contradict it,
        see :func:`noiselayer.audit.neighbours.mixed_with_neighbours`.

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
        copy = clone(self)
        X, codes, _, _, generator = copy._with_matrix(X, y, X_clean, y_clean)
        probs = copy._out_of_fold(X, codes, copy.noise_matrix_, generator).probs
        learned = copy.noise_matrix is None and copy.estimate_ is None
        return audited(
            torch.from_numpy(codes),
            torch.from_numpy(probs),
            torch.from_numpy(copy.noise_matrix_),
            learned_from=torch.from_numpy(X) if learned else None,
            standard_error=None if copy.estimate_ is None else copy.estimate_.standard_error,
            class_names=copy._class_names(),
            **options,
        )

    def predict_proba(self, X: Any) -> Floats:
        """p(true class | x), shape (N, K), columns as in ``classes_``; never through the noise matrix."""
        check_is_fitted(self)
        X = validate_data(self, stacked(X), reset=False, dtype=np.float64, ensure_all_finite=self._finite())
        return self._predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = isinstance(self._finite(), str)
        return tags

    # What subclasses say.

    def _template(self) -> Any:
        """The estimator that is copied and trained."""
        return self.estimator

    def _check_parameters(self) -> None:
        for name, least in (("cv", 2), ("rounds", 1)):
            check_count(getattr(self, name), name, least)

    @abstractmethod
    def _fit_through(
        self,
        X: Array,
        codes: Codes,
        Q: Floats | None,
        X_clean: Array | None,
        clean_codes: Codes | None,
        generator: np.random.RandomState,
    ) -> Predict:
        """Train a copy through Q, or plainly if None, and return what predicts the true classes."""

    @abstractmethod
    def _fit_all(
        self, X: Array, codes: Codes, X_clean: Any, clean_codes: Any, generator: np.random.RandomState
    ) -> None:
        """Train on everything through ``noise_matrix_``, and keep ``_predict`` and ``estimator_``."""

    # Where the noise matrix comes from.

    def _out_of_fold(
        self, X: Array, codes: Codes, Q: Floats | None, generator: np.random.RandomState
    ) -> FoldPredictions:
        state = generator.randint(2**31 - 1)
        fold_of = fold_numbers(codes, self.cv, np.random.RandomState(state))
        predictions = predict_folds(
            X,
            codes,
            len(self.classes_),
            fold_of,
            lambda X, codes, rows: self._fit_through(X, codes, Q, None, None, np.random.RandomState(state)),
        )
        if Q is None:
            self._noisy_probs = predictions.probs
        return predictions

    def _learned(self, X: Array, codes: Codes, generator: np.random.RandomState) -> Floats:
        learned = learn_noise_matrix(
            X,
            codes,
            len(self.classes_),
            lambda Q: self._out_of_fold(X, codes, Q, generator),
            rounds=self.rounds,
            generator=generator,
        )
        if learned.warning:
            warnings.warn(learned.warning, stacklevel=4)
        self.rounds_ = [vars(found) for found in learned.rounds]
        return learned.noise_matrix

    def _measured(
        self, X: Array, codes: Codes, X_clean: Array, y_clean: Codes, generator: np.random.RandomState
    ) -> Floats:
        predicted = self._out_of_fold(X, codes, None, generator)
        estimate = estimate_from_predictions(
            torch.from_numpy(predicted.mean(X_clean)),
            torch.from_numpy(y_clean),
            torch.from_numpy(predicted.probs),
            torch.from_numpy(codes),
            num_bootstrap=0,
        )
        self.estimate_ = estimate
        measured: Floats = estimate.noise_matrix.double().numpy()
        return measured

    def _clean(self, X_clean: Any, y_clean: Any) -> tuple[Array, Codes]:
        X, y = validate_data(
            self,
            stacked(X_clean),
            plain_labels(y_clean, "y_clean"),
            reset=False,
            dtype=np.float64,
            ensure_all_finite=self._finite(),
        )
        codes = codes_of(y, self.classes_).numpy()
        missing = set(range(len(self.classes_))) - set(codes.tolist())
        if missing:
            raise InputError(
                f"y_clean must hold every class; {self.classes_.tolist()[min(missing)]!r} is missing. Check some "
                "samples of it."
            )
        return X, codes

    def _finite(self) -> bool | str:
        return "allow-nan" if get_tags(self._template()).input_tags.allow_nan else True

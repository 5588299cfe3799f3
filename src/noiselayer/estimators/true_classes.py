"""What all classifiers here share: labels that sort in, true classes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from noiselayer.data.labels import warn_of_near_duplicates
from noiselayer.errors import InputError


class TrueClassesMixin(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predictions of classifiers that have ``predict_proba`` of the true classes and a ``noise_matrix_``."""

    classes_: npt.NDArray[Any]
    noise_matrix_: npt.NDArray[np.float64]

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable true class of every sample, shape (N,), in the labels' own type."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        classes: npt.NDArray[Any] = self.classes_[likeliest]
        return classes

    def noisy_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """p(noisy label | x), shape (N, K): what the annotators would say, through the noise matrix."""
        noisy: npt.NDArray[np.float64] = self.predict_proba(X) @ self.noise_matrix_.T
        return noisy

    def _codes(self, y: Any) -> npt.NDArray[np.int64]:
        """Find ``classes_``; the labels as positions in them, shape (N,)."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"all {len(y):,} labels in y are of one class, {self.classes_.tolist()[0]!r}; a classifier "
                "needs at least two."
            )
        warn_of_near_duplicates([label for label in self.classes_.tolist() if isinstance(label, str)])
        return codes.astype(np.int64)

    def _class_names(self) -> tuple[str, ...]:
        return tuple(map(str, self.classes_.tolist()))


def check_pair(X_clean: Any, y_clean: Any) -> None:
    """Raise an error if trusted samples come without labels, or labels without samples."""
    if (X_clean is None) != (y_clean is None):
        raise InputError("X_clean and y_clean must be given together: samples and their trusted labels.")

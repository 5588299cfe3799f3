"""The loss of noisy labels as a metric of boosted trees, for early stopping."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.estimators.boosting.margins import Array, matrix_of, scored
from noiselayer.losses.log_space import noisy_nll

Library = Literal["lightgbm", "xgboost"]


def noisy_label_metric(
    noise_matrix: npt.ArrayLike | Tensor, library: Library = "lightgbm"
) -> NoisyLabelMetric:
    r"""The mean loss of noisy labels, for early stopping: what held-out labels say of the margins, through Q.

    .. math:: -\frac{1}{N} \sum_n \log \sum_i Q_{\tilde y_n i}\, p_{ni}

    The libraries' own metrics would compare true classes, which is what the margins are of, with labels that are
    wrong, and LightGBM's take raw scores for probabilities besides: early stopping, which heeds every metric,
    then ends after a few trees. Beside :func:`noisy_label_objective`, as LightGBM's ``eval_metric=`` or ``feval=``
    with ``metric="none"`` among the booster's parameters, or as XGBoost's ``eval_metric=`` or
    ``custom_metric=``.

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        library: Whose metric it shall be; they disagree about what one returns.

    Raises:
        ValueError: If ``noise_matrix`` is not one, or the library is another.

    >>> metric = noisy_label_metric([[0.8, 0.4], [0.2, 0.6]])
    >>> name, value, higher_is_better = metric(np.array([0, 1]), np.array([0.0, 0.0]))
    >>> name, round(value, 4), higher_is_better
    ('noisy_label_loss', 0.7136, False)
    """
    return NoisyLabelMetric(noise_matrix, library)


class NoisyLabelMetric:
    """What :func:`noisy_label_metric` returns: a noise matrix that is called as a metric.

    >>> NoisyLabelMetric([[0.8, 0.4], [0.2, 0.6]], "xgboost")
    NoisyLabelMetric(2 classes, library='xgboost')
    """

    __name__ = "noisy_label_loss"  # XGBoost's classifier shows it

    def __init__(self, noise_matrix: npt.ArrayLike | Tensor, library: Library = "lightgbm") -> None:
        if library not in ("lightgbm", "xgboost"):
            raise InputError(f"library must be 'lightgbm' or 'xgboost'; got {library!r}.")
        self.noise_matrix = torch.from_numpy(matrix_of(noise_matrix))
        self.library = library

    def __call__(self, first: Any, second: Any, sample_weight: Array | None = None) -> Any:
        """The loss of ``(labels, margins)``, or natively of ``(margins, Dataset or DMatrix)``."""
        labels, z, weight, _ = scored(first, second, sample_weight, num_classes=len(self.noise_matrix))
        losses = noisy_nll(torch.from_numpy(z), torch.from_numpy(labels), self.noise_matrix).numpy()
        value = float(np.average(losses, weights=weight))
        if self.library == "lightgbm":
            return self.__name__, value, False
        return (self.__name__, value) if hasattr(second, "get_label") else value

    def __repr__(self) -> str:
        return f"NoisyLabelMetric({len(self.noise_matrix)} classes, library={self.library!r})"

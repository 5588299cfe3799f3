r"""The loss of noisy labels as an objective of boosted trees: gradient and curvature per sample and class.

With z a sample's margins, p = softmax(z) and :math:`\pi_i = Q_{\tilde y i}\, p_i / \sum_k Q_{\tilde y k}\, p_k`,

.. math:: \frac{\partial \ell}{\partial z_i} = p_i - \pi_i, \qquad
          \nabla^2 \ell = (\mathrm{diag}\, p - p p^\top) - (\mathrm{diag}\, \pi - \pi \pi^\top).

The second term makes the loss non-convex: where it wins, a Newton step would go uphill. Boosting therefore gets the
first term alone, a bound from above (the second is positive semidefinite), and of it a diagonal bound: by Gershgorin
:math:`\mathrm{diag}\, p - p p^\top \preceq 2\, \mathrm{diag}\, p_i (1 - p_i)`, for the rows of the difference are
diagonally dominant. Each step so minimises a majorant, as expectation-maximisation does, and with Q = I gradient and
curvature are those of XGBoost's multi-class boosting; LightGBM's curvature has K / (K - 1) where the 2 stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.estimators.boosting.margins import Array, Floats, log_softmax, matrix_of, scored
from noiselayer.noise.posterior import bayes

SMALLEST_CURVATURE = 1e-16
"""What XGBoost gives a class that is certain: a leaf's value divides by a sum of these."""


def noisy_label_objective(
    noise_matrix: npt.ArrayLike | Tensor, *, clean: npt.ArrayLike | None = None
) -> NoisyLabelObjective:
    r"""The objective of XGBoost and LightGBM that takes labels as noisy: boosting then learns the true classes.

    .. math:: g_i = p_i - \frac{Q_{\tilde y i}\, p_i}{\sum_k Q_{\tilde y k}\, p_k}, \qquad h_i = 2\, p_i (1 - p_i)

    One object for four interfaces: ``LGBMClassifier(objective=...)`` and ``XGBClassifier(objective=...)``,
    and the libraries' own ``train``, LightGBM's under ``params["objective"]``, XGBoost's as ``obj=``.
    Labels must be 0..K-1; of the classifiers ``LGBMClassifier`` alone numbers classes of other types, in
    sorted order. Sample weights are honoured. Where LightGBM stops early, say ``metric="none"`` and give it
    :func:`noisy_label_metric`: its own metrics take the raw scores for probabilities. For two classes the
    libraries boost one margin, that of class 1, and h is p (1 - p); for more, a margin per class, and the
    native interfaces need ``num_class``.

    The margins are those of the *true* classes. ``XGBClassifier`` predicts with them as it always does;
    LightGBM returns them raw under any custom objective: :func:`class_probabilities` finishes the work.
    :class:`NoisyLabelBoostingClassifier` does so by itself, and learns a matrix that is not known.

    Args:
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns
            sum to 1.
        clean: Shape (N,), true where a label can be trusted, in the order of the training samples: there the
            identity stands for the matrix. None trusts no label.

    Returns:
        A callable that can be pickled and copied, with the arguments of either library.

    Raises:
        ValueError: If ``noise_matrix`` is not one; later, from within the library, if margins or labels do not
            suit it.

    >>> objective = noisy_label_objective([[0.8, 0.4], [0.2, 0.6]])
    >>> gradient, curvature = objective(np.array([0, 1]), np.array([0.0, 0.0]))  # labels, margins of class 1
    >>> gradient.round(3).tolist(), curvature.tolist()
    ([0.167, -0.25], [0.25, 0.25])
    """
    return NoisyLabelObjective(noise_matrix, clean=clean)


class NoisyLabelObjective:
    """What :func:`noisy_label_objective` returns: a noise matrix that is called as an objective.

    >>> NoisyLabelObjective([[0.8, 0.4], [0.2, 0.6]])
    NoisyLabelObjective(2 classes)
    """

    def __init__(self, noise_matrix: npt.ArrayLike | Tensor, *, clean: npt.ArrayLike | None = None) -> None:
        self.noise_matrix: Floats = matrix_of(noise_matrix)
        self.clean = None if clean is None else np.asarray(clean, dtype=bool)

    def __call__(self, first: Any, second: Any, sample_weight: Array | None = None) -> tuple[Floats, Floats]:
        """Gradient and curvature: of ``(labels, margins)``, or natively of ``(margins, Dataset or DMatrix)``."""
        Q = self.noise_matrix
        labels, z, weight, single = scored(first, second, sample_weight, num_classes=len(Q))
        rows = Q[labels]  # p(noisy label | true = i) of every sample
        if self.clean is not None:
            if self.clean.shape != labels.shape:
                raise InputError(
                    f"clean must have shape {labels.shape}, one per training sample; got {self.clean.shape}."
                )
            rows[self.clean] = np.eye(len(Q))[labels[self.clean]]
        log_p = log_softmax(z)
        p = np.exp(log_p)
        with np.errstate(divide="ignore"):
            log_joint = np.log(rows) + log_p
        # Where the label is impossible the posterior is p: no gradient.
        gradient = p - bayes(torch.from_numpy(log_joint), torch.from_numpy(p)).numpy()
        curvature = np.maximum((1.0 if single else 2.0) * p * (1.0 - p), SMALLEST_CURVATURE)
        if weight is not None:
            gradient *= weight[:, None]
            curvature *= weight[:, None]
        return (gradient[:, 1], curvature[:, 1]) if single else (gradient, curvature)

    def __repr__(self) -> str:
        return f"NoisyLabelObjective({len(self.noise_matrix)} classes)"

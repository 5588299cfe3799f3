"""Margins, the raw scores of boosted trees: what the libraries hand over, checked, and as probabilities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from noiselayer.arrays.kinds import shown
from noiselayer.errors import InputError
from noiselayer.estimators.arguments import as_matrix
from noiselayer.noise.matrices import check

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def class_probabilities(margins: npt.ArrayLike) -> Floats:
    """The probabilities of the true classes from raw margins, shape (N, K).

    What LightGBM returns under a custom objective: ``predict_proba`` of its classifier, ``predict`` of its
    booster; of XGBoost's, ``predict(..., output_margin=True)``.

    Args:
        margins: Shape (N, K), or (N,) for two classes: the margin of class 1.

    Raises:
        ValueError: If they have another shape, or are no finite numbers.

    >>> class_probabilities([0.0, 2.0]).round(3).tolist()
    [[0.5, 0.5], [0.119, 0.881]]
    >>> class_probabilities([[0.0, 0.0, np.log(2.0)]]).tolist()
    [[0.25, 0.25, 0.5]]
    """
    z = np.asarray(margins, dtype=np.float64)
    if z.ndim not in (1, 2) or (z.ndim == 2 and z.shape[1] < 2):
        raise InputError(
            f"margins must have shape (N, K), or (N,) for two classes; got {z.shape}. Give the raw scores, "
            "one column per class."
        )
    if not np.isfinite(z).all():
        raise InputError("margins must be finite numbers; they hold NaN or infinity.")
    probs: Floats = np.exp(log_softmax(_columns(z)))
    return probs


def matrix_of(noise_matrix: npt.ArrayLike | Tensor) -> Floats:
    """A noise matrix in any form as a checked array of double precision."""
    Q = as_matrix(noise_matrix)
    if Q is None:
        raise InputError("noise_matrix must be given: shape (K, K), columns = true classes; got None.")
    matrix: Floats = check(Q).double().numpy()
    return matrix


class Scored(NamedTuple):
    """Samples as a boosting library shows them; ``single``: two classes share one margin."""

    labels: npt.NDArray[np.int64]
    logits: Floats
    weight: Floats | None
    single: bool


def scored(first: Any, second: Any, sample_weight: Array | None, *, num_classes: int) -> Scored:
    """Tell the two orders of arguments, (labels, margins) and (margins, data set), apart and check what came.

    A data set of LightGBM or XGBoost has its own labels and weights.

    >>> scored(np.array([0.0, 1.0]), np.array([-1.0, 1.0]), None, num_classes=2).logits.tolist()
    [[0.0, -1.0], [0.0, 1.0]]
    """
    if hasattr(second, "get_label"):
        margins, labels, sample_weight = first, second.get_label(), second.get_weight()
    else:
        labels, margins = first, second
    z, given = _numbers(margins, "margins").astype(np.float64), _numbers(labels, "labels")
    N, K = len(given), num_classes
    single = z.ndim == 1 and K == 2
    if z.shape != (N, K) and not (single and len(z) == N):
        raise InputError(
            f"noise_matrix is {K} x {K}, but the margins of {N:,} samples have shape {z.shape}, not {(N, K)}"
            f"{' or ' + str((N,)) if K == 2 else ''}. Give a matrix with a column for every class, and the "
            f"native interfaces num_class={K}."
        )
    codes = given.astype(np.int64)
    if not (np.array_equal(codes, given) and (codes >= 0).all() and (codes < K).all()):
        odd = given[(codes != given) | (codes < 0) | (codes >= K)][0]
        raise InputError(
            f"labels must be classes 0..{K - 1}, those of noise_matrix; got {odd}. Number them first, in the "
            "order of the matrix."
        )
    weight = None
    if sample_weight is not None and len(sample_weight):  # XGBoost's data sets without weights have none
        weight = np.asarray(sample_weight, dtype=np.float64)
    return Scored(codes, _columns(z), weight, single)


def _numbers(values: Any, name: str) -> Array:
    try:
        array = np.asarray(values) if not hasattr(values, "toarray") else np.empty(0, dtype=object)
        if array.dtype == object:  # a column of mixed types may hold numbers alone
            array = np.asarray(array.tolist())
    except ValueError:  # lists of different lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise TypeError(
            f"{name} must be an array of numbers, an entry or a row per sample; got {shown(values)}."
        )
    return array


def log_softmax(z: Floats) -> Floats:
    """Logarithms of the softmax of every row.

    >>> log_softmax(np.array([[0.0, 1e4]])).tolist()
    [[-10000.0, 0.0]]
    """
    z = z - z.max(axis=1, keepdims=True)
    result: Floats = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return result


def _columns(z: Floats) -> Floats:
    """One margin for two classes is that of class 1 against a 0 for class 0."""
    return z if z.ndim == 2 else np.stack([np.zeros_like(z), z], axis=1)

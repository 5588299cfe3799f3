"""cleanlab's matrices and probabilities, in and out.

cleanlab's ``noise_matrix`` is oriented as ours: ``noise_matrix[s][y] = P(label = s | true = y)``, columns are true
classes and sum to 1. Its ``confident_joint`` and joint have the same rows and columns, given labels and true classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.noise.matrices import check


def noise_matrix_from_cleanlab(noise_matrix: npt.ArrayLike) -> Tensor:
    """A noise matrix from cleanlab's, shape (K, K), float64; the orientation is the same and is checked.

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1: what
            ``estimate_noise_matrices`` returns first. Its second result, the inverse, is another matrix.

    Raises:
        ValueError: If it is not a noise matrix; of one whose rows sum to 1, the message says so.

    >>> noise_matrix_from_cleanlab([[0.9, 0.4], [0.1, 0.6]])
    tensor([[0.9000, 0.4000],
            [0.1000, 0.6000]], dtype=torch.float64)
    """
    matrix: Tensor = check(torch.from_numpy(np.array(noise_matrix, dtype=np.float64)))
    return matrix


def noise_matrix_to_cleanlab(noise_matrix: Tensor) -> npt.NDArray[np.float64]:
    """A noise matrix as cleanlab takes it: a float64 array whose columns sum to 1 exactly.

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Raises:
        ValueError: If it is not a noise matrix.

    >>> noise_matrix_to_cleanlab(torch.tensor([[0.75, 0.5], [0.25, 0.5]])).tolist()
    [[0.75, 0.5], [0.25, 0.5]]
    """
    Q = check(noise_matrix).detach().cpu().double().numpy()
    columns: npt.NDArray[np.float64] = Q / Q.sum(axis=0)
    return columns


def noise_matrix_from_joint(joint: npt.ArrayLike) -> Tensor:
    r"""The noise matrix behind a joint of given and true labels, shape (K, K), float64.

    .. math:: Q_{ji} = J_{ji} / \sum_k J_{ki}

    Args:
        joint: Shape (K, K), counts or probabilities: rows are given labels, columns true classes, as in
            cleanlab's ``confident_joint`` and ``estimate_joint``.

    Raises:
        InputError: If it is no such matrix, or a class has no mass: nobody knows how that class is labelled.

    >>> noise_matrix_from_joint([[45, 10], [5, 40]])
    tensor([[0.9000, 0.2000],
            [0.1000, 0.8000]], dtype=torch.float64)
    """
    J = np.array(joint, dtype=np.float64)
    if J.ndim != 2 or J.shape[0] != J.shape[1] or len(J) < 2:
        raise InputError(f"joint must have shape (K, K), K at least 2; got {J.shape}.")
    if not np.isfinite(J).all() or (J < 0).any():
        raise InputError("joint must hold counts or probabilities, none of them negative or missing.")
    empty = np.flatnonzero(J.sum(axis=0) == 0)
    if len(empty):
        raise InputError(
            f"joint has no mass in column {empty[0]}: nothing says how true class {empty[0]} is labelled. Leave the "
            "class out, or set its column by hand. (Columns are true classes, rows given labels.)"
        )
    Q: Tensor = torch.from_numpy(J / J.sum(axis=0))
    return Q


def joint_from_noise_matrix(noise_matrix: Tensor, class_prior: Tensor) -> npt.NDArray[np.float64]:
    r"""The joint of given and true labels, shape (K, K), sums to 1: rows given labels, columns true classes.

    .. math:: J_{ji} = Q_{ji}\, p(y^* = i)

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        class_prior: Shape (K,), the shares of the true classes.

    Raises:
        ValueError: If ``noise_matrix`` is not one.
        InputError: If ``class_prior`` is no distribution over its classes.

    >>> joint_from_noise_matrix(torch.tensor([[0.75, 0.5], [0.25, 0.5]]), torch.tensor([0.5, 0.5])).tolist()
    [[0.375, 0.25], [0.125, 0.25]]
    """
    Q = noise_matrix_to_cleanlab(noise_matrix)
    prior = class_prior.detach().cpu().double().numpy()
    if prior.shape != (len(Q),) or (prior < 0).any() or not abs(prior.sum() - 1) < 1e-6:
        raise InputError(
            f"class_prior must be {len(Q)} shares that sum to 1, one per true class; got shape {prior.shape}, sum "
            f"{float(prior.sum()):.4g}."
        )
    joint: npt.NDArray[np.float64] = Q * prior
    return joint


def given_label_probs(probs: Any, noise_matrix: Tensor) -> npt.NDArray[np.float64]:
    r"""What cleanlab calls ``pred_probs``, p(given label = j | x), from probabilities of the true classes.

    .. math:: p(\tilde y = j \mid x) = \sum_i Q_{ji}\, p(y^* = i \mid x)

    cleanlab compares the given labels with a model that was trained to repeat them; a network trained through a
    noise matrix predicts true classes instead. Its probabilities must be of samples that it has not seen.

    Args:
        probs: Shape (N, K), probabilities of the true classes, columns in the order of the classes.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Returns:
        Shape (N, K), float64; rows sum to 1.

    Raises:
        ValueError: If ``noise_matrix`` is not one.
        InputError: If ``probs`` have another number of classes or no rows that sum to 1.

    >>> given_label_probs([[1.0, 0.0]], torch.tensor([[0.75, 0.5], [0.25, 0.5]])).tolist()
    [[0.75, 0.25]]
    """
    Q = noise_matrix_to_cleanlab(noise_matrix)
    values = probs.detach().cpu().numpy() if isinstance(probs, Tensor) else probs
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != len(Q):
        raise InputError(f"probs must have shape (N, {len(Q)}), a column per class; got {p.shape}.")
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise InputError("probs must be probabilities, rows that sum to 1; give softmax(logits), not logits.")
    seen = (p / p.sum(axis=1, keepdims=True)) @ Q.T
    given: npt.NDArray[np.float64] = seen / seen.sum(axis=1, keepdims=True)
    return given

"""How small an honest loss on noisy labels can be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor
from noiselayer.noise.matrices import check


def noise_floor(noise_matrix: Any, class_prior: Any = None) -> float:
    r"""The smallest mean loss on noisy labels that a network reaches without memorising them, in nats.

    .. math:: F = -\sum_i p(y^* = i) \sum_j q_{ji} \log q_{ji}

    It is the entropy of the noisy label of a sample whose true class is known: what the noise layer leaves
    to chance. A network that predicts every true class with certainty has this loss on average; one whose
    *training* loss lies below memorises labels. In §3.4's terms: stop, or start again with the matrix found.

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        class_prior: Shape (K,), p(true = i), sums to 1; all classes alike if None.

    Returns:
        F in nats, the unit of ``cross_entropy``; between 0 (labels all right) and log K.

    Raises:
        TypeError: If an argument is not a floating-point tensor.
        ValueError: If ``noise_matrix`` is not one or ``class_prior`` no distribution over its classes.

    >>> from noiselayer.noise import pair_flip, symmetric
    >>> round(noise_floor(symmetric(10, 0.5)), 3), round(noise_floor(pair_flip(10, 0.45)), 3)
    (1.792, 0.688)
    """
    return information_moments(noise_matrix, class_prior)[0]


def check_prior(class_prior: Any, num_classes: int) -> Tensor:
    """``class_prior`` in float64 on the CPU if it is a distribution over the classes, else an error.

    >>> check_prior(torch.tensor([0.5, 0.6]), 2)
    Traceback (most recent call last):
    ...
    ValueError: class_prior must be 2 probabilities that sum to 1; they sum to 1.1.
    """
    class_prior = as_tensor(class_prior, "class_prior")
    if not class_prior.is_floating_point():
        raise TypeError(
            f"class_prior must be a floating-point tensor; got {class_prior.dtype}. Divide counts by their sum."
        )
    if class_prior.shape != (num_classes,):
        raise ValueError(
            f"class_prior must have shape ({num_classes},), one share per class; got "
            f"{tuple(class_prior.shape)}."
        )
    prior: Tensor = class_prior.detach().cpu().double()
    total = float(prior.sum())
    if not bool((prior >= 0).all()) or not abs(total - 1) < 1e-3:
        raise ValueError(
            f"class_prior must be {num_classes} probabilities that sum to 1; they sum to {total:.4g}."
        )
    return prior / total


def information_moments(noise_matrix: Any, class_prior: Any) -> tuple[float, float]:
    """Mean and variance of -log q over noisy labels of known true classes, in nats and their squares.

    >>> information_moments(torch.tensor([[0.5, 0.5], [0.5, 0.5]]), None)
    (0.6931..., 0.0)
    """
    Q = check(as_tensor(noise_matrix, "noise_matrix")).detach().cpu().double()  # MPS has no float64
    K = len(Q)
    prior = Q.new_full((K,), 1 / K) if class_prior is None else check_prior(class_prior, K)
    information = -torch.where(Q > 0, Q, 1.0).log()  # -log q, and 0 for what never happens
    mean = float(((Q * information).sum(dim=0) * prior).sum())
    square = float(((Q * information.square()).sum(dim=0) * prior).sum())
    return mean, max(square - mean**2, 0.0)

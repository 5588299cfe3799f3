"""Make and check noise matrices.

A noise matrix ``Q`` holds ``Q[j, i] = p(noisy label = j | true label = i)``: **a column per true class, every
column sums to 1**. The transition matrix ``T`` of much of the literature is its transpose; turn one into the
other with :func:`from_transition_matrix`, nothing here does it silently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, overload

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_count, check_number
from noiselayer.arrays.tensors import as_tensor, in_kind


def identity(num_classes: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """The noise matrix of labels that are all right: ``Q = I``, shape (K, K).

    >>> identity(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check_num_classes(num_classes)
    return torch.eye(num_classes, dtype=dtype)


def symmetric(num_classes: int, rate: float, *, dtype: torch.dtype | None = None) -> Tensor:
    """Noise that turns a label into each of the other K - 1 classes equally often, shape (K, K).

    Args:
        num_classes: K, at least 2.
        rate: The probability that a label is wrong, in [0, 1]. The true class is never redrawn, so the
            diagonal is exactly ``1 - rate``. (Part of the literature redraws among all K classes; its rate
            ``e`` is ``rate = e * (K - 1) / K`` here.)
        dtype: Of the result; torch's default if None.

    Raises:
        ValueError: If ``num_classes`` or ``rate`` is out of range.

    >>> symmetric(3, 0.4)
    tensor([[0.6000, 0.2000, 0.2000],
            [0.2000, 0.6000, 0.2000],
            [0.2000, 0.2000, 0.6000]])
    """
    _check_num_classes(num_classes)
    _check_rate(rate)
    Q = torch.full((num_classes, num_classes), rate / (num_classes - 1), dtype=dtype)
    return Q.fill_diagonal_(1 - rate)


def pair_flip(num_classes: int, rate: float, *, dtype: torch.dtype | None = None) -> Tensor:
    """Noise that turns class i into class i + 1 (the last into the first), shape (K, K).

    Args:
        num_classes: K, at least 2.
        rate: The probability that a label is wrong, in [0, 1].
        dtype: Of the result; torch's default if None.

    Raises:
        ValueError: If ``num_classes`` or ``rate`` is out of range.

    >>> pair_flip(3, 0.25)
    tensor([[0.7500, 0.0000, 0.2500],
            [0.2500, 0.7500, 0.0000],
            [0.0000, 0.2500, 0.7500]])
    """
    return class_map(num_classes, {i: (i + 1) % num_classes for i in range(num_classes)}, rate, dtype=dtype)


def class_map(
    num_classes: int, mapping: Mapping[int, int], rate: float, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Noise that turns each source class of ``mapping`` into its target; all other labels are right.

    Args:
        num_classes: K, at least 2.
        mapping: True class -> the class it is mistaken for, both in 0..K-1 and different.
        rate: The probability that a label of a source class is wrong, in [0, 1].
        dtype: Of the result; torch's default if None.

    Returns:
        The noise matrix, shape (K, K).

    Raises:
        ValueError: If an argument is out of range or a class is mapped to itself.

    >>> class_map(3, {2: 0}, 0.3)  # three in ten of class 2 carry the label 0
    tensor([[1.0000, 0.0000, 0.3000],
            [0.0000, 1.0000, 0.0000],
            [0.0000, 0.0000, 0.7000]])
    """
    Q = identity(num_classes, dtype=dtype)
    _check_rate(rate)
    for source, target in mapping.items():
        if not (0 <= source < num_classes and 0 <= target < num_classes):
            raise ValueError(f"mapping has {source} -> {target}, but classes go from 0 to {num_classes - 1}.")
        if source == target:
            raise ValueError(
                f"mapping sends class {source} to itself; leave it out to keep its labels right."
            )
        Q[source, source] = 1 - rate
        Q[target, source] = rate
    return Q


def random(
    num_classes: int,
    rate: float,
    *,
    concentration: float = 1.0,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Asymmetric noise: every class has wrong labels of its own, drawn from a Dirichlet distribution (§4.1).

    Args:
        num_classes: K, at least 2.
        rate: The probability that a label is wrong, in [0, 1]; the diagonal is ``1 - rate`` in every column.
        concentration: Of the symmetric Dirichlet distribution that shares ``rate`` among the K - 1 wrong
            classes, greater than 0 and finite. Small: a few wrong classes each; 1: any share is as likely as
            any other; large: close to :func:`symmetric`.
        generator: Makes the matrix reproducible.
        dtype: Of the result; torch's default if None.

    Returns:
        The noise matrix, shape (K, K).

    Raises:
        ValueError: If an argument is out of range.

    >>> Q = random(4, 0.5, generator=torch.Generator().manual_seed(0))
    >>> Q.diagonal()
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    >>> Q.sum(dim=0)
    tensor([1., 1., 1., 1.])
    """
    _check_num_classes(num_classes)
    _check_rate(rate)
    if not 0 < concentration < math.inf:
        raise ValueError(f"concentration must be greater than 0 and finite; got {concentration}.")
    K = num_classes
    # A Dirichlet draw is a normalised vector of gamma draws; torch.distributions takes no generator. A gamma
    # draw of shape a is one of shape a + 1 times u^(1/a): in logarithms it cannot underflow, however small a.
    shape = torch.full((K - 1, K), concentration + 1, dtype=torch.float64)
    log_gammas = torch._standard_gamma(shape, generator=generator).log_()
    log_gammas += (1 - torch.rand(K - 1, K, generator=generator, dtype=torch.float64)).log_() / concentration
    wrong = rate * log_gammas.softmax(dim=0)
    Q = torch.zeros(K, K, dtype=torch.float64)
    Q[~torch.eye(K, dtype=torch.bool)] = wrong.T.reshape(-1)  # row-major: K - 1 draws for each row of Q^T
    Q = Q.T.contiguous()
    Q.fill_diagonal_(1 - rate)
    return Q.to(dtype or torch.get_default_dtype())


def from_transition_matrix(transition_matrix: Any) -> Tensor:
    """The noise matrix of a transition matrix ``T[i, j] = p(noisy = j | true = i)``, whose rows sum to 1.

    Args:
        transition_matrix: Shape (K, K), a row per true class.

    Returns:
        Its transpose, checked, a tensor of shape (K, K): a column per true class.

    Raises:
        ValueError: If the rows do not sum to 1.

    >>> from_transition_matrix(torch.tensor([[0.9, 0.1], [0.3, 0.7]]))
    tensor([[0.9000, 0.3000],
            [0.1000, 0.7000]])
    """
    T = transition_matrix
    if not isinstance(T, Tensor):
        T = as_tensor(T, "transition_matrix")
    if T.ndim == 2 and T.is_floating_point():
        sums = T.detach().sum(dim=1)
        worst = int((sums - 1).abs().argmax()) if sums.numel() else 0
        if sums.numel() and abs(float(sums[worst]) - 1) > rounding(T):
            raise ValueError(
                f"transition_matrix rows must sum to 1 (row = true class); row {worst} sums to "
                f"{float(sums[worst]):.4g}. If columns are true classes it is a noise matrix already."
            )
    return check(T.T.contiguous(), name="transition_matrix (transposed)")


@overload
def check(noise_matrix: Tensor, *, num_classes: int | None = None, name: str = ...) -> Tensor: ...
@overload
def check(noise_matrix: Any, *, num_classes: int | None = None, name: str = ...) -> Any: ...
def check(noise_matrix: Any, *, num_classes: int | None = None, name: str = "noise_matrix") -> Any:
    """Return ``noise_matrix`` if it is one, else say which column is wrong and what to do.

    Args:
        noise_matrix: Shape (K, K), floating point, ``noise_matrix[j, i] = p(noisy = j | true = i)``; a tensor or
            any array-like, by position.
        num_classes: K, if known from elsewhere.
        name: What to call the argument in the message.

    Returns:
        The tensor itself; a NumPy array if it was none.

    Raises:
        TypeError: If it does not hold floating-point numbers.
        ValueError: If it is not square, has the wrong size, entries that are not finite or negative, or a
            column whose sum is not 1.

    >>> check(torch.tensor([[0.9, 0.1], [0.3, 0.7]]))
    Traceback (most recent call last):
    ...
    ValueError: noise_matrix columns must sum to 1; column 0 sums to 1.2. Its rows do: if rows are true
    classes, use noiselayer.noise.from_transition_matrix.
    """
    Q = noise_matrix if isinstance(noise_matrix, Tensor) else as_tensor(noise_matrix, name)
    values = check_entries(Q, name)
    if num_classes is not None and Q.shape[0] != num_classes:
        raise ValueError(f"{name} is {Q.shape[0]} x {Q.shape[0]}, but there are {num_classes} classes.")
    if bool((values < 0).any()):  # however small: the logarithm of -1e-9 is not a number
        j, i = (int(k) for k in (values < 0).nonzero()[0])
        raise ValueError(
            f"{name} holds probabilities; entry [{j}, {i}] is {float(values[j, i]):.4g}. "
            "Use noiselayer.noise.project to find the nearest noise matrix."
        )
    check_sums(
        values,
        name,
        rounding(Q),
        rows_do="if rows are true classes, use noiselayer.noise.from_transition_matrix.",
        else_do="If rows are true classes, use noiselayer.noise.from_transition_matrix; for counts, divide every "
        "column by its sum.",
    )
    return in_kind(Q, noise_matrix)


def check_entries(matrix: Tensor, name: str) -> Tensor:
    """The values of a square, finite, floating-point matrix, in float32 at least; else an error."""
    if not matrix.is_floating_point():
        raise TypeError(
            f"{name} must be a floating-point tensor; got {matrix.dtype}. Use torch.as_tensor(...).float()."
        )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise ValueError(f"{name} must have shape (K, K) with K >= 2; got {tuple(matrix.shape)}.")
    values = matrix.detach().to(torch.promote_types(matrix.dtype, torch.float32))
    if not bool(torch.isfinite(values).all()):
        j, i = (int(k) for k in (~torch.isfinite(values)).nonzero()[0])
        raise ValueError(f"{name} must be finite; entry [{j}, {i}] is {float(values[j, i])}.")
    return values


def check_sums(
    values: Tensor, name: str, tolerance: float, *, rows_do: str, else_do: str, meaning: str = ""
) -> None:
    """Raise unless every column sums to 1, with the advice for a matrix whose rows do, or for another one."""
    sums = values.sum(dim=0)
    worst = int((sums - 1).abs().argmax())
    if abs(float(sums[worst]) - 1) > tolerance:
        transposed = bool(((values.sum(dim=1) - 1).abs() <= tolerance).all())
        raise ValueError(
            f"{name} columns must sum to 1{meaning}; column {worst} sums to {float(sums[worst]):.4g}. "
            + (f"Its rows do: {rows_do}" if transposed else else_do)
        )


def rounding(Q: Tensor) -> float:
    """How far a sum of K rounded numbers may be from 1."""
    return max(1e-4, 4 * torch.finfo(Q.dtype).eps * math.sqrt(Q.shape[0]))


def _check_num_classes(num_classes: int) -> None:
    check_count(num_classes, "num_classes", 2)


def _check_rate(rate: float) -> None:
    check_number(rate, "rate")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is the probability that a label is wrong, from 0 to 1; got {rate}.")

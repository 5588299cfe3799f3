"""The inverse noise matrix under a sparsity prior (§3.2, second half)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from noiselayer.estimation.validate import check_confusion, check_same_classes, like, to_double
from noiselayer.noise.simplex import project

_MOST_ITERATIONS = 20_000
_FORBIDDEN = -1e6  # stands for minus infinity in the projection, which wants finite numbers


def sparse_inverse_noise_matrix(
    clean_confusion: Tensor,
    noisy_confusion: Tensor,
    sparsity: float,
    *,
    refit: bool = True,
    columns: Tensor | None = None,
    start: Tensor | None = None,
    tolerance: float = 1e-10,
) -> Tensor:
    r"""R when clean samples are few: least squares on the simplex, with a prior for sparse noise (Eq. 5).

    .. math:: \min_R \tfrac12 \|C^* R - \tilde C\|^2 + \lambda \sum_{i \ne j} R_{ij},
              \quad R_{ij} \ge 0, \quad \sum_i R_{ij} = 1

    The paper writes :math:`\lambda |R|`, but under its own constraint that norm is K whatever R is, and the
    penalty does nothing. What it means to penalise is the off-diagonal: labels that are wrong in many ways.
    Each column is then a nonnegative lasso, and :math:`\lambda = 0` is plain least squares among probability
    matrices: it coincides with :math:`C^{*-1} \tilde C` wherever that is a probability matrix, and is
    steadier than the projection of it where C* is badly conditioned.

    The penalty also shrinks the entries that it keeps. So with ``refit`` it only chooses which entries of R
    are not zero, and these are fitted again without it (the relaxed lasso of Meinshausen 2007). With
    pair-flip noise of 45 %, ten classes, a classifier of 70 %, 1,000 clean and 50,000 noisy samples the
    relative L1 error of Q is .056 at the best weight without, .028 with it (means of 40 simulations).

    The solver is an accelerated projected gradient with the step 1 / ||C*||^2, restarted column by column; it
    has nothing to tune and does all columns at once.

    Args:
        clean_confusion: Shape (..., K, K), C*: column = given (true) label, row = prediction.
        noisy_confusion: Shape (..., K, K), the same model's on the noisy data, column = noisy label; (..., K, M)
            with ``columns``.
        sparsity: lambda, at least 0. :func:`select_sparsity` chooses it by cross-validation.
        refit: Fit the entries that are left again without the penalty.
        columns: Shape (M,), the noisy labels of the columns of ``noisy_confusion``, where it has only some.
        start: Shape (..., K, M), columns on the simplex close to the answer, which saves time; the diagonal if None.
        tolerance: On the length of a projected gradient step, in probability.

    Returns:
        R, shape (..., K, K) or (..., K, M), ``inverse_noise_matrix[i, j] = p(true = i | noisy = j)``; columns sum to 1.

    Raises:
        ValueError: If a matrix is no confusion matrix, the shapes differ or ``sparsity`` is negative.

    >>> C = torch.tensor([[0.8, 0.3], [0.2, 0.7]], dtype=torch.float64)
    >>> R = torch.tensor([[0.9, 0.4], [0.1, 0.6]], dtype=torch.float64)
    >>> sparse_inverse_noise_matrix(C, C @ R, 0.0)
    tensor([[0.9000, 0.4000],
            [0.1000, 0.6000]], dtype=torch.float64)
    >>> sparse_inverse_noise_matrix(C, C @ R, 0.06)  # the weak entry goes, the strong one is fitted again
    tensor([[1.0000, 0.4000],
            [0.0000, 0.6000]], dtype=torch.float64)
    """
    check_confusion(clean_confusion, name="clean_confusion")
    check_confusion(
        noisy_confusion, name="noisy_confusion", num_columns=None if columns is None else len(columns)
    )
    check_same_classes(clean_confusion, noisy_confusion)
    if not 0 <= sparsity < math.inf:
        raise ValueError(f"sparsity is the weight of a penalty, finite and at least 0; got {sparsity}.")
    C, noisy = to_double(clean_confusion), to_double(noisy_confusion)
    R = solve_columns(C, noisy, sparsity, start=start, columns=columns, tolerance=tolerance)
    if refit and sparsity > 0:
        R = solve_columns(C, noisy, 0.0, start=R, support=R > 0, columns=columns, tolerance=tolerance)
    return like(R, noisy_confusion)


def solve_columns(
    C: Tensor,
    noisy: Tensor,
    sparsity: float,
    *,
    start: Tensor | None = None,
    support: Tensor | None = None,
    columns: Tensor | None = None,
    tolerance: float = 1e-10,
) -> Tensor:
    """What :func:`sparse_inverse_noise_matrix` minimises, by FISTA restarted column by column, unchecked.

    Like the result, ``noisy`` is (..., K, M), the columns to explain, of the classes ``columns`` (M,); ``support`` is
    where R may differ from 0; ``tolerance`` is on the length of a projected gradient step.
    """
    diagonal = torch.eye(noisy.shape[-2], dtype=C.dtype, device=C.device)
    if columns is not None:
        diagonal = diagonal[:, columns]
    gram = C.mT @ C
    step = 1 / _largest_eigenvalue(gram)
    target = C.mT @ noisy - float(sparsity) * (1 - diagonal)  # minus the gradient at R = 0
    R = diagonal.expand_as(target) if start is None else start
    ahead, momentum = R, torch.ones_like(target[..., :1, :])
    tolerance = max(tolerance, 4 * torch.finfo(C.dtype).eps)
    for _ in range(_MOST_ITERATIONS):
        point = ahead + step * (target - gram @ ahead)
        if support is not None:
            point = point.masked_fill_(~support, _FORBIDDEN)
        moved = project(point)
        change = moved - R
        # The fixed points of the projected gradient step are the solutions: its length from `ahead` certifies
        # one.
        if bool((moved - ahead).abs().amax() <= tolerance):
            return moved
        # Momentum that points uphill is dropped (O'Donoghue & Candes 2015): linear convergence, no condition
        # number.
        uphill = ((ahead - moved) * change).sum(-2, keepdim=True) > 0
        momentum = torch.where(uphill, 1.0, momentum)
        following = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = moved + torch.where(uphill, 0.0, (momentum - 1) / following) * change
        R, momentum = moved, following
    return R


def largest_sparsity(C: Tensor, noisy: Tensor, *, columns: Tensor | None = None) -> float:
    """The smallest weight with the answer R = I: in no column is a gradient lower than the diagonal's."""
    if columns is None:
        columns = torch.arange(noisy.shape[-1], device=C.device)
    gradient = C.mT @ (C[..., columns] - noisy)
    own = gradient.gather(-2, columns.expand(*gradient.shape[:-2], 1, -1))
    return max(0.0, float((own - gradient).amax()))


def _largest_eigenvalue(gram: Tensor) -> Tensor:
    """Of matrices without negative entries, shape (..., 1, 1), or a little above it, never below (Collatz 1942)."""
    x = torch.ones_like(gram[..., :1])
    for _ in range(20):
        x = gram @ x
        x = x / x.amax(-2, keepdim=True)
    return (gram @ x / x.clamp_min(torch.finfo(x.dtype).tiny)).amax(-2, keepdim=True)

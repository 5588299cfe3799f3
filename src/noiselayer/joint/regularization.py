"""What pushes a learned noise matrix away from the identity (§3.3), and what each does on the simplex.

Of a matrix per annotator, shape (S, K, K), every penalty is the mean over annotators.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_tensor


def trace_penalty(noise_matrix: Tensor) -> Tensor:
    """tr(Q), the regulariser of Theorem 1, a scalar.

    On the simplex its step moves column i along ``-(e_i - 1/K)``: away from the diagonal, at the same speed
    however small the diagonal has become. Nothing in it stops at the truth; only the likelihood does.

    Args:
        noise_matrix: Shape (K, K) or (S, K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``.

    >>> trace_penalty(torch.tensor([[0.8, 0.4], [0.2, 0.6]]))
    tensor(1.4000)
    """
    return _checked(noise_matrix).diagonal(dim1=-2, dim2=-1).sum(-1).mean()


def weight_decay_penalty(noise_matrix: Tensor) -> Tensor:
    """||Q||^2 / 2, the weight decay that §3.3 uses "in practice" for the trace, a scalar.

    It is another thing: on the simplex its step moves every entry by ``-(q - 1/K)``, towards the uniform
    column, and stops there. Where the trace raises all off-diagonal entries alike, it lowers those above 1/K
    too, and so levels out which wrong labels are frequent.

    Args:
        noise_matrix: Shape (K, K) or (S, K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``.

    >>> weight_decay_penalty(torch.eye(2))
    tensor(1.)
    """
    return _checked(noise_matrix).square().sum((-2, -1)).mean() / 2


def log_volume(noise_matrix: Tensor) -> Tensor:
    """The log of |det Q|, the volume of the simplex that Q's columns span, a scalar (Li et al. 2021).

    0 at the identity, minus infinity when two classes become indistinguishable; its gradient is the inverse
    transpose, so it pulls hardest on columns that are already close together.

    Args:
        noise_matrix: Shape (K, K) or (S, K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``.

    >>> log_volume(torch.tensor([[0.75, 0.25], [0.25, 0.75]])).exp()
    tensor(0.5000)
    """
    Q = _checked(noise_matrix).to(
        torch.promote_types(noise_matrix.dtype, torch.float32)
    )  # no determinants in half
    volume: Tensor = torch.linalg.slogdet(Q).logabsdet.mean()
    return volume


def _checked(noise_matrix: Tensor) -> Tensor:
    """Raise unless it is a square matrix of floating-point numbers, or several."""
    check_tensor(noise_matrix, "noise_matrix")
    shape = noise_matrix.shape
    if not noise_matrix.is_floating_point() or len(shape) not in (2, 3) or shape[-1] != shape[-2]:
        raise ValueError(
            "noise_matrix must hold floating-point numbers in shape (K, K) or (S, K, K); got "
            f"{noise_matrix.dtype} in shape {tuple(shape)}."
        )
    return noise_matrix

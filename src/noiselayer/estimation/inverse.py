"""From two confusion matrices to the noise matrix, in closed form (§3.2, first half)."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.estimation.validate import check_confusion, check_same_classes, like, to_double

_SINGULAR = 1e8  # a condition number: beyond it half of double precision's digits are gone


def inverse_noise_matrix(clean_confusion: Tensor, noisy_confusion: Tensor) -> Tensor:
    r"""What is truly behind every noisy label, from a model's confusions on clean and noisy data (Eq. 3).

    .. math:: C^* R = \tilde C \;\Rightarrow\; R = C^{*-1} \tilde C

    A model confuses noisy samples because it errs (which C* measures) and because their labels are wrong:
    what is left is R. It holds for any model, however poor, whose answers depend on the noise through the
    true class only, so for one that was fitted to neither set.

    The result is raw: measured confusions scatter, so its entries may be negative. Its columns sum to 1.
    :func:`noiselayer.noise.project` takes it to the nearest probability matrix.

    Args:
        clean_confusion: Shape (..., K, K), C*: column = given (true) label, row = prediction.
        noisy_confusion: Shape (..., K, K), C~: the same model's on noisy data, column = noisy label.

    Returns:
        R, shape (..., K, K), ``inverse_noise_matrix[i, j] = p(true = i | noisy = j)``, not projected.

    Raises:
        ValueError: If a matrix is no confusion matrix, the shapes differ, or C* is singular.

    >>> C = torch.tensor([[0.8, 0.3], [0.2, 0.7]], dtype=torch.float64)
    >>> R = torch.tensor([[0.9, 0.4], [0.1, 0.6]], dtype=torch.float64)
    >>> inverse_noise_matrix(C, C @ R)
    tensor([[0.9000, 0.4000],
            [0.1000, 0.6000]], dtype=torch.float64)
    """
    check_confusion(clean_confusion, name="clean_confusion")
    check_confusion(noisy_confusion, name="noisy_confusion")
    check_same_classes(clean_confusion, noisy_confusion)
    C = to_double(clean_confusion)
    if is_singular(C):
        raise ValueError(_singular_message(C))
    return like(torch.linalg.solve(C, to_double(noisy_confusion)), noisy_confusion)


def noise_matrix_from_inverse(
    inverse_noise_matrix: Tensor, noisy_label_frequencies: Tensor, *, floor: float = 1e-6
) -> tuple[Tensor, Tensor]:
    r"""Turn R into Q by Bayes' rule (Eq. 4).

    .. math:: q_{ji} = \frac{r_{ij}\, p(\tilde y = j)}{p(y^* = i)}, \qquad
              p(y^* = i) = \sum_j r_{ij}\, p(\tilde y = j)

    A class that R finds behind no label has p(y* = i) = 0, and its column of Q is 0 / 0. Entries of such a
    row of R are raised to ``floor``, so that the column becomes ``noisy_label_frequencies``: nothing is known
    of it.

    Args:
        inverse_noise_matrix: R, shape (..., K, K), ``[i, j] = p(true = i | noisy = j)``, columns sum to 1.
        noisy_label_frequencies: Shape (..., K), p(noisy = j), sums to 1.
        floor: A row of R is raised to it if the row's mean over noisy labels is below it.

    Returns:
        Q, shape (..., K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1; and p(true =
        i), shape (..., K).

    Raises:
        ValueError: If shapes do not fit, R has negative entries or the frequencies no positive sum.

    >>> R = torch.tensor([[0.9, 0.4], [0.1, 0.6]])
    >>> Q, class_prior = noise_matrix_from_inverse(R, torch.tensor([0.5, 0.5]))
    >>> Q
    tensor([[0.6923, 0.1429],
            [0.3077, 0.8571]])
    >>> class_prior
    tensor([0.6500, 0.3500])
    """
    R, frequencies = inverse_noise_matrix, noisy_label_frequencies
    if R.ndim < 2 or R.shape[-1] != R.shape[-2] or frequencies.shape[-1:] != R.shape[-1:]:
        raise ValueError(
            f"inverse_noise_matrix must have shape (K, K) and noisy_label_frequencies (K,); "
            f"got {tuple(R.shape)} and {tuple(frequencies.shape)}."
        )
    if bool((R < 0).any()):
        raise ValueError(
            f"inverse_noise_matrix must hold probabilities; its smallest entry is {float(R.min()):.4g}. "
            "Use noiselayer.noise.project first."
        )
    pi = (frequencies / frequencies.sum(-1, keepdim=True)).unsqueeze(-2)
    if not bool((pi >= 0).all()):
        raise ValueError("noisy_label_frequencies must be shares of labels: none negative, not all 0.")
    joint = R * pi  # p(true = i, noisy = j)
    vanished = joint.sum(-1, keepdim=True) < floor
    joint = torch.where(vanished, floor * pi, joint)
    prior = joint.sum(-1)
    return (joint / prior.unsqueeze(-1)).mT, prior / prior.sum(-1, keepdim=True)


def is_singular(C: Tensor) -> bool:
    """Whether a confusion matrix, or one of a batch, has no inverse to speak of.

    >>> is_singular(torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    True
    """
    # In the 1-norm: the inverse costs a tenth of the singular values, and bootstrap draws are many.
    inverse, info = torch.linalg.inv_ex(C)
    condition = C.abs().sum(-2).amax(-1) * inverse.abs().sum(-2).amax(-1)
    return bool(info.any()) or not bool((condition < _SINGULAR).all())


def _singular_message(C: Tensor) -> str:
    """Which two classes make a confusion matrix singular, in words.

    >>> _singular_message(torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    "clean_confusion is singular (condition number ...): the model answers most alike on samples of classes 0
    and 1...
    """
    C = C.reshape(-1, *C.shape[-2:])
    condition = torch.linalg.cond(C)
    C = C[condition.argmax()]
    distance = torch.cdist(C.mT, C.mT, p=1).fill_diagonal_(float("inf"))
    first, second = divmod(int(distance.argmin()), len(C))
    return (
        f"clean_confusion is singular (condition number {float(condition.max()):.3g}): the model answers "
        f"most alike on samples of classes {first} and {second}. Merge them, measure with a better model, or "
        "use method='sparse', which settles for one of many answers."
    )

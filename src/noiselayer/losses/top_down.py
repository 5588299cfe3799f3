"""The top-down loss (§3.5): noisy labels are converted to soft ones, the model is left as it is."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from noiselayer.arrays.kinds import check_count, check_number, check_tensor
from noiselayer.arrays.tensors import as_tensor
from noiselayer.losses.loaded import is_sound
from noiselayer.losses.log_space import result_dtype
from noiselayer.losses.shapes import check_range, check_square, check_weight, flatten, reduce_loss
from noiselayer.noise.matrices import check, check_entries, check_sums, rounding

_SINGULAR = 1e8  # a condition number: beyond it half of double precision's digits are gone
_ILL_CONDITIONED = 100.0


class UnboundedLossWarning(UserWarning):
    """A conversion matrix has negative entries: its loss can go to minus infinity, or its noise swamps it.

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnboundedLossWarning)
    ...     S = inverse_conversion(torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
    """


def uniform_conversion(num_classes: int, alpha: float, *, dtype: torch.dtype | None = None) -> Tensor:
    r"""The conversion matrix of §3.5: keep a share of every label, spread the rest evenly over all classes.

    .. math:: S = \alpha I + \frac{1 - \alpha}{K} \mathbf{1}

    With it :func:`top_down_loss` is cross-entropy with ``label_smoothing=1 - alpha``. The paper uses it where
    many images show none of the classes (§4.2), and finds ``alpha`` by validation.

    Args:
        num_classes: K, at least 2.
        alpha: How far a label is trusted, in [0, 1]: 1 takes labels as they are, 0 ignores them.
        dtype: Of the result; torch's default if None.

    Returns:
        Shape (K, K), column i is the soft label that replaces noisy label i.

    Raises:
        ValueError: If ``num_classes`` or ``alpha`` is out of range.

    >>> uniform_conversion(3, 0.7)
    tensor([[0.8000, 0.1000, 0.1000],
            [0.1000, 0.8000, 0.1000],
            [0.1000, 0.1000, 0.8000]])
    """
    check_count(num_classes, "num_classes", 2)
    check_number(alpha, "alpha")
    if not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha is how far a noisy label is trusted, from 0 (not at all) to 1 (as it is); got {alpha}."
        )
    S = torch.full((num_classes, num_classes), (1 - alpha) / num_classes, dtype=dtype)
    S.diagonal().add_(alpha)
    return S


def inverse_conversion(noise_matrix: Tensor) -> Tensor:
    r"""The conversion matrix that makes the top-down loss unbiased, with a warning about its price (§3.5).

    .. math:: S = Q^{-1}, \qquad \sum_j Q_{ji}\, \ell(x, s_j) = \ell(x, e_i)

    Averaged over the noise, the loss of the converted label is the loss of the true one: the backward
    correction of the literature. But every Q that is not a permutation has an inverse with negative entries,
    and a negative share of a class is a reward, without limit, for driving its probability to 0. A network
    that can fit single samples will take it. :func:`noiselayer.noisy_label_loss` uses the same Q and is
    bounded below by 0.

    Args:
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Returns:
        Shape (K, K), columns sum to 1, entries of either sign; in the type of ``noise_matrix``, float32 at
        least. Computed in float64.

    Raises:
        TypeError: If ``noise_matrix`` is not a floating-point tensor.
        ValueError: If ``noise_matrix`` is not one, or is singular.

    Warns:
        UnboundedLossWarning: If an entry is negative (which and how large); and if Q is ill-conditioned, so
            that the labels' noise is blown up by its condition number.

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnboundedLossWarning)
    ...     inverse_conversion(torch.tensor([[0.8, 0.4], [0.2, 0.6]]))
    tensor([[ 1.5000, -1.0000],
            [-0.5000,  2.0000]])
    """
    noise_matrix = as_tensor(noise_matrix, "noise_matrix")
    Q = check(noise_matrix).cpu().double()  # MPS has no float64
    condition = float(torch.linalg.cond(Q))
    if not condition < _SINGULAR:
        raise ValueError(
            f"noise_matrix is singular (condition number {condition:.3g}): some classes' noisy labels cannot "
            "be told from a mixture of others', so no conversion is unbiased. Use noisy_label_loss, which "
            "needs no inverse, or uniform_conversion."
        )
    S: Tensor = torch.linalg.inv(Q)
    lowest = float(S.min())
    if lowest < -1e-9:
        i, j = divmod(int(S.argmin()), len(S))
        message = (
            f"inverse_conversion has negative soft labels, down to {lowest:.3g} "
            f"(noisy label {j}, class {i}): the loss has no lower bound and goes to minus infinity when the "
            f"network becomes confident that a sample labelled {j} is not of class {i}."
        )
        if condition > _ILL_CONDITIONED:
            message += (
                f" noise_matrix is also ill-conditioned (condition number {condition:.3g}): errors in it "
                "and the scatter of the labels are magnified up to so many times."
            )
        message += " Stop early on validation, or use noisy_label_loss with the same noise_matrix."
        warnings.warn(message, UnboundedLossWarning, stacklevel=2)
    dtype = torch.promote_types(noise_matrix.dtype, torch.float32)
    return S.to(device=noise_matrix.device, dtype=dtype)


def top_down_loss(
    logits: Tensor,
    noisy_labels: Tensor,
    conversion_matrix: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    r"""Cross-entropy against noisy labels that were converted to soft ones (Eq. 6, its sign turned).

    .. math:: \ell_n = -\sum_i S_{i \tilde y_n} \log \mathrm{softmax}(z_n)_i

    With S = I this is ``torch.nn.functional.cross_entropy``; with :func:`uniform_conversion` it is the same
    with ``label_smoothing=1 - alpha``, class weights included; with :func:`inverse_conversion` it is backward
    correction. Arguments, shapes and reductions are those of ``cross_entropy``.

    S cannot be learned: it would convert all labels to one class, which a model then predicts always (§3.5).

    Args:
        logits: Shape (K,), (N, K) or (N, K, d1, ..., dk), any floating type; half types are computed in
            float32.
        noisy_labels: Shape (), (N,) or (N, d1, ..., dk), class indices 0..K-1 or ``ignore_index``.
        conversion_matrix: S, shape (K, K), column i is the soft label that replaces noisy label i. Its values
            are not checked at every call; :class:`TopDownLoss` checks them once.
        weight: Shape (K,), a factor for every class of the soft label. As in ``cross_entropy`` with
            ``label_smoothing``, "mean" divides by the weights of the noisy labels.
        ignore_index: Labels of this value count for nothing.
        reduction: "mean" (weighted, as in ``cross_entropy``), "sum" or "none".

    Returns:
        A scalar, or for "none" the shape of ``noisy_labels``; the dtype of ``logits``, but float32 under
        autocast, as in ``cross_entropy``. It may be negative if S has negative entries.

    Raises:
        ValueError: If shapes do not fit, ``reduction`` is unknown, or ``conversion_matrix`` wants a gradient.
        TypeError: If labels are not integers or logits are.
        IndexError: If a label is out of range (checked on the CPU; elsewhere the device asserts).

    >>> logits, noisy_labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    >>> top_down_loss(logits, noisy_labels, uniform_conversion(2, 0.8))
    tensor(0.3701)
    >>> nn.functional.cross_entropy(logits, noisy_labels, label_smoothing=0.2)
    tensor(0.3701)
    """
    logits, labels = flatten(logits, noisy_labels)
    if labels.is_floating_point():
        raise TypeError(
            f"noisy_labels must be class indices (integers), which are converted; got {labels.dtype}. For soft labels "
            "as they are, use cross_entropy or noisy_label_loss."
        )
    dtype = result_dtype(logits)
    K = logits.shape[1]
    check_tensor(conversion_matrix, "conversion_matrix")
    if not isinstance(ignore_index, int) or abs(ignore_index) >= 2**63:
        check_count(ignore_index, "ignore_index")
    check_square(conversion_matrix, K, name="conversion_matrix")
    if conversion_matrix.requires_grad:
        raise ValueError(
            "conversion_matrix must not require a gradient: learned, it would convert all labels to one "
            "class. Use conversion_matrix.detach(), or learn a noise matrix with noiselayer.NoiseLayer."
        )
    ignored = labels == ignore_index
    labels = labels.masked_fill(ignored, 0)
    check_range(labels, K, ignore_index)
    log_p = torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
    S = conversion_matrix.to(log_p.dtype)
    counts = (~ignored).to(log_p.dtype)
    if weight is not None:
        check_weight(weight, K)
        factors = weight.to(log_p.dtype)
        S = S * factors.unsqueeze(1)
        counts = counts * factors[labels]
    soft_labels = S.T[labels]
    # where, not a product: a class that a label has no share of may have probability 0 (0 * inf is NaN).
    loss = -torch.where(soft_labels == 0, 0, soft_labels * log_p).sum(dim=1)
    loss = torch.where(ignored, 0, loss)
    return reduce_loss(loss, counts, reduction, noisy_labels.shape).to(dtype)


class TopDownLoss(nn.Module):
    """:func:`top_down_loss` with its conversion matrix, in the place of ``nn.CrossEntropyLoss``.

    Args:
        conversion_matrix: S, shape (K, K), column i is the soft label that replaces noisy label i; columns
            sum to 1. Checked here, copied, and kept as a buffer: it moves with ``.to(device)`` and is saved
            with the state.
        weight: Shape (K,), a factor for every class of the soft label.
        ignore_index: Labels of this value count for nothing.
        reduction: "mean", "sum" or "none".

    Raises:
        TypeError: If ``conversion_matrix`` is not a floating-point tensor.
        ValueError: If ``conversion_matrix`` is not square and finite with columns that sum to 1.
        RuntimeError: From ``load_state_dict``, if the one that is loaded is none.

    >>> criterion = TopDownLoss(uniform_conversion(10, 0.5))  # was: nn.CrossEntropyLoss()
    >>> criterion(torch.zeros(4, 10), torch.tensor([0, 1, 2, 3]))
    tensor(2.3026)
    """

    conversion_matrix: Tensor
    weight: Tensor | None

    def __init__(
        self,
        conversion_matrix: Tensor,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if weight is not None:
            check_tensor(weight, "weight")
        conversion_matrix = as_tensor(conversion_matrix, "conversion_matrix")
        _check_conversion(conversion_matrix)
        self.register_buffer("conversion_matrix", conversion_matrix.detach().clone())
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, noisy_labels: Tensor) -> Tensor:
        """The loss of ``logits`` (N, K, ...) against ``noisy_labels`` (N, ...)."""
        return top_down_loss(
            logits,
            noisy_labels,
            self.conversion_matrix,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        loaded = state_dict.get(f"{prefix}conversion_matrix")
        if is_sound(loaded, self.conversion_matrix, _check_conversion, errors=args[-1]):
            super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return f"num_classes={len(self.conversion_matrix)}, reduction={self.reduction!r}"


def _check_conversion(S: Tensor) -> None:
    """Raise unless the columns of S are soft labels; the entries of an inverse may have either sign."""
    name = "conversion_matrix"
    values = check_entries(S, name)
    # The large entries of an inverse cancel in a sum, and take its last digits with them.
    scale = max(1.0, float(values.abs().max()))
    check_sums(
        values,
        name,
        scale * rounding(S),
        rows_do="transpose it.",
        else_do="Divide every column by its sum.",
        meaning=" (column i replaces noisy label i)",
    )

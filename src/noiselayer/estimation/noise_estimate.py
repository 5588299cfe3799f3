"""What an estimation of label noise found, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["NoiseEstimate"]


@dataclass(frozen=True, eq=False)
class NoiseEstimate:
    """An estimated noise matrix with its errors: tensors, or NumPy arrays where no tensor came in.

    Attributes:
        noise_matrix: Q, shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        inverse_noise_matrix: R, shape (K, K), ``[i, j] = p(true = i | noisy = j)``, columns sum to 1. A label
            that never occurs has the class prior in its column.
        class_prior: p(true = i), shape (K,), sums to 1.
        method: How it was estimated: "inverse", "sparse", "pairs", "gold_loss_correction" or "combined".
        standard_error: Shape (K, K), of every entry of ``noise_matrix``; infinite where the data say nothing;
            None where the number of samples was not given. From a bootstrap it is the scatter of the whole
            procedure. In closed form it is that of the estimate before it is projected: too large near 0 and
            1 and for a sparse estimate, never a quiet zero.
        interval: Lower and upper ends, each of shape (K, K), or None. A sparse entry of 0 has one too.
        confidence: The share of true entries that the intervals are meant to cover.
        condition_number: Of C*, how many times its relative errors may grow in R; None where no C* was used.
        outside_simplex: How far the raw R lay outside the probability matrices: the largest L1 distance by
            which projection moved a column; None where there was no raw R.
        sparsity: The weight of the sparsity penalty that was used; None for other methods.
        warnings: What the user should know before using the matrix, in whole sentences.

    >>> import torch
    >>> from noiselayer.estimation import estimate_from_pairs
    >>> estimate = estimate_from_pairs(torch.tensor([0] * 8 + [1] * 8), torch.tensor([0] * 6 + [1] * 10), 2)
    >>> low, high = estimate.interval
    >>> f"{low[1, 0]:.2f} to {high[1, 0]:.2f}"  # p(noisy = 1 | true = 0), 2 of 8
    '0.07 to 0.59'
    """

    noise_matrix: Tensor
    inverse_noise_matrix: Tensor
    class_prior: Tensor
    method: str
    standard_error: Tensor | None = None
    interval: tuple[Tensor, Tensor] | None = None
    confidence: float = 0.95
    condition_number: float | None = None
    outside_simplex: float | None = None
    sparsity: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.noise_matrix)

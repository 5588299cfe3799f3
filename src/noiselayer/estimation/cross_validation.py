"""How sparse is the noise? The weight of the sparsity penalty, by cross-validation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.estimation.evidence import CountEvidence, Evidence, Sample, columns_of, fixed_generator
from noiselayer.estimation.sparse_inverse import largest_sparsity, sparse_inverse_noise_matrix
from noiselayer.estimation.validate import check_confusion, to_double

_PATH = 12  # weights above 0, a factor of 1.5 apart
_COLUMNS = 100  # of R that are fitted to judge a weight; beyond that many classes a sample of them is enough
_TOLERANCE = 1e-6


class SparsityPath(NamedTuple):
    """The outcome of a cross-validation over weights, 0 among them."""

    sparsity: float
    """The weight with the lowest error."""
    sparsities: Tensor
    """All that were tried, shape (P,), ascending from 0."""
    errors: Tensor
    """Their errors on held-out samples, shape (P,): only differences mean something, below 0 is possible."""


def select_sparsity(
    clean_confusion: Tensor,
    noisy_confusion: Tensor,
    noisy_label_frequencies: Tensor,
    *,
    clean_counts: Tensor,
    noisy_counts: Tensor,
    refit: bool = True,
    num_folds: int = 5,
    generator: torch.Generator | None = None,
) -> SparsityPath:
    r"""Choose the weight of :func:`sparse_inverse_noise_matrix` by cross-validation over a path with 0.

    The samples behind both confusions are dealt out to folds (counts are enough for that: which sample is
    which does not matter). R is fitted to all folds but one and judged on the one left out, by how well the
    joint distribution of prediction and noisy label is predicted, :math:`\|(C^*_f R - \tilde
    C_f)\,\mathrm{diag}(\pi)\|^2`.

    The held-out C* has errors of its own, which R multiplies: they add :math:`\sum_i R_{ij}^2 v_i` to column
    j's error, v_i being the variance of column i of that C*. Uncorrected, this favours an R that spreads its
    mass, and cross-validation answers "dense" even where there is no noise at all. So its expectation is
    subtracted.

    Beyond a hundred classes a hundred columns of R, drawn at random, stand for all; a thousand classes take
    about a minute.

    Args:
        clean_confusion: Shape (K, K), C*: column = given (true) label, row = prediction.
        noisy_confusion: Shape (K, K), C~: column = noisy label.
        noisy_label_frequencies: Shape (K,), p(noisy = j).
        clean_counts: Shape (K,), the samples behind every column of ``clean_confusion``.
        noisy_counts: Shape (K,), those behind every column of ``noisy_confusion``.
        refit: As in :func:`sparse_inverse_noise_matrix`.
        num_folds: At least 2.
        generator: Of the deal, on the CPU; a fixed seed if None.

    Returns:
        The weight, and the path with its errors.

    Raises:
        ValueError: If a matrix is no confusion matrix or ``num_folds`` is below 2.

    >>> from noiselayer.estimation import sparse_inverse_noise_matrix
    >>> C = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> counts = torch.tensor([1000, 1000, 1000])
    >>> path = select_sparsity(C, C, counts / 3000, clean_counts=counts, noisy_counts=counts)  # no noise
    >>> sparse_inverse_noise_matrix(C, C, path.sparsity).equal(torch.eye(3))
    True
    """
    check_confusion(clean_confusion, name="clean_confusion")
    check_confusion(noisy_confusion, name="noisy_confusion")
    n, m = to_double(clean_counts), to_double(noisy_counts)
    evidence = CountEvidence(Sample(to_double(clean_confusion) * n, n, to_double(noisy_confusion) * m, m))
    return choose_sparsity(
        evidence, to_double(noisy_label_frequencies), refit=refit, num_folds=num_folds, generator=generator
    )


def choose_sparsity(
    evidence: Evidence,
    frequencies: Tensor,
    *,
    refit: bool = True,
    num_folds: int = 5,
    generator: torch.Generator | None = None,
) -> SparsityPath:
    """:func:`select_sparsity` from any kind of evidence, unchecked but for ``num_folds``."""
    if num_folds < 2:
        raise ValueError(f"num_folds must be at least 2; got {num_folds}.")
    generator = generator or fixed_generator()
    whole = evidence.whole
    held_out = evidence.folds(num_folds, generator)
    kept = Sample(*(part.sum(0) - part for part in held_out))
    # A class whose few samples all fell on one side of the deal borrows its column from the whole.
    clean = columns_of(whole.clean_sums, whole.clean_counts)
    noisy = columns_of(whole.noisy_sums, whole.noisy_counts)
    C_fit = columns_of(kept.clean_sums, kept.clean_counts, otherwise=clean)
    C_test = columns_of(held_out.clean_sums, held_out.clean_counts, otherwise=clean)
    noisy_fit = columns_of(kept.noisy_sums, kept.noisy_counts, otherwise=noisy)
    noisy_test = columns_of(held_out.noisy_sums, held_out.noisy_counts, otherwise=noisy)
    v = (evidence.clean_variance() / held_out.clean_counts).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)

    K = len(clean)
    columns = torch.arange(K)
    if K > _COLUMNS:
        columns = torch.randperm(K, generator=generator, device=generator.device)[:_COLUMNS]
    columns = columns.to(clean.device)
    noisy_fit, noisy_test, pi = noisy_fit[..., columns], noisy_test[..., columns], frequencies[columns]

    largest = max(largest_sparsity(C_fit, noisy_fit, columns=columns), 1e-12)
    path = [largest / 1.5**k for k in range(_PATH)] + [0.0]
    errors, R = [], None
    for sparsity in path:
        R = sparse_inverse_noise_matrix(
            C_fit, noisy_fit, sparsity, refit=refit, columns=columns, start=R, tolerance=_TOLERANCE
        )
        residual = (C_test @ R - noisy_test).square().sum(-2)
        errors.append(((residual - (R.square() * v.unsqueeze(-1)).sum(-2)) * pi.square()).sum(-1).mean())
    sparsities, scores = torch.tensor(path[::-1], dtype=torch.float64), torch.stack(errors[::-1]).cpu()
    return SparsityPath(float(sparsities[scores.argmin()]), sparsities, scores)

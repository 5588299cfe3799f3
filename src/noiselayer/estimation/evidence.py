"""The samples behind two confusion matrices: how much they scatter, and how to draw them again.

Either the samples are at hand, or only how many there were in every column; then a column is a multinomial
draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

_CHUNK = 1 << 22  # numbers in one tensor of a resampling step: 32 MB


class Sample(NamedTuple):
    """Sums and sample counts of both data sets, batched at will: what one draw, or one fold, has seen."""

    clean_sums: Tensor  # (..., K, K), predictions by given label
    clean_counts: Tensor  # (..., K)
    noisy_sums: Tensor  # (..., K, K)
    noisy_counts: Tensor  # (..., K)


class Evidence(Protocol):
    """What an estimate asks of its data."""

    whole: Sample

    def second_moments(self, A: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of (A p)_k^2 over the predictions p with given label i, clean and noisy, each (K, K)."""

    def clean_variance(self) -> Tensor:
        """The variance of one clean prediction, summed over its K entries, by given label: shape (K,)."""

    def folds(self, num_folds: int, generator: torch.Generator) -> Sample:
        """The samples dealt out at random, with a leading dimension of ``num_folds``."""

    def resample(self, num: int, generator: torch.Generator) -> Iterator[Sample]:
        """Bootstrap draws with a leading dimension, ``num`` of them in all."""


def fixed_generator() -> torch.Generator:
    """The generator used where none is given: its seed is fixed, so that the same data give the same answer."""
    return torch.Generator().manual_seed(0)


@dataclass
class CountEvidence:
    """Confusions of which only the number of samples in every column is known."""

    whole: Sample

    def second_moments(self, A: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102 (the protocol's)
        clean_sums, clean_counts, noisy_sums, noisy_counts = self.whole
        square = A.square()  # a decision is a unit vector, so (A p)_k^2 = A_kl^2 for the class l decided on
        return square @ columns_of(clean_sums, clean_counts), square @ columns_of(noisy_sums, noisy_counts)

    def clean_variance(self) -> Tensor:  # noqa: D102
        n = self.whole.clean_counts
        squares = columns_of(self.whole.clean_sums, n).square().sum(-2)
        return (1 - squares) * n / (n - 1).clamp_min(1)

    def folds(self, num_folds: int, generator: torch.Generator) -> Sample:  # noqa: D102
        clean = _deal(_whole_numbers(self.whole.clean_sums, generator), num_folds, generator)
        noisy = _deal(_whole_numbers(self.whole.noisy_sums, generator), num_folds, generator)
        return Sample(clean, clean.sum(-2), noisy, noisy.sum(-2))

    def resample(self, num: int, generator: torch.Generator) -> Iterator[Sample]:  # noqa: D102
        clean_sums, clean_counts, noisy_sums, noisy_counts = self.whole
        clean, noisy = columns_of(clean_sums, clean_counts), columns_of(noisy_sums, noisy_counts)
        for n, m in _drawn_counts(self.whole, num, generator):
            yield Sample(_multinomial(n, clean, generator), n, _multinomial(m, noisy, generator), m)


@dataclass
class SampleEvidence:
    """The predictions themselves: ``probs`` (N, K) and labels (N,) of both data sets."""

    clean_probs: Tensor
    clean_labels: Tensor
    noisy_probs: Tensor
    noisy_labels: Tensor

    def __post_init__(self) -> None:
        """Sort both sets by label, so that a class is a slice."""
        self.clean_probs, self.clean_labels = _sorted(self.clean_probs, self.clean_labels)
        self.noisy_probs, self.noisy_labels = _sorted(self.noisy_probs, self.noisy_labels)
        self.whole = Sample(
            *_by_label(self.clean_probs, self.clean_labels), *_by_label(self.noisy_probs, self.noisy_labels)
        )

    def second_moments(self, A: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        def moment(probs: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
            sums = A.new_zeros(A.shape)
            for rows, given in _rows(probs, labels):
                sums.index_add_(0, given, (rows.to(A) @ A.T).square_())
            return sums.T / counts.clamp_min(1)

        return (
            moment(self.clean_probs, self.clean_labels, self.whole.clean_counts),
            moment(self.noisy_probs, self.noisy_labels, self.whole.noisy_counts),
        )

    def clean_variance(self) -> Tensor:  # noqa: D102
        n = self.whole.clean_counts
        squares = torch.zeros_like(n)
        for rows, given in _rows(self.clean_probs, self.clean_labels):
            squares.index_add_(0, given, rows.to(n).square().sum(dim=1))
        of_mean = columns_of(self.whole.clean_sums, n).square().sum(-2)
        return (squares / n.clamp_min(1) - of_mean) * n / (n - 1).clamp_min(1)

    def folds(self, num_folds: int, generator: torch.Generator) -> Sample:  # noqa: D102
        def deal(probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            fold = torch.randint(num_folds, labels.shape, generator=generator, device=generator.device)
            fold = fold.to(labels.device)
            parts = [_by_label(probs[fold == f], labels[fold == f]) for f in range(num_folds)]
            return torch.stack([sums for sums, _ in parts]), torch.stack([counts for _, counts in parts])

        return Sample(*deal(self.clean_probs, self.clean_labels), *deal(self.noisy_probs, self.noisy_labels))

    def resample(self, num: int, generator: torch.Generator) -> Iterator[Sample]:  # noqa: D102
        for n, m in _drawn_counts(self.whole, num, generator):
            clean = _redraw(self.clean_probs, self.whole.clean_counts, n, generator)
            yield Sample(clean, n, _redraw(self.noisy_probs, self.whole.noisy_counts, m, generator), m)


def columns_of(sums: Tensor, counts: Tensor, *, otherwise: Tensor | None = None) -> Tensor:
    """Confusion matrices (..., K, K) from sums over samples; ``otherwise`` (K, K) has the columns where there is none.

    >>> columns_of(torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([4.0, 0.0]))
    tensor([[0.7500, 0.5000],
            [0.2500, 0.5000]])
    """
    if otherwise is None:
        otherwise = torch.full_like(sums, 1 / sums.shape[-1])
    # By the columns' sums and not by the counts: probabilities of a model sum to 1 within its precision only.
    totals = sums.sum(-2, keepdim=True)
    seen = (counts > 0).unsqueeze(-2) & (totals > 0)
    return torch.where(seen, sums / torch.where(seen, totals, 1.0), otherwise)


def _drawn_counts(whole: Sample, num: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Of every bootstrap draw the samples of every clean class, which are fixed, and of every noisy label."""
    K = len(whole.clean_counts)
    for size in _chunks(num, K * K):
        m = _multinomial(
            whole.noisy_counts.sum().expand(size, 1), whole.noisy_counts.unsqueeze(-1), generator
        )
        yield whole.clean_counts.expand(size, K), m.squeeze(-1)


def _whole_numbers(sums: Tensor, generator: torch.Generator) -> Tensor:
    """Averaged probabilities as counts, rounded up or down at random: right in the mean, no cell is lost."""
    down = (sums + 1e-3).floor()  # the shares may come from float32
    return down + (
        torch.rand(sums.shape, generator=generator, device=generator.device).to(sums) < sums - down
    )


def _deal(counts: Tensor, num_folds: int, generator: torch.Generator) -> Tensor:
    """Each of the counted samples into one of the folds, shape (num_folds, K, K)."""
    left, parts = counts.to(generator.device), []
    for remaining in range(num_folds, 1, -1):
        parts.append(torch.binomial(left, torch.full_like(left, 1 / remaining), generator=generator))
        left = left - parts[-1]
    return torch.stack([*parts, left]).to(counts.device)


def _multinomial(totals: Tensor, shares: Tensor, generator: torch.Generator) -> Tensor:
    """Counts (B, K, M) drawn from the columns of ``shares`` (K, M): a binomial draw per row among the samples left."""
    left = totals.to(generator.device).round()
    rows = shares.to(generator.device)
    # The share of row k among rows k, k + 1, ...; the last row that has any takes what is left.
    tail = rows.flip(0).cumsum(0).flip(0)
    odds = (rows / tail.clamp_min(torch.finfo(rows.dtype).tiny)).clamp(0, 1)
    out = []
    for odd in odds:
        out.append(torch.binomial(left, odd.expand_as(left).contiguous(), generator=generator))
        left = left - out[-1]
    return torch.stack(out, dim=1).to(totals.device)


def _redraw(probs: Tensor, counts: Tensor, draws: Tensor, generator: torch.Generator) -> Tensor:
    """Sums over a new draw of ``draws[b, i]`` samples of class i, with replacement: shape (B, K, K)."""
    B, K = draws.shape
    sums = draws.new_zeros(B, K, K)
    begin = 0
    for i, count in enumerate(counts.long().tolist()):
        if count == 0:
            continue
        rows = probs[begin : begin + count].to(draws)
        begin += count
        for first in range(0, B, max(1, _CHUNK // count)):
            wanted = draws[first : first + max(1, _CHUNK // count), i].long()
            # How often each sample is drawn is multinomial: a histogram of that many uniform draws.
            owner = torch.arange(len(wanted), device=wanted.device).repeat_interleave(wanted)
            pick = torch.randint(count, (len(owner),), generator=generator, device=generator.device)
            flat = owner * count + pick.to(owner.device)
            times = torch.bincount(flat, minlength=len(wanted) * count).reshape(len(wanted), count)
            sums[first : first + len(wanted), :, i] = times.to(rows) @ rows
    return sums


def _sorted(probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    order = labels.argsort(stable=True)
    return probs[order], labels[order]


def _by_label(probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    K = probs.shape[1]
    sums = probs.new_zeros(K, K, dtype=torch.float64)
    for rows, given in _rows(probs, labels):
        sums.index_add_(0, given, rows.to(torch.float64))
    return sums.T.contiguous(), torch.bincount(labels, minlength=K).to(torch.float64)


def _rows(probs: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """In slices, so that a double-precision copy of them fits in memory."""
    size = max(1, _CHUNK // probs.shape[1])
    return zip(torch.split(probs, size), torch.split(labels, size), strict=True)


def _chunks(num: int, width: int) -> Iterator[int]:
    size = max(1, _CHUNK // width)
    while num > 0:
        yield min(size, num)
        num -= size

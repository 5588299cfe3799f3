"""The first pass: what a fit needs of N samples, in memory that does not grow with N."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates, candidates_of, likeliest_class

MOST_ROWS = 2**16
VAST = 2048
"""With more classes than that, memory is for two matrices of single precision, and the noise has one parameter."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive samples, checked.

    Attributes:
        start: Position of the first one.
        labels: Shape (n,), int64.
        probs: Shape (n, K), floating point, rows sum to 1.
        verified: Shape (n,), bool, or None.
    """

    start: int
    labels: Tensor
    probs: Tensor
    verified: Tensor | None


@dataclass(frozen=True, eq=False)
class Subsample:
    """What the first pass keeps.

    Attributes:
        samples: At most 2**16 of them, chosen by their positions alone.
        counts: Shape (K, K), all samples by given label (row) and predicted class (column).
        num_samples: N.
    """

    samples: Candidates
    counts: Tensor
    num_samples: int


def first_pass(
    batches: Iterable[Batch], num_classes: int | None = None, num_samples: int | None = None
) -> Subsample:
    """Count labels against predictions, and keep some samples.

    A sample is kept if the last bits of a hash of its position are zero; where too many are kept, one bit
    more must be. So what is kept depends on N alone and not on the batches.

    Args:
        batches: All of them.
        num_classes: K; the number of columns if None.
        num_samples: N, if it is known: what would be dropped later is then not kept first.

    Raises:
        ValueError: If there is no sample at all.

    >>> batch = Batch(0, torch.tensor([1, 0]), torch.tensor([[0.2, 0.8], [0.3, 0.7]]), None)
    >>> first_pass([batch], 2).counts
    tensor([[0, 1],
            [0, 1]])
    """
    K = num_classes or 0
    counts = _zeros(K)
    kept: list[tuple[Tensor, Candidates]] = []
    level, size, N = 0 if num_samples is None else _level(num_samples), 0, 0
    for batch in batches:
        if not K:
            K = batch.probs.shape[1]
            counts = _zeros(K)
        N = batch.start + len(batch.labels)
        unchecked = batch.labels if batch.verified is None else batch.labels[~batch.verified]
        probs = batch.probs if batch.verified is None else batch.probs[~batch.verified]
        counts.index_add_(
            0, unchecked * K + likeliest_class(probs), torch.ones_like(unchecked, dtype=counts.dtype)
        )
        hashes = hashed(batch.start, N)
        chosen = ((hashes & ((1 << level) - 1)) == 0).nonzero().flatten()
        if not len(chosen):
            continue
        verified = None if batch.verified is None else batch.verified[chosen]
        found = candidates_of(batch.probs[chosen].float(), batch.labels[chosen], verified)
        kept.append((hashes[chosen], found))
        size += len(chosen)
        while size > MOST_ROWS:
            level += 1
            thinned = [(h, c, (h & ((1 << level) - 1)) == 0) for h, c in kept]
            kept = [(h[mask], c.take(mask)) for h, c, mask in thinned if bool(mask.any())]
            size = sum(len(h) for h, _ in kept)
    if not N:
        raise ValueError("labels must be of at least one sample; got none.")
    return Subsample(_joined([c for _, c in kept]), counts.reshape(K, K), N)


def _zeros(K: int) -> Tensor:
    return torch.zeros(K * K, dtype=torch.int64 if K <= VAST else torch.int32)


def hashed(start: int, stop: int) -> Tensor:
    """A hash of every position from ``start`` to below ``stop``, nonnegative int64; it has no period.

    >>> hashed(0, 3).tolist() == hashed(0, 2).tolist() + hashed(2, 3).tolist()
    True
    """
    x = torch.arange(start, stop, dtype=torch.int64)
    # The finaliser of MurmurHash3 in 62 bits: overflow wraps, and the sign is masked before every shift.
    mask = (1 << 62) - 1
    for factor in (-49064778989728563, -4265267296055464877):
        x = ((x & mask) ^ ((x & mask) >> 33)) * factor
    return (x & mask) ^ ((x & mask) >> 33)


def _level(num_samples: int) -> int:
    """How many bits must be zero so that at most ``MOST_ROWS`` of all samples are kept."""
    level, kept = 0, torch.empty(0, dtype=torch.int64)
    for start in range(0, num_samples, MOST_ROWS):
        kept = torch.cat([kept, hashed(start, min(start + MOST_ROWS, num_samples))])
        kept = kept[(kept & ((1 << level) - 1)) == 0]
        while len(kept) > MOST_ROWS:
            level += 1
            kept = kept[(kept & ((1 << level) - 1)) == 0]
    return level


def _joined(parts: list[Candidates]) -> Candidates:
    if len(parts) == 1:
        return parts[0]
    index = None if parts[0].index is None else torch.cat([p.index for p in parts if p.index is not None])
    verified = None
    if any(p.verified is not None for p in parts):
        verified = torch.cat(
            [p.verified if p.verified is not None else torch.zeros(len(p), dtype=torch.bool) for p in parts]
        )
    return Candidates(
        torch.cat([p.probs for p in parts]),
        index,
        torch.cat([p.labels for p in parts]),
        verified,
        parts[0].others,
    )

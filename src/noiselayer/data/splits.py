"""Hold samples out, and find samples that two sets share."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData
from noiselayer.data.pieces import samples_at_a_time
from noiselayer.errors import InputError

_BATCH = 1024


def split_validation(
    labels: Tensor,
    fraction: float,
    *,
    num_classes: int | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Choose samples to validate on, the same share of every (noisy) label.

    Every class that has samples keeps at least one for training. The validation set has
    ``round(fraction * N)`` samples, at least one, or as many as that rule leaves.

    Args:
        labels: Shape (N,), integers.
        fraction: The share to hold out, between 0 and 1, both excluded.
        num_classes: K, to find out that there are fewer samples than classes; the different labels if None.
        generator: Makes the choice reproducible.

    Returns:
        Indices to train on and indices to validate on, int64, each ascending; together 0..N-1.

    Raises:
        InputError: If ``fraction`` is out of range, there are fewer samples than classes, or no class has a
            sample to spare.

    >>> labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    >>> train, validation = split_validation(labels, 0.25, generator=torch.Generator().manual_seed(0))
    >>> labels[train], labels[validation]
    (tensor([0, 0, 0, 1, 1, 1]), tensor([0, 1]))
    """
    if not 0 < fraction < 1:
        raise InputError(f"the validation fraction must lie between 0 and 1, both excluded; got {fraction}.")
    labels = labels.cpu()
    N = len(labels)
    classes, inverse, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    K = len(classes) if num_classes is None else num_classes
    if N == 0 or N < K:
        raise InputError(f"there are fewer samples ({N}) than classes ({K}); every class needs at least one.")
    held_out = _shares(counts, fraction)
    if int(held_out.sum()) == 0:
        raise InputError(
            f"nothing can be held out for validation: each of the {len(classes)} classes has one sample only."
        )
    device = generator.device if generator is not None else None
    order = torch.randperm(N, generator=generator, device=device).cpu()
    # A stable sort by class keeps the random order within each: the first ones of every class are held out.
    order = order[inverse[order].argsort(stable=True)]
    rank = torch.arange(N) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    chosen = rank < held_out.repeat_interleave(counts)
    return order[~chosen].sort().values, order[chosen].sort().values


def overlap(a: LabeledData | Inputs, b: LabeledData | Inputs) -> Tensor:
    """Find the samples that stand in both sets, bit by bit the same.

    Samples are compared by a hash of what the model would read: images after decoding and scaling, so a copy
    in another lossless format is found and one that was compressed again is not.

    Args:
        a: Any data.
        b: Any data of the same sample shape.

    Returns:
        Shape (M, 2), int64: an index into ``a`` and an index into ``b`` for every pair of equal samples,
        sorted. A sample that occurs twice in ``b`` makes two pairs.

    Raises:
        InputError: If the shapes or types of the samples differ.

    >>> from noiselayer.data import ArrayInputs
    >>> overlap(ArrayInputs(torch.eye(3)), ArrayInputs(torch.tensor([[9.0, 9.0, 9.0], [0.0, 1.0, 0.0]])))
    tensor([[1, 1]])
    """
    left = a.inputs if isinstance(a, LabeledData) else a
    right = b.inputs if isinstance(b, LabeledData) else b
    if (left.shape, left.dtype) != (right.shape, right.dtype):
        raise InputError(
            f"samples of the two sets cannot be compared: shape {left.shape} of {left.dtype} in one, "
            f"{right.shape} of {right.dtype} in the other."
        )
    where: dict[bytes, list[int]] = defaultdict(list)
    for j, digest in enumerate(_digests(right)):
        where[digest].append(j)
    pairs = [(i, j) for i, digest in enumerate(_digests(left)) for j in where.get(digest, ())]
    return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)


def _shares(counts: Tensor, fraction: float) -> Tensor:
    """How many of every class to hold out: quotas rounded by largest remainder, one left for training."""
    spare = counts - 1
    quota = counts.to(torch.float64) * fraction
    shares = torch.minimum(quota.floor().long(), spare)
    wanted = max(1, round(fraction * int(counts.sum())))
    # One more for a class at a time, the largest remainder first, until the total fits or none is to spare.
    order = (quota - quota.floor()).argsort(descending=True, stable=True).tolist()
    while int(shares.sum()) < min(wanted, int(spare.sum())):
        for index in order:
            if shares[index] < spare[index] and int(shares.sum()) < wanted:
                shares[index] += 1
    return shares


def _digests(inputs: Inputs) -> Iterator[bytes]:
    """One after the other: those of the larger set are never all in memory."""
    size = samples_at_a_time(inputs.shape, _BATCH)
    for start in range(0, len(inputs), size):
        batch = inputs.__getitems__(range(start, min(start + size, len(inputs))))
        if batch.is_floating_point():
            batch = batch + 0.0  # minus zero equals zero, but not bit by bit
        yield from (hashlib.blake2b(sample.tobytes(), digest_size=16).digest() for sample in batch.numpy())

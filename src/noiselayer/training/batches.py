"""Batches that know of every sample whether its label is noisy, clean or of no class, and how processes share them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from noiselayer.data.inputs import Indices, Inputs
from noiselayer.data.labeled import LabeledData


class EverySampleOnce(DistributedSampler[int]):
    """Every process takes its share of the samples, in order, and none is taken twice.

    Lightning's own gives all processes as many by repeating some, which counts those twice in the validation loss:
    then a run would stop, or switch phases, at another epoch with two processes than with one. Where there is one
    process it takes all. It finds out when it is asked, for loaders are made before processes are.
    """

    def __init__(
        self, num_samples: int
    ) -> None:  # nothing of the base's is needed, but Lightning knows its type
        self.num_samples = num_samples

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.num_samples)[rank() :: world_size()])

    def __len__(self) -> int:
        return len(range(self.num_samples)[rank() :: world_size()])

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning; the order is the same in every epoch."""


def even_batch_size(num_samples: int, processes: int, at_most: int) -> int:
    """The largest batch size with which all processes have as many batches, though some have a sample less.

    Processes that talk in every batch would wait for ever for one that has none left.
    """
    most, least = -(-num_samples // processes), num_samples // processes
    sizes = range(at_most, 0, -1)
    if least == 0:
        raise ValueError(f"{num_samples} samples cannot be shared by {processes} processes.")
    return next((size for size in sizes if math.ceil(most / size) == math.ceil(least / size)), 1)


def rank() -> int:
    """The number of this process among those that train together; 0 if it is alone."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


Batch: TypeAlias = tuple[Tensor, ...]
"""Inputs (B, ...), labels (B,) and trust (B,), values of :class:`Trust`; where it is known who gave the labels
(annotators, prompts, rules), a fourth tensor of their numbers (B,)."""


class Trust(IntEnum):
    """How far a sample's label can be trusted; it decides which loss the sample meets."""

    NOISY = 0
    """The label is given through the noise matrix (Eq. 2)."""
    CLEAN = 1
    """The label is the true class; it never passes through the noise layer."""
    OUTSIDE = 2
    """The sample shows none of the classes; its label is uniform and the number stored means nothing."""


@dataclass(frozen=True)
class Part:
    """Samples with labels of one kind, and, if it is known, who gave each label, shape (N,)."""

    inputs: Inputs
    labels: Tensor
    trust: Trust
    annotators: Tensor | None = None


def noisy_part(data: LabeledData) -> Part:
    """Samples whose labels pass through the noise matrix."""
    return Part(data.inputs, data.given, Trust.NOISY, data.annotators)


def clean_part(data: LabeledData) -> Part:
    """Samples whose labels are trusted."""
    return Part(data.inputs, data.given, Trust.CLEAN)


def outside_part(inputs: Inputs) -> Part:
    """Samples from outside the classes."""
    return Part(inputs, torch.zeros(len(inputs), dtype=torch.long), Trust.OUTSIDE)


class JoinedDataset(Dataset[Batch]):
    """Several parts, one after the other, as one dataset that fetches whole batches."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self.labels = torch.cat([part.labels for part in parts])
        sizes = torch.tensor([len(part.labels) for part in parts])
        self.trust = torch.repeat_interleave(torch.tensor([int(part.trust) for part in parts]), sizes)
        self.annotators = _annotators(parts)
        self._starts = np.concatenate([[0], sizes.cumsum(0).numpy()])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Indices) -> Batch:
        chosen = np.asarray(indices, dtype=np.int64)
        where = torch.from_numpy(chosen)
        batch = self._inputs(chosen), self.labels[where], self.trust[where]
        return batch if self.annotators is None else (*batch, self.annotators[where])

    def _inputs(self, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0].inputs.__getitems__(chosen)
        owner = np.searchsorted(self._starts, chosen, side="right") - 1
        fetched: list[Tensor] = []
        places = []
        for k in np.unique(owner):
            of_part = np.flatnonzero(owner == k)
            fetched.append(self.parts[k].inputs.__getitems__(chosen[of_part] - self._starts[k]))
            places.append(of_part)
        if len(fetched) == 1:
            return fetched[0]
        order = np.argsort(np.concatenate(places))
        return torch.cat(fetched)[torch.from_numpy(order)]


def _annotators(parts: Sequence[Part]) -> Tensor | None:
    """Who gave each label, shape (N,); 0 stands for a trusted one. None if no part knows."""
    if all(part.annotators is None for part in parts):
        return None
    return torch.cat([torch.zeros_like(p.labels) if p.annotators is None else p.annotators for p in parts])


class EpochSampler(DistributedSampler[int]):
    """A random order that depends on the seed and the epoch alone, so that a resumed run sees the same batches.

    Of P processes each takes every P-th sample of that one order: their batches together are the batch
    that one process would take. (Lightning knows by the type that it need not shuffle and cut it once more.)
    """

    def __init__(self, num_samples: int, *, seed: int) -> None:  # nothing of the base's is needed
        self.num_samples = num_samples
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return (
            self.num_samples // world_size()
        )  # all as many; up to world_size - 1 samples wait for another epoch

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.num_samples)
        order = order[: len(self) * world_size()][rank() :: world_size()]
        # In pieces: a list of a hundred million numbers is several times as large as the order itself.
        for start in range(0, len(order), 1 << 16):
            yield from order[start : start + (1 << 16)].tolist()


class AlternatingSampler(EpochSampler):
    """A batch of clean samples, a batch of the others, and so on (§4.2), until the larger side is used up once.

    The smaller side starts over, in a new order, as often as needed.
    """

    def __init__(self, trust: Tensor, batch_size: int, *, seed: int) -> None:
        self.clean = (trust == Trust.CLEAN).nonzero().flatten().numpy()
        self.others = (trust != Trust.CLEAN).nonzero().flatten().numpy()
        if not len(self.clean) or not len(self.others):
            raise ValueError("alternating batches need clean samples and others; use mixing='joined'.")
        self.batch_size = batch_size
        self.rounds = max(1, max(len(self.clean), len(self.others)) // batch_size)
        super().__init__(2 * self.rounds * batch_size, seed=seed)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        sides = [self._endless(side, generator) for side in (self.clean, self.others)]
        P = world_size()
        for _ in range(len(self) // (2 * self.batch_size)):
            for side in sides:
                joined = [next(side) for _ in range(self.batch_size * P)]
                yield from joined[rank() :: P]

    def __len__(self) -> int:
        return 2 * self.batch_size * max(1, self.rounds // world_size())

    def _endless(
        self, side: np.ndarray[Any, np.dtype[np.int64]], generator: np.random.Generator
    ) -> Iterator[int]:
        while True:
            yield from generator.permutation(side).tolist()


def make_loader(
    parts: Sequence[Part],
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    num_workers: int = 0,
    alternating: bool = False,
) -> DataLoader[Batch]:
    """A loader of :data:`Batch`; shuffled, and without a last odd batch, if a seed is given."""
    dataset = JoinedDataset(parts)
    shuffle = shuffle_seed is not None
    size = min(batch_size, len(dataset))
    sampler: Sampler[int]
    if shuffle_seed is not None and alternating:
        sampler = AlternatingSampler(dataset.trust, size, seed=shuffle_seed)
    elif shuffle_seed is not None:
        sampler = EpochSampler(len(dataset), seed=shuffle_seed)
    else:
        sampler = EverySampleOnce(len(dataset))
    return DataLoader(
        dataset,
        batch_size=size,
        sampler=sampler,
        # A last batch of a few samples would be a noisy step, and of one a failure in batch norm.
        drop_last=shuffle,
        collate_fn=_keep,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )


def _keep(batch: Any) -> Any:
    """What the dataset hands out is a batch already."""
    return batch

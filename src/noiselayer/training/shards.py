"""Samples shared by processes, so that together they take what one alone would."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch.distributed as dist
from torch.utils.data import DistributedSampler


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

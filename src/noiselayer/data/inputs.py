"""What a model reads: a sequence of samples of one shape that hands out whole batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from noiselayer.data.names import ChosenNames
from noiselayer.errors import InputError

Kind: TypeAlias = Literal["image", "table", "vector", "label", "text", "embedded"]
Indices: TypeAlias = Sequence[int] | npt.NDArray[np.int64] | Tensor


class Inputs(Dataset[Tensor], ABC):
    """Samples of one shape, without labels: a map-style dataset that can fetch a batch at once.

    Subclasses say how to fetch; everything else (subsets, hashes, labels) builds on the four names below.

    Attributes:
        kind: "image" (shape (C, H, W)), "table" (encoded feature columns, shape (D,)), "vector" ((D,)), "label" (of
            labels that came without samples, shape (0,)), "text" (shape ()) or "embedded" (features of a named source,
            shape (D,)).
        shape: Of one sample.
        dtype: Of the tensors handed out: uint8 for images of 8 bits (0..255, not scaled), else float32.
        ids: A name per sample: its path, or its row number counted from 0.

    ``DataLoader`` asks for a batch through ``__getitems__``, so the collate function has nothing left to do:

    >>> import numpy as np
    >>> from noiselayer.data import ArrayInputs
    >>> inputs = ArrayInputs(np.arange(6.0).reshape(3, 2))
    >>> loader = torch.utils.data.DataLoader(inputs, batch_size=2, collate_fn=keep_batch)
    >>> [batch.shape for batch in loader]
    [torch.Size([2, 2]), torch.Size([1, 2])]
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: torch.dtype
    ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def __getitems__(self, indices: Indices) -> Tensor:
        """The samples at ``indices``, in that order: shape (len(indices), *shape)."""

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]


class NoInputs(Inputs):
    """The place of samples that are not needed: their probabilities are known.

    >>> NoInputs(("a.png", "b.png")).__getitems__([1]).shape
    torch.Size([1, 0])
    """

    kind: Kind = "label"
    shape = (0,)
    dtype = torch.float32

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids

    def __getitems__(self, indices: Indices) -> Tensor:
        return torch.empty(len(indices), 0)


class SubsetInputs(Inputs):
    """Some samples of other inputs, in a given order, without copying them.

    Args:
        inputs: The samples to choose from.
        indices: Which ones, each in 0..len(inputs) - 1; repeats are allowed.

    Raises:
        InputError: If an index is out of range.

    >>> import numpy as np
    >>> from noiselayer.data import ArrayInputs
    >>> chosen = SubsetInputs(ArrayInputs(np.array([[1.0], [2.0], [3.0]])), [2, 0])
    >>> chosen[0], chosen.ids
    (tensor([3.]), ('2', '0'))
    """

    def __init__(self, inputs: Inputs, indices: Indices) -> None:
        chosen = np.asarray(indices, dtype=np.int64)
        outside = (chosen < 0) | (chosen >= len(inputs))
        if outside.any():
            wrong = chosen[outside][0]
            raise InputError(
                f"indices must lie in 0..{len(inputs) - 1} for {len(inputs)} samples; got {wrong}."
            )
        # A subset of a subset points at the samples themselves: splits of splits stay one step deep.
        if isinstance(inputs, SubsetInputs):
            chosen, inputs = inputs.indices[chosen], inputs.base
        self.base: Inputs = inputs
        self.indices: npt.NDArray[np.int64] = chosen
        self.kind, self.shape, self.dtype = inputs.kind, inputs.shape, inputs.dtype
        self.ids = ChosenNames(inputs.ids, chosen)

    def __getitems__(self, indices: Indices) -> Tensor:
        return self.base.__getitems__(self.indices[np.asarray(indices, dtype=np.int64)])


def rows_read(inputs: Inputs) -> npt.NDArray[np.int64]:
    """Where each sample stands among all that were read, counted from 0.

    >>> from noiselayer.data import ArrayInputs
    >>> rows_read(SubsetInputs(ArrayInputs(np.eye(3)), [2, 0]))
    array([2, 0])
    """
    return inputs.indices if isinstance(inputs, SubsetInputs) else np.arange(len(inputs))


def keep_batch(batch: Tensor) -> Tensor:
    """The collate function for :class:`Inputs`, whose ``__getitems__`` has made the batch already.

    >>> keep_batch(torch.tensor([1, 2]))
    tensor([1, 2])
    """
    return batch

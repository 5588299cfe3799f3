"""The classes that matter for a sample: all where there are few, else its likeliest ones and its own label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

FEW = 16
"""Up to so many classes, all of them are candidates."""
LIKELIEST, LIKELIEST_OF_MANY = 8, 5
"""So many candidates otherwise; the work grows with the square of it, and what is left out is accounted for."""
MANY = 64
_STAGE = 8
_FLOOR = 1e-30


@dataclass(frozen=True, eq=False)
class Candidates:
    """Probabilities of n samples, of the classes that matter.

    Where there are many classes, a last column stands for all the others together, and each of them is taken to
    be as probable as the next. Without it a label that is in the tail would seem likelier than it is, and with it
    the answer that all labels are right.

    Attributes:
        probs: Shape (n, m), rows sum to 1; shape (n, m + 1) where there are others.
        index: Shape (n, m), their classes; None where they are 0..K-1 for every sample.
        labels: Shape (n,), the given labels; each is among the sample's classes.
        verified: Shape (n,), bool, or None: labels that are known to be right.
        others: K - m; 0 where all classes are candidates.
    """

    probs: Tensor
    index: Tensor | None
    labels: Tensor
    verified: Tensor | None = None
    others: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_candidates(self) -> int:
        """How many classes are candidates, m."""
        return self.probs.shape[1] - bool(self.others)

    def take(self, rows: Tensor) -> Candidates:
        """Some of the samples, by their positions or by a mask."""
        return Candidates(
            self.probs[rows],
            None if self.index is None else self.index[rows],
            self.labels[rows],
            None if self.verified is None else self.verified[rows],
            self.others,
        )

    def to(self, dtype: torch.dtype) -> Candidates:
        """The same in another precision."""
        return Candidates(self.probs.to(dtype), self.index, self.labels, self.verified, self.others)

    def row_of_label(self, matrix: Tensor, row_sums: Tensor | None = None) -> Tensor:
        """``matrix[label, candidate]``, shape of ``probs``; of the others their mean. Sums may be known already."""
        if self.index is None:
            return matrix.index_select(0, self.labels)
        found = matrix.reshape(-1)[self._place]
        if not self.others:
            return found
        sums = matrix.sum(dim=1) if row_sums is None else row_sums
        rest = (sums[self.labels] - found.sum(dim=1)).clamp_min_(0.0) / self.others
        return torch.cat([found, rest.unsqueeze(1)], dim=1)

    def own(self) -> Tensor:
        """Whether a candidate is the given label, shape of ``probs``, bool."""
        if self.index is None:
            columns = torch.arange(self.probs.shape[1], device=self.labels.device)
            return columns == self.labels.unsqueeze(1)
        own = self.index == self.labels.unsqueeze(1)
        return torch.cat([own, own.new_zeros(len(self), 1)], dim=1) if self.others else own

    def classes(self, columns: Tensor) -> Tensor:
        """Which classes stand in one column per sample, shape (n,)."""
        if self.index is None:
            return columns
        return self.index.gather(1, columns.unsqueeze(1)).squeeze(1)

    def predicted(self) -> Tensor:
        """The likeliest class of each sample, shape (n,)."""
        return self.classes(self.probs[:, : self.num_candidates].argmax(dim=1))

    def log_of_each(self, probs: Tensor) -> Tensor:
        """The logarithm of every class's probability: of the others, that of one of them."""
        z = probs.clamp_min(_FLOOR).log_()
        if self.others:
            z[:, -1] -= math.log(self.others)
        return z

    def together(self, z: Tensor) -> Tensor:
        """Back from one of the others to all of them, in place: what a softmax is taken of."""
        if self.others:
            z[:, -1] += math.log(self.others)
        return z

    def add_by_label(self, values: Tensor, total: Tensor) -> Tensor:
        """Add values by given label and class to ``total``, shape (K, K): row = label, column = class."""
        if self.index is None:
            return total.index_add_(0, self.labels, values)
        total.view(-1).index_add_(0, self._place.reshape(-1), values[:, : self.num_candidates].reshape(-1))
        return total

    def dense(self, values: Tensor, num_classes: int) -> Tensor:
        """Values of all classes, shape (n, K); what the others have together is divided among them."""
        if self.index is None:
            return values
        rest = values[:, -1:] / self.others if self.others else values.new_zeros(len(self), 1)
        return rest.repeat(1, num_classes).scatter_(1, self.index, values[:, : self.num_candidates])

    @cached_property
    def _place(self) -> Tensor:
        """Of ``matrix[label, candidate]`` in the flattened matrix, shape (n, m)."""
        assert self.index is not None
        return self.labels.unsqueeze(1) * (self.index.shape[1] + self.others) + self.index


def candidates_of(probs: Tensor, labels: Tensor, verified: Tensor | None = None) -> Candidates:
    """The likeliest classes of each sample and its given label; all of them where there are 16 or fewer.

    Args:
        probs: Shape (n, K), rows sum to 1.
        labels: Shape (n,), int64.
        verified: Shape (n,), bool.

    >>> few = candidates_of(torch.tensor([[0.2, 0.8]]), torch.tensor([0]))
    >>> few.probs, few.index
    (tensor([[0.2000, 0.8000]]), None)
    >>> candidates_of(torch.full((1, 20), 0.05), torch.tensor([0])).probs[0, -2:]
    tensor([0.0500, 0.6000])
    """
    K = probs.shape[1]
    if K <= FEW:
        return Candidates(probs / probs.sum(dim=1, keepdim=True), None, labels, verified)
    m = LIKELIEST if K <= MANY else LIKELIEST_OF_MANY
    top, index = probs.topk(m, dim=1)
    among = (index == labels.unsqueeze(1)).any(dim=1)
    # The least likely one makes room where the label is not among them.
    last = torch.where(among, index[:, -1], labels)
    index = torch.cat([index[:, :-1], last.unsqueeze(1)], dim=1)
    others = K - m
    own = torch.where(among, top[:, -1], probs.gather(1, labels.unsqueeze(1)).squeeze(1))
    # None of the others is likelier than the least likely of the likeliest: what rounding leaves is not theirs.
    rest = (1 - top[:, :-1].sum(dim=1) - own).clamp_min_(0.0).minimum(others * top[:, -1])
    kept = torch.cat([top[:, :-1], own.unsqueeze(1), rest.unsqueeze(1)], dim=1)
    kept /= kept.sum(dim=1, keepdim=True).clamp_min_(_FLOOR)
    return Candidates(kept, index, labels, verified, others)


def likeliest_class(probs: Tensor) -> Tensor:
    """The class with the highest probability, shape (n,): argmax, in two stages that run on whole vectors.

    Args:
        probs: Shape (n, K).

    >>> likeliest_class(torch.tensor([[0.2, 0.8], [0.7, 0.3]]))
    tensor([1, 0])
    """
    n, K = probs.shape
    stride = K // _STAGE
    if stride < _STAGE:
        return probs.argmax(dim=1)
    whole = stride * _STAGE
    best = probs[:, :whole].reshape(n, _STAGE, stride).amax(dim=1).argmax(dim=1, keepdim=True)
    steps, rest = (torch.arange(*of, device=probs.device) for of in ((0, whole, stride), (whole, K)))
    columns = torch.cat([best + steps, rest.expand(n, -1)], dim=1)
    return columns.gather(1, probs.gather(1, columns).argmax(dim=1, keepdim=True)).squeeze(1)

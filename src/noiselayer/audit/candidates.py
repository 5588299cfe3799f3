"""The classes that matter for a sample: all where there are few, else its likeliest ones and its own label."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Candidates", "candidates_of", "likeliest_class"]

FEW = 16
"""Up to so many classes, all of them are candidates."""
LIKELIEST = 8
_STAGE = 8


@dataclass(frozen=True, eq=False)
class Candidates:
    """Probabilities of n samples, of the classes that matter.

    Attributes:
        probs: Shape (n, m), rows sum to 1.
        index: Shape (n, m), their classes; None where they are 0..K-1 for every sample.
        labels: Shape (n,), the given labels; each is among the sample's classes.
        verified: Shape (n,), bool, or None: labels that are known to be right.
    """

    probs: Tensor
    index: Tensor | None
    labels: Tensor
    verified: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor) -> Candidates:
        """Some of the samples, by their positions or by a mask."""
        return Candidates(
            self.probs[rows],
            None if self.index is None else self.index[rows],
            self.labels[rows],
            None if self.verified is None else self.verified[rows],
        )

    def double(self) -> Candidates:
        """The same in float64."""
        return Candidates(self.probs.double(), self.index, self.labels, self.verified)

    def row_of_label(self, matrix: Tensor) -> Tensor:
        """``matrix[label, candidate]``, shape (n, m)."""
        if self.index is None:
            return matrix.index_select(0, self.labels)
        flat = self.labels.unsqueeze(1) * matrix.shape[1] + self.index
        return matrix.reshape(-1)[flat]

    def own(self) -> Tensor:
        """Whether a candidate is the given label, shape (n, m), bool."""
        if self.index is None:
            columns = torch.arange(self.probs.shape[1], device=self.labels.device)
            return columns == self.labels.unsqueeze(1)
        return self.index == self.labels.unsqueeze(1)

    def classes(self, columns: Tensor) -> Tensor:
        """Which classes stand in one column per sample, shape (n,)."""
        if self.index is None:
            return columns
        return self.index.gather(1, columns.unsqueeze(1)).squeeze(1)

    def add_by_label(self, values: Tensor, total: Tensor) -> Tensor:
        """Add (n, m) values by given label and class to ``total``, shape (K, K): row = label, column = class."""
        if self.index is None:
            return total.index_add_(0, self.labels, values)
        flat = (self.labels.unsqueeze(1) * total.shape[1] + self.index).reshape(-1)
        total.view(-1).index_add_(0, flat, values.reshape(-1))
        return total


def candidates_of(probs: Tensor, labels: Tensor, verified: Tensor | None = None) -> Candidates:
    """The likeliest eight classes of each sample and its given label; all of them where there are 16 or fewer.

    Args:
        probs: Shape (n, K), rows sum to 1.
        labels: Shape (n,), int64.
        verified: Shape (n,), bool.

    >>> few = candidates_of(torch.tensor([[0.2, 0.8]]), torch.tensor([0]))
    >>> few.probs, few.index
    (tensor([[0.2000, 0.8000]]), None)
    """
    K = probs.shape[1]
    if K <= FEW:
        return Candidates(probs / probs.sum(dim=1, keepdim=True), None, labels, verified)
    top, index = probs.topk(LIKELIEST, dim=1)
    among = (index == labels.unsqueeze(1)).any(dim=1)
    # The least likely one makes room where the label is not among them.
    last = torch.where(among, index[:, -1], labels)
    index = torch.cat([index[:, :-1], last.unsqueeze(1)], dim=1)
    top = probs.gather(1, index)
    return Candidates(top / top.sum(dim=1, keepdim=True).clamp_min(1e-30), index, labels, verified)


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
    best = probs[:, :whole].unflatten(1, (_STAGE, stride)).amax(dim=1).argmax(dim=1, keepdim=True)
    steps, rest = (torch.arange(*of, device=probs.device) for of in ((0, whole, stride), (whole, K)))
    columns = torch.cat([best + steps, rest.expand(n, -1)], dim=1)
    return columns.gather(1, probs.gather(1, columns).argmax(dim=1, keepdim=True)).squeeze(1)

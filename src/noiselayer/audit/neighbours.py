"""Neighbours on the features: a look at what a model may be too simple for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from noiselayer.audit.candidates import likeliest_class
from noiselayer.audit.column_order import column_order
from noiselayer.estimation.validate import check_labels, check_probs

_NUMBERS = (5, 10, 20, 40)  # of neighbours, among which the labels choose
_STANDARD_ERRORS = 3.0  # of what neighbours must explain better
_LEAST_GAIN = 0.05  # nats a label: with less the mixture only blurs what the model knows
_AMONG, _ASKED = 2**13, 2**11  # samples that neighbours are looked for among, and of which the labels choose
_AT_A_TIME = 2**10
_MOST_COLUMNS = 256  # of more, as many random mixtures keep the distances well enough
_ROUNDS = 50
_TINY = 1e-6

Rows = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class MixedProbabilities:
    """A model's probabilities mixed with the labels of a sample's neighbours.

    Attributes:
        probs: Shape (N, K), rows sum to 1.
        neighbours: How many.
        weight: Of the neighbours, from 0 to 1.
        gain: How much better the labels are explained, in nats each.
    """

    probs: Tensor
    neighbours: int
    weight: float
    gain: float

    @property
    def warning(self) -> str:
        """What it says of the model."""
        return (
            f"the labels of a sample's {self.neighbours} nearest others explain its label better than the model alone "
            f"does (by {self.gain:.2g} nats each): it misses something of the classes or of their noise, and its own "
            "mistakes would be taken for the labels'. So its probabilities are mixed with the neighbours' labels, "
            f"which have a weight of {self.weight:.0%}. A model that bends more, such as boosted trees, may do better "
            "than both."
        )


def mixed_with_neighbours(
    labels: Tensor, probs: Tensor, features: Tensor | Rows
) -> MixedProbabilities | None:
    r"""A model's probabilities, mixed with the labels of neighbours where these explain labels that it does not.

    A model that is too simple for the classes errs alike where it is sure and where it is not, and noise by class looks
    the same. The samples around one do not lie: with c_j of its k nearest others labelled j, its label is likely by

    .. math:: m_j = (1 - \lambda)\, p_j + \lambda\, \frac{c_j + p_j}{k + 1}

    lambda is the most likely weight, and k the most likely of 5, 10, 20 and 40; no sample's own label is among its
    neighbours'. Columns count alike (they are divided by their standard deviation). Neighbours are looked for among
    8,192 samples, and 2,048 tell whether the mixture is better, by 0.05 nats a label and three standard errors.

    Args:
        labels: Shape (N,), the given labels.
        probs: Shape (N, K), out-of-sample probabilities of the given label.
        features: Shape (N, D), or a function of positions that gives these rows; NaN counts as the column's mean.

    Returns:
        None if the labels are not explained better, or the columns of ``probs`` are in another order than the labels.

    Two classes lie crosswise, so that a linear model knows nothing of them:

    >>> generator = torch.Generator().manual_seed(0)
    >>> X = torch.randn(1000, 2, generator=generator)
    >>> labels = (X[:, 0] * X[:, 1] > 0).long()
    >>> mixed = mixed_with_neighbours(labels, torch.full((1000, 2), 0.5), X)
    >>> mixed.neighbours, (mixed.probs.argmax(dim=1) == labels).float().mean() > 0.95
    (10, tensor(True))
    >>> mixed_with_neighbours(labels, torch.eye(2)[labels], X) is None
    True
    """
    p = check_probs(probs, None, name="probs").float()
    K = p.shape[1]
    y = check_labels(labels, K, name="labels")
    if len(y) <= _NUMBERS[0] or column_order(_counts(y, likeliest_class(p), K)) is not None:
        return None
    rows = features if callable(features) else features.__getitem__
    near, (k, weight, gain) = _look(y, p.gather(1, y.unsqueeze(1)).squeeze(1), rows)
    if gain < _LEAST_GAIN:
        return None
    mixed = (1 - weight + weight / (k + 1)) * p
    for some, found in near.of(torch.arange(len(y)), k):
        mixed[some] += weight / (k + 1) * functional.one_hot(y[found], K).sum(dim=1)
    alone = torch.bincount(y, minlength=K)[y] == 1  # no other can speak for it
    mixed[alone] = p[alone]
    return MixedProbabilities(mixed / mixed.sum(dim=1, keepdim=True), k, weight, gain)


def gain_by_neighbours(labels: Tensor, likelihood: Tensor, features: Tensor) -> float:
    """How much better a mixture with neighbours' labels explains the labels, in nats each; 0 if by chance.

    Args:
        labels: Shape (N,).
        likelihood: Shape (N,), of each label by a model that has not seen it.
        features: Shape (N, D), where neighbours are near.
    """
    return _look(labels, likelihood, features.__getitem__)[1][2] if len(labels) > _NUMBERS[0] else 0.0


def _look(labels: Tensor, likelihood: Tensor, rows: Rows) -> tuple[_Neighbours, tuple[int, float, float]]:
    """The neighbours, how many of them explain most, their weight, and the gain in nats, 0 if it may be chance."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(labels), generator=generator)
    near = _Neighbours(rows, order[:_AMONG], generator)
    asked = order[:_ASKED]
    numbers = [k for k in _NUMBERS if k < len(near)]
    own = likelihood[asked].double().clamp_min(_TINY)
    same = torch.cat(
        [labels[found] == labels[some].unsqueeze(1) for some, found in near.of(asked, numbers[-1])]
    )
    sums = same.double().cumsum(dim=1)
    weight, gain, error, k = max(
        ((*_weigh(own, (sums[:, k - 1] + own) / (k + 1)), k) for k in numbers), key=lambda one: one[1]
    )
    return near, (k, weight, gain if gain > _STANDARD_ERRORS * error else 0.0)


def _counts(labels: Tensor, predicted: Tensor, num_classes: int) -> Tensor:
    flat = labels * num_classes + predicted
    return torch.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def _weigh(own: Tensor, neighbours: Tensor) -> tuple[float, float, float]:
    """The most likely weight of the neighbours, what is gained in nats a label, and its standard error."""
    weight = 0.5
    for _ in range(_ROUNDS):
        part = weight * neighbours
        weight = float((part / (part + (1 - weight) * own)).mean())
    gained = (1 + weight * (neighbours / own - 1)).log()
    return weight, float(gained.mean()), float(gained.std()) / len(own) ** 0.5


class _Neighbours:
    """The nearest ones of each sample among some of them."""

    def __init__(self, rows: Rows, among: Tensor, generator: torch.Generator) -> None:
        X = rows(among).float()
        present = X.isfinite()
        self.mean = torch.where(present, X, 0.0).sum(dim=0) / present.sum(dim=0).clamp_min(1)
        centred = torch.where(present, X - self.mean, 0.0)
        scale = centred.square().mean(dim=0).sqrt()
        self.factor = torch.where(scale > 0, 1 / scale, 0.0)
        self.mixtures = (
            torch.randn(X.shape[1], _MOST_COLUMNS, generator=generator)
            if X.shape[1] > _MOST_COLUMNS
            else None
        )
        self.rows, self.among, self.places = rows, among, self._placed(X)

    def __len__(self) -> int:
        return len(self.among)

    def of(self, samples: Tensor, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Some samples at a time, and the positions of their nearest others, shape (n, number)."""
        for some in torch.split(samples, _AT_A_TIME):
            distance = torch.cdist(self._placed(self.rows(some).float()), self.places)
            distance.masked_fill_(self.among == some.unsqueeze(1), torch.inf)
            yield some, self.among[distance.topk(number, largest=False).indices]

    def _placed(self, X: Tensor) -> Tensor:
        X = torch.where(X.isfinite(), X - self.mean, 0.0) * self.factor
        return X if self.mixtures is None else X @ self.mixtures

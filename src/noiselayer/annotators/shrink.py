"""A noise matrix per annotator, each drawn to what is common to all by as much as it has too few labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.estimation.confusion import confusion_by_prediction

_LOG_STRENGTHS = torch.linspace(
    -1.0, 11.0, 31, dtype=torch.float64
)  # 0.4 to 60,000 imagined labels per column
_OF_COLUMN = 1.0  # standard deviation of a column's log strength around that of all columns
_SKILL_STEPS = 8
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of an annotator before its labels are looked at: a Dirichlet distribution per column.

    Attributes:
        common: Shape (K, K), the mean of all annotators, ``[j, i] = p(label = j | true = i)``.
        centres: Shape (S, K, K), the same with every annotator's own odds of being wrong.
        strength: Shape (K,), how many imagined labels the centre stands for in every column.
        spread: Of the annotators' log odds of being wrong, a standard deviation.
    """

    common: Tensor
    centres: Tensor
    strength: Tensor
    spread: float

    def shrunk(self, counts: Tensor) -> Tensor:
        """The posterior means of all columns, shape (S, K, K), from counts of shape (S, K, K)."""
        total = counts.sum(dim=1, keepdim=True)
        return (counts + self.strength * self.centres) / (total + self.strength)


def common_matrix(counts: Tensor, strength: Tensor | float = 0.0) -> Tensor:
    r"""The mean of the annotators' columns, each weighted by what it tells of the mean.

    An annotator with n labels of a class tells it with variance in proportion to 1/n + 1/a, where a is how alike
    annotators are: :math:`w = n a / (n + a)`. With a = 0 (nothing known) all labels count alike.

    Args:
        counts: Shape (S, K, K), ``[s, j, i]`` labels j by annotator s of samples of class i.
        strength: a, shape (K,) or a number.

    >>> counts = torch.tensor([[[80.0, 10.0], [20.0, 90.0]], [[5.0, 5.0], [5.0, 5.0]]])
    >>> common_matrix(counts, strength=10.0)
    tensor([[0.6973, 0.2425],
            [0.3027, 0.7575]], dtype=torch.float64)
    """
    counts = counts.double()
    strength = torch.as_tensor(strength, dtype=torch.float64)
    n = counts.sum(dim=1, keepdim=True)
    factor = torch.where(strength > 0, strength / (n + strength), 1.0)
    pooled = (factor * counts).sum(dim=0)
    return confusion_by_prediction(pooled)  # with one count more, so that no confusion is called impossible


def fit_prior(
    counts: Tensor, drawn: Tensor | None = None, start: Prior | None = None, *, step: float = 1.0
) -> Prior:
    r"""The prior under which the counts of all annotators are most likely (empirical Bayes).

    An annotator's column is a draw from :math:`\mathrm{Dirichlet}(a_i\, m_{s i})`. Its centre :math:`m_{s i}` is
    the common column with the odds of being wrong multiplied by a factor of the annotator's, the same in all
    columns: whoever errs with dogs errs with cats. The factors are normal in their logarithm, with a spread
    fitted too; the strengths :math:`a_i` maximise

    .. math:: \sum_s \log \frac{\Gamma(a_i)}{\Gamma(a_i + n_{s \cdot i})}
        \prod_j \frac{\Gamma(a_i m_{s j i} + n_{s j i})}{\Gamma(a_i m_{s j i})}

    and keep near to each other (a normal prior of standard deviation 1 on their logarithms), for few annotators
    tell little of them.

    Args:
        counts: Shape (S, K, K), ``[s, j, i]`` labels j by annotator s of samples of class i; expected counts,
            where the class is not known.
        drawn: The same with every sample's class drawn from what is known of it. How much the annotators differ is
            read from these: expected counts differ less than counts do, and taken for counts they would draw the
            annotators together a little more with every round, until one matrix is left.
        start: An earlier answer, to go on from.
        step: How far strengths and spread move from there to what these counts say, in logarithms.

    >>> generator = torch.Generator().manual_seed(0)
    >>> Q = torch.tensor([[0.9, 0.3], [0.1, 0.7]])
    >>> alike = torch.poisson((200 * Q).expand(20, 2, 2).contiguous(), generator=generator)
    >>> float(fit_prior(alike).strength.min()) > 1000  # one matrix for all
    True
    """
    counts = counts.double()
    drawn = counts if drawn is None else drawn.double()
    strength: Tensor | float = 0.0 if start is None else start.strength
    for _ in range(2 if start is None else 1):
        common = common_matrix(counts, strength)
        spread = skills(drawn, common).spread
        if start is not None:
            spread = start.spread ** (1 - step) * spread**step
        centres = tilted(common, skills(counts, common, spread).log_odds)
        found = _strengths(drawn, centres)
        strength = found if start is None else start.strength ** (1 - step) * found**step
    assert isinstance(strength, Tensor)
    return Prior(common, centres, strength, spread)


class Skills(NamedTuple):
    """Every annotator's log factor of the odds of being wrong."""

    log_odds: Tensor
    """Shape (S,)."""
    error: Tensor
    """Shape (S,), standard errors."""
    spread: float
    """Among annotators, a standard deviation."""


def skills(counts: Tensor, common: Tensor, spread: float | None = None) -> Skills:
    """How much more than usual (``common``) every annotator errs: a random effect, by Newton's method.

    >>> usual = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    >>> counts = torch.tensor([[[500.0, 500.0], [500.0, 500.0]], [[0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    >>> skills(counts, usual, spread=1.0).log_odds.round(decimals=1)  # odds of 1:1 are nine times 1:9
    tensor([2.2000, 0.0000], dtype=torch.float64)
    """
    right = counts.diagonal(dim1=1, dim2=2)
    n = counts.sum(dim=1)
    own = common.diagonal().clamp(_TINY, 1 - _TINY)
    offset = ((1 - own) / own).log()
    theta = torch.zeros(len(counts), dtype=torch.float64)
    variance = 1.0 if spread is None else spread**2
    for _ in range(_SKILL_STEPS if spread is None else 2):
        for _ in range(3):
            wrong = (offset + theta.unsqueeze(1)).sigmoid()
            slope = (n - right - n * wrong).sum(dim=1) - theta / variance
            curvature = (n * wrong * (1 - wrong)).sum(dim=1) + 1 / variance
            theta = (theta + (slope / curvature).clamp(-1.5, 1.5)).clamp(-6, 6)
        if spread is None:
            variance = float((theta.square() + 1 / curvature).mean().clamp(1e-4, 9.0))
    return Skills(theta, curvature.rsqrt(), variance**0.5)


def tilted(common: Tensor, log_odds: Tensor) -> Tensor:
    """The common matrix with every annotator's own odds of being wrong, shape (S, K, K).

    >>> tilted(torch.tensor([[0.9, 0.1], [0.1, 0.9]]), torch.tensor([0.0, 9.0]).log1p())[1]
    tensor([[0.4737, 0.5263],
            [0.5263, 0.4737]])
    """
    wrong = common * log_odds.exp().to(common.dtype).reshape(-1, 1, 1)
    moved = torch.where(torch.eye(len(common), dtype=torch.bool), common, wrong)
    return moved / moved.sum(dim=1, keepdim=True)


def _strengths(counts: Tensor, centres: Tensor) -> Tensor:
    """The strengths of most marginal likelihood, shape (K,), on a grid and between its points."""
    n = counts.sum(dim=1)
    some = counts > 1e-9  # the others add nothing, and with many classes they are most
    at, column = counts[some], some.nonzero()[:, 2]
    centre = centres[some]
    levels = []
    for log_a in _LOG_STRENGTHS:
        a = log_a.exp()
        whole = (torch.lgamma(a) - torch.lgamma(a + n)).sum(dim=0)
        mean = a * centre
        parts = torch.lgamma(mean + at) - torch.lgamma(mean)
        levels.append(whole.index_add(0, column, parts))
    likelihood = torch.stack(levels)  # (grid, K)
    grid = _LOG_STRENGTHS.unsqueeze(1)
    shared = grid[likelihood.sum(dim=1).argmax()]
    penalised = likelihood - (grid - shared).square() / (2 * _OF_COLUMN**2)
    best = penalised.argmax(dim=0).clamp(1, len(grid) - 2)
    low, middle, high = (penalised.gather(0, (best + d).unsqueeze(0)).squeeze(0) for d in (-1, 0, 1))
    bend = (2 * middle - low - high).clamp_min(_TINY)
    step = ((high - low) / (2 * bend)).clamp(-1, 1)
    spacing = float(_LOG_STRENGTHS[1] - _LOG_STRENGTHS[0])
    return (_LOG_STRENGTHS[best] + spacing * step).exp()

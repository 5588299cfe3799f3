"""From a model's probabilities to those of the true class, and from there to the given label's error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates

_FLOOR = 1e-30
_LEAST_PROBABILITY, _LEAST_LOG = 1e-9, math.log(1e-6)
_FEWEST = 1e-3  # the share that unmixed probabilities give to all candidates alike: none is impossible
_ODDS = (-15.0, 15.0)  # of a blend: beyond it, the logarithm of next to nothing says nothing
_UNMIX_STEPS = 15
_UNMIX_ROWS = 2**11  # at a time, of those with few candidates among many classes: what a cache holds


@dataclass(frozen=True, eq=False)
class Scores:
    """What is known of n samples.

    Attributes:
        log_odds: Shape (n,), log of the odds that the label is wrong.
        suggested: Shape (n,), the most probable true class.
        other: Shape (n,), the most probable one apart from the given label.
    """

    log_odds: Tensor
    suggested: Tensor
    other: Tensor

    @property
    def error_probability(self) -> Tensor:
        """Shape (n,)."""
        return self.log_odds.sigmoid()


@dataclass(frozen=True, eq=False)
class NoiseByConfidence:
    r"""Noise that shrinks, or grows, with the confidence of the model, c(x) = max p(x).

    .. math:: Q(x) = I + s(c)\, (Q - I), \qquad s \text{ constant between the cuts}

    Attributes:
        cuts: Shape (B - 1,), ascending confidences.
        factors: Shape (B,), s, none negative; 1 everywhere is noise by class alone.
    """

    cuts: Tensor
    factors: Tensor

    def level(self, samples: Candidates) -> Tensor:
        """Between which cuts each sample lies, shape (n,), 0..B-1."""
        confidence = samples.probs[:, : samples.num_candidates].amax(dim=1)
        return torch.bucketize(confidence, self.cuts.to(confidence.dtype))

    def row_of_label(self, rows: Tensor, samples: Candidates) -> Tensor:
        """``Q(x)[label, candidate]`` from ``Q[label, candidate]``, same shape."""
        s = self.factors.to(rows.dtype)[self.level(samples)].unsqueeze(1)
        return torch.where(samples.own(), (1 - s * (1 - rows)).clamp_min(_FEWEST), s * rows)


@dataclass(frozen=True, eq=False)
class Calibration:
    r"""What brings probabilities to the labels: :math:`q_j \propto ((1 - \lambda) p_j + \lambda / K)^a \exp(b_j)`.

    Attributes:
        power: a, shape (1,).
        floor: lambda, shape (1,), from 0 to 1.
        bias: b, shape (K,).
    """

    power: Tensor
    floor: Tensor
    bias: Tensor

    def log_probs(self, probs: Tensor) -> Tensor:
        """The logarithm of q, shape (n, K), of probabilities of all classes."""
        floor, power, bias = (one.to(probs.dtype) for one in (self.floor, self.power, self.bias))
        z = ((1 - floor) * probs + floor / probs.shape[1]).clamp_min(_LEAST_PROBABILITY).log()
        return (z * power + bias).log_softmax(dim=1)


@dataclass(frozen=True, eq=False)
class NoiseModel:
    r"""How labels come about: a sharpness, a noise matrix, and how much of it the probabilities show already.

    .. math:: p(y^* = i \mid x) \propto r_i(x)^{\tau}, \qquad
        \tilde p(x) = \big((1 - \kappa) I + \kappa Q\big)\, r(x)

    Attributes:
        noise_matrix: Q, shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        sharpness: tau, one divided by the temperature.
        learned_share: kappa, from 0 (the model's probabilities are of the true class, but for their
            temperature) to 1 (they are of the noisy label).
        shift: Added to the log odds that a label is wrong, see :func:`noiselayer.audit.judge.judging_model`.
        by_confidence: How the noise depends on the model's confidence; None if on the class alone.
        blend: Factors of the log odds that a label is wrong and of the margin by which another class is ahead of it,
            see :func:`noiselayer.audit.changed_labels.blended`; None for the log odds alone.
        calibration: The margin of the blend is that of probabilities calibrated by it, in logarithms, see
            :func:`noiselayer.audit.calibrated_halfway.calibrated_halfway`; None for that of probabilities as they are.
    """

    noise_matrix: Tensor
    sharpness: float = 1.0
    learned_share: float = 0.0
    shift: float = 0.0
    by_confidence: NoiseByConfidence | None = None
    blend: tuple[float, float] | None = None
    calibration: Calibration | None = None

    @cached_property
    def _row_sums(self) -> Tensor:
        return self.noise_matrix.sum(dim=1)

    def log_true(self, samples: Candidates) -> Tensor:
        """The logarithm of r of every candidate: what is behind the probabilities, before they are sharpened.

        Shape as ``samples.probs``; in the column of all other classes together stands that of one of them.
        """
        if self.learned_share == 0:
            return samples.log_of_each(samples.probs)
        r = unmix(samples, self.noise_matrix, learned_share=self.learned_share, row_sums=self._row_sums)
        return samples.log_of_each(r.mul_(1 - _FEWEST).add_(_FEWEST / r.shape[1]))

    def log_joint(self, samples: Candidates) -> Tensor:
        """The logarithm of Q[label, i] p_i but for a constant of the row, shape as ``samples.probs``."""
        z = samples.together(self.log_true(samples).mul_(self.sharpness))
        rows = samples.row_of_label(self.noise_matrix.to(z.dtype), self._row_sums)
        if self.by_confidence is not None:
            rows = self.by_confidence.row_of_label(rows, samples)
        z = z.add_(rows.log_())
        own = samples.own()
        if self.blend is not None:
            a, b = self.blend
            others = z.masked_fill(own, -torch.inf).logsumexp(dim=1, keepdim=True)
            odds = (others - z.masked_fill(~own, -torch.inf).amax(dim=1, keepdim=True)).clamp_(*_ODDS)
            ahead = margin(samples)
            if self.calibration is not None:
                ahead = log_margin(self.calibration.log_probs(samples.probs), own)
            z = torch.where(own, others - a * odds - b * ahead.unsqueeze(1).to(z.dtype), z)
        return z.sub_(own.to(z.dtype), alpha=self.shift) if self.shift else z

    def differs(self, samples: Candidates) -> Tensor:
        """Whether a label is another one than the likeliest class, calibrated and not, shape (n,), bool."""
        differs = samples.predicted() != samples.labels
        if self.calibration is None:
            return differs
        return differs & (self.calibration.log_probs(samples.probs).argmax(dim=1) != samples.labels)

    def true_probs(self, samples: Candidates) -> Tensor:
        """Probabilities of the true class before the label is looked at, shape as ``samples.probs``."""
        return samples.together(self.log_true(samples).mul_(self.sharpness)).softmax(dim=1)

    def log_likelihood(self, samples: Candidates) -> Tensor:
        """The logarithm of p(label | x), shape (n,); what a shift and a blend add is left out."""
        prior = samples.together(self.log_true(samples).mul_(self.sharpness)).logsumexp(dim=1)
        return replace(self, shift=0.0, blend=None).log_joint(samples).logsumexp(dim=1) - prior

    def score(self, samples: Candidates) -> Scores:
        """The posterior's verdict on every label; one that is verified is right."""
        joint = self.log_joint(samples)
        own = samples.own()
        # In log space and without the given label's share: neither near 0 nor near 1 do digits get lost.
        right = joint.masked_fill(~own, -torch.inf).amax(dim=1)
        others = joint.masked_fill(own, -torch.inf)
        log_odds = others.logsumexp(dim=1) - right
        if samples.verified is not None:
            log_odds = log_odds.masked_fill(samples.verified, -torch.inf)
        best, column = others[:, : samples.num_candidates].max(dim=1)
        other = samples.classes(column)
        suggested = torch.where(best > right, other, samples.labels)
        if samples.verified is not None:
            suggested = torch.where(samples.verified, samples.labels, suggested)
        return Scores(log_odds, suggested, other)


def margin(samples: Candidates) -> Tensor:
    """By how much the likeliest other class is ahead of the given label, shape (n,), from -1 to 1."""
    p, own = samples.probs[:, : samples.num_candidates], samples.own()[:, : samples.num_candidates]
    return p.masked_fill(own, -1.0).amax(dim=1) - p.masked_fill(~own, 0.0).sum(dim=1)


def log_margin(log_probs: Tensor, own: Tensor) -> Tensor:
    """The same in logarithms, none below that of a millionth, shape (n,), from shapes (n, K)."""
    z = log_probs.clamp_min(_LEAST_LOG)
    return z.masked_fill(own, -torch.inf).amax(dim=1) - z.masked_fill(~own, -torch.inf).amax(dim=1)


def unmix(
    samples: Candidates,
    noise_matrix: Tensor,
    *,
    learned_share: float = 1.0,
    steps: int = _UNMIX_STEPS,
    row_sums: Tensor | None = None,
) -> Tensor:
    """The probabilities of the true class that explain those of the noisy label, each a row on the simplex.

    Multiplicative steps towards the most likely weights of a mixture of ``noise_matrix``'s columns; each step
    keeps the row nonnegative and its sum. They are stopped early: the last digits of an inversion are noise.
    Where only some classes are candidates, the others are one more, with the mean of their columns.

    Args:
        samples: Probabilities of the noisy label.
        noise_matrix: Shape (K, K), columns = true classes.
        learned_share: kappa, how much of it the probabilities show.
        steps: How many.
        row_sums: Shape (K,), of the noise matrix, if they are known already.

    >>> from noiselayer.audit.candidates import candidates_of
    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> noisy = torch.tensor([[0.8, 0.2], [0.6, 0.4]])  # Q @ (1, 0) and Q @ (1/2, 1/2)
    >>> unmix(candidates_of(noisy, torch.tensor([0, 0])), Q, steps=500).round(decimals=2)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    if samples.index is not None:
        found = torch.empty_like(samples.probs)
        row_sums = noise_matrix.sum(dim=1) if row_sums is None else row_sums
        for start in range(0, len(samples), _UNMIX_ROWS):
            rows = slice(start, start + _UNMIX_ROWS)
            p, index = samples.probs[rows], samples.index[rows]
            A = _among_candidates(noise_matrix, row_sums, index, samples.others).to(p.dtype)
            found[rows] = _unmix_candidates(p, A, learned_share, steps)
        return found
    p = samples.probs
    Q = learned_share * noise_matrix.to(p.dtype)
    Q.diagonal().add_(1 - learned_share)
    r = torch.full_like(p, 1 / p.shape[1])
    for _ in range(steps):
        r = r * ((p / (r @ Q.T).clamp_min_(_FLOOR)) @ Q)
    return r / r.sum(dim=1, keepdim=True).clamp_min(_FLOOR)


def _among_candidates(noise_matrix: Tensor, row_sums: Tensor, index: Tensor, others: int) -> Tensor:
    """Every sample's part of Q, shape (m, m, n) or (m + 1, m + 1, n); samples come last: vectors are long."""
    classes = index.T.contiguous()
    m, n = classes.shape
    flat = (classes * noise_matrix.shape[1]).unsqueeze(1) + classes
    inner = noise_matrix.reshape(-1)[flat]
    if not others:
        return inner.div_(inner.sum(dim=0).clamp_min_(_FLOOR))
    A = inner.new_empty(m + 1, m + 1, n)
    A[:m, :m] = inner
    A[:m, m] = (row_sums[classes] - inner.sum(dim=1)).clamp_min_(0.0).div_(others)
    A[m] = (1 - A[:m].sum(dim=0)).clamp_min_(0.0)
    return A


def _unmix_candidates(probs: Tensor, A: Tensor, learned_share: float, steps: int) -> Tensor:
    """:func:`unmix` with a matrix of its own for every sample."""
    p = probs.T.contiguous()
    A.mul_(learned_share).diagonal().add_(1 - learned_share)
    r, product = torch.full_like(p, 1 / len(p)), torch.empty_like(A)
    for _ in range(steps):
        seen = torch.mul(A, r, out=product).sum(dim=1).clamp_min_(_FLOOR)
        r *= torch.mul(A, torch.div(p, seen, out=seen).unsqueeze(1), out=product).sum(dim=0)
    return r.div_(r.sum(dim=0).clamp_min_(_FLOOR)).T

"""From a model's probabilities to those of the true class, and from there to the given label's error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates

__all__ = ["NoiseModel", "Scores", "unmix"]

_FLOOR = 1e-30
_FEWEST = 1e-3  # the share that unmixed probabilities give to all candidates alike: none is impossible
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
class NoiseModel:
    r"""How labels come about: a sharpness, a noise matrix, and how much of it the probabilities show already.

    .. math:: p(y^* = i \mid x) \propto r_i(x)^{\tau}, \qquad
        \tilde p(x) = \big((1 - \kappa) I + \kappa Q\big)\, r(x)

    Attributes:
        noise_matrix: Q, shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        sharpness: tau, one divided by the temperature.
        learned_share: kappa, from 0 (the model's probabilities are of the true class, but for their
            temperature) to 1 (they are of the noisy label).
    """

    noise_matrix: Tensor
    sharpness: float = 1.0
    learned_share: float = 0.0

    def log_true(self, samples: Candidates) -> Tensor:
        """The logarithm of r, shape (n, m): what is behind the probabilities, before they are sharpened."""
        if self.learned_share == 0:
            return samples.probs.clamp_min(_FLOOR).log()
        r = unmix(samples, self.noise_matrix, learned_share=self.learned_share)
        return ((1 - _FEWEST) * r + _FEWEST / r.shape[1]).log_()

    def log_joint(self, samples: Candidates) -> Tensor:
        """The logarithm of Q[label, i] p_i but for a constant of the row, shape (n, m)."""
        z = self.log_true(samples).mul_(self.sharpness)
        Q = self.noise_matrix.to(z.dtype)
        return z.add_(samples.row_of_label(Q).log())

    def true_probs(self, samples: Candidates) -> Tensor:
        """Probabilities of the true class before the label is looked at, shape (n, m)."""
        return (self.log_true(samples) * self.sharpness).softmax(dim=1)

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
        best, column = others.max(dim=1)
        other = samples.classes(column)
        suggested = torch.where(best > right, other, samples.labels)
        if samples.verified is not None:
            suggested = torch.where(samples.verified, samples.labels, suggested)
        return Scores(log_odds, suggested, other)


def unmix(
    samples: Candidates, noise_matrix: Tensor, *, learned_share: float = 1.0, steps: int = _UNMIX_STEPS
) -> Tensor:
    """The probabilities of the true class that explain those of the noisy label, each a row on the simplex.

    Multiplicative steps towards the most likely weights of a mixture of ``noise_matrix``'s columns; each step
    keeps the row nonnegative and its sum. They are stopped early: the last digits of an inversion are noise.
    Where only some classes are candidates, the others' share in every column is left out of account.

    Args:
        samples: Probabilities of the noisy label.
        noise_matrix: Shape (K, K), columns = true classes.
        learned_share: kappa, how much of it the probabilities show.
        steps: How many.

    >>> from noiselayer.audit.candidates import candidates_of
    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> noisy = torch.tensor([[0.8, 0.2], [0.6, 0.4]])  # Q @ (1, 0) and Q @ (1/2, 1/2)
    >>> unmix(candidates_of(noisy, torch.tensor([0, 0])), Q, steps=500).round(decimals=2)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    if samples.index is not None:
        found = torch.empty_like(samples.probs)
        for start in range(0, len(samples), _UNMIX_ROWS):
            rows = slice(start, start + _UNMIX_ROWS)
            _unmix_candidates(
                samples.probs[rows], samples.index[rows], noise_matrix, learned_share, steps, found[rows]
            )
        return found
    p = samples.probs
    Q = learned_share * noise_matrix.to(p.dtype)
    Q.diagonal().add_(1 - learned_share)
    r = torch.full_like(p, 1 / p.shape[1])
    for _ in range(steps):
        r = r * ((p / (r @ Q.T).clamp_min_(_FLOOR)) @ Q)
    return r / r.sum(dim=1, keepdim=True).clamp_min(_FLOOR)


def _unmix_candidates(
    probs: Tensor, index: Tensor, noise_matrix: Tensor, learned_share: float, steps: int, out: Tensor
) -> None:
    """The same for m candidates of each sample. Samples come last: every operation is on long vectors."""
    p, classes = probs.T.contiguous(), index.T.contiguous()
    m, n = p.shape
    flat = classes.unsqueeze(1) * noise_matrix.shape[1] + classes
    A = noise_matrix.reshape(-1)[flat].to(p.dtype).mul_(learned_share)  # A[j, i, n]
    A.view(m * m, n)[:: m + 1].add_(1 - learned_share)
    A.div_(A.sum(dim=0).clamp_min_(_FLOOR))
    r, product = torch.full_like(p, 1 / m), torch.empty_like(A)
    for _ in range(steps):
        seen = torch.mul(A, r, out=product).sum(dim=1).clamp_min_(_FLOOR)
        r *= torch.mul(A, torch.div(p, seen, out=seen).unsqueeze(1), out=product).sum(dim=0)
    torch.div(r, r.sum(dim=0).clamp_min_(_FLOOR), out=out.T)

"""Expectation-maximisation over who is right: true classes, and a noise matrix per annotator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.annotators.model_evidence import Evidence
from noiselayer.annotators.shrink import Prior, fit_prior
from noiselayer.annotators.votes import Votes
from noiselayer.noise.posterior import bayes

_PORTION = 2**22  # numbers at a time
_FIRST_GUESS = 0.7  # the share of right labels before anything is known
# How often what the annotators have in common is fitted, and every how many rounds.
_PRIORS, _ROUNDS_PER_PRIOR = 10, 3
_MOST_ROUNDS, _TOLERANCE = 200, 1e-4
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Answer:
    """Where expectation-maximisation ended."""

    noise_matrices: Tensor
    posterior: Tensor
    counts: Tensor  # (S, K, K), expected labels j of annotator s on samples of class i
    prior: Prior  # what the matrices were drawn to
    class_prior: Tensor
    evidence: Evidence | None
    rounds: int
    converged: bool


def posterior_of(
    votes: Votes, noise_matrices: Tensor, log_prior: Tensor, true_labels: Tensor | None = None
) -> Tensor:
    r"""p(true class | all labels), (N, K), from ``log_prior`` log w, (N, K) or (K,); ``true_labels`` -1 is unknown.

    .. math:: p(y^*_n = i \mid \tilde y_n) \propto w_i(x_n) \prod_{(s, j) \text{ said of } n} Q_{s j i}

    Labels of one sample are taken as independent of each other given its class.

    >>> from noiselayer.annotators.votes import votes_of
    >>> Q = torch.tensor([[[0.9, 0.2], [0.1, 0.8]], [[0.6, 0.3], [0.4, 0.7]]])
    >>> posterior_of(votes_of(torch.tensor([[0, 1]])), Q, torch.tensor([0.5, 0.5]).log())
    tensor([[0.7200, 0.2800]], dtype=torch.float64)
    """
    N, K = votes.num_samples, votes.num_classes
    log_Q = noise_matrices.double().reshape(-1, K).clamp_min(_TINY).log()
    joint = log_prior.double().expand(N, K).clone()
    size = max(1, _PORTION // K)
    for at, rows in zip(torch.split(votes.samples, size), torch.split(votes.rows, size), strict=True):
        joint.index_add_(0, at, log_Q[rows])
    posterior = bayes(joint)
    if true_labels is not None:
        known = (true_labels >= 0).nonzero().flatten()
        posterior[known] = torch.nn.functional.one_hot(true_labels[known], K).double()
    return posterior


def expected_counts(votes: Votes, posterior: Tensor) -> Tensor:
    """How often annotator s said j of samples of class i, shape (S, K, K), as far as the classes are known."""
    K = votes.num_classes
    counts = torch.zeros(votes.num_annotators * K, K, dtype=torch.float64)
    size = max(1, _PORTION // K)
    for at, rows in zip(torch.split(votes.samples, size), torch.split(votes.rows, size), strict=True):
        counts.index_add_(0, rows, posterior[at])
    return counts.reshape(votes.num_annotators, K, K)


def maximise(
    votes: Votes,
    *,
    evidence: Evidence | None = None,
    calibrate: bool = False,
    true_labels: Tensor | None = None,
) -> Answer:
    """Matrices, true classes and the common ground in turn until nothing moves; ``calibrate`` fits evidence too."""
    K = votes.num_classes
    Q = torch.full((K, K), (1 - _FIRST_GUESS) / (K - 1), dtype=torch.float64)
    Q = Q.fill_diagonal_(_FIRST_GUESS).expand(votes.num_annotators, K, K)
    log_prior = _log_prior(evidence, torch.full((K,), 1 / K, dtype=torch.float64))
    prior: Prior | None = None
    converged, rounds = False, 0
    generator = torch.Generator().manual_seed(0)
    posterior = posterior_of(votes, Q, log_prior, true_labels)
    for rounds in range(1, _MOST_ROUNDS + 1):
        counts = expected_counts(votes, posterior)
        turn, rest = divmod(rounds - 1, _ROUNDS_PER_PRIOR)
        if rest == 0 and turn < _PRIORS:
            drawn = expected_counts(votes, draw_classes(posterior, generator))
            # What is drawn is noisy: after the first few it is averaged.
            prior = fit_prior(counts, drawn, prior, step=1 / max(1, turn - _PRIORS // 2 + 1))
        assert prior is not None
        before, Q = Q, prior.shrunk(counts)
        pi = _shares(posterior)
        if evidence is not None and calibrate:
            evidence = evidence.fitted(posterior)
        posterior = posterior_of(votes, Q, _log_prior(evidence, pi), true_labels)
        if turn >= _PRIORS and float((Q - before).abs().max()) < _TOLERANCE:
            converged = True
            break
    counts = expected_counts(votes, posterior)
    assert prior is not None
    return Answer(Q, posterior, counts, prior, _shares(posterior), evidence, rounds, converged)


def draw_classes(posterior: Tensor, generator: torch.Generator) -> Tensor:
    """A class for every sample, drawn from its posterior: one-hot, shape (N, K).

    >>> draw_classes(torch.tensor([[0.0, 1.0]]), torch.Generator().manual_seed(0))
    tensor([[0., 1.]], dtype=torch.float64)
    """
    drawn = torch.multinomial(posterior, 1, generator=generator).squeeze(1)
    return torch.nn.functional.one_hot(drawn, posterior.shape[1]).double()


def _log_prior(evidence: Evidence | None, class_prior: Tensor) -> Tensor:
    return class_prior.log() if evidence is None else evidence.log_prior()


def _shares(posterior: Tensor) -> Tensor:
    """The classes' shares, with one sample spread evenly: none is impossible."""
    N, K = posterior.shape
    return (posterior.sum(dim=0) + 1 / K) / (N + 1)

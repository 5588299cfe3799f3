"""The noise matrix and the temperature from out-of-sample probabilities and noisy labels alone.

A model's probabilities do not say by themselves whether a doubt is the sample's or the labels'. Where they are
calibrated for the noisy label, the identity explains the labels as well as the true noise matrix does, and so does
everything between them. Theorem 1's answer is the smallest trace among them. So the search comes from the noisy
side, with a trace penalty that decreases to zero, and stops at the first matrix that explains the labels; answers
are compared by the likelihood of the noisy labels, which for samples that the model has not seen is held out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.noise_model import NoiseModel
from noiselayer.estimation.sharpness import sharpness_step

LEARNED_SHARES = (0.0, 0.5, 1.0)
_TRACE_PENALTIES = (0.1, 0.03, 0.01, 0.0)  # weights of tr(Q) / K against the mean log-likelihood
_STRENGTH = 5.0  # samples that the first, one-parameter answer counts for in every column
_SHARPNESS = (0.05, 20.0)
_CHOICE_ROWS = 2**13
_MANY_CLASSES = 64
_TINY = 1e-30


def fit_noise_model(
    samples: Candidates,
    confusion: Tensor,
    *,
    noise_matrix: Tensor | None = None,
    learned_shares: tuple[float, ...] = LEARNED_SHARES,
) -> tuple[NoiseModel, float]:
    """The noise model under which the noisy labels are most likely.

    Expectation-maximisation in Q and the sharpness, with the probabilities taken back through the current Q
    every few steps and a trace penalty that decreases; once for each share of the noise that the model may
    have learned. The most likely of all these answers is taken.

    Args:
        samples: Out-of-sample probabilities and the given labels.
        confusion: Shape (K, K), see :func:`noiselayer.estimation.confusion.confusion_by_prediction`; where the
            search starts.
        noise_matrix: Shape (K, K), kept as it is; estimated if None.
        learned_shares: Candidates for the share; (0,) for probabilities of the true class.

    Returns:
        The noise model, in float64 (float32 where there are many classes), and its mean log-likelihood of the
        noisy labels.

    >>> from noiselayer import corrupt_labels
    >>> from noiselayer.audit.candidates import candidates_of
    >>> from noiselayer.noise import pair_flip
    >>> generator, Q = torch.Generator().manual_seed(0), pair_flip(3, 0.3)
    >>> truth = torch.arange(3000) % 3
    >>> scores = 12 * torch.eye(3)[truth] + 4 * torch.randn(3000, 3, generator=generator)
    >>> labels = corrupt_labels(truth, Q, generator=generator)
    >>> samples = candidates_of(scores.softmax(dim=1) @ Q.T, labels)  # a model that has learned the noise
    >>> start = torch.tensor([[0.7, 0.1, 0.2], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    >>> model, _ = fit_noise_model(samples, start)
    >>> (model.noise_matrix - Q).abs().max() < 0.05
    tensor(True)
    """
    dtype = torch.float64 if len(confusion) <= _MANY_CLASSES else torch.float32
    samples, C = samples.to(dtype), confusion.to(dtype)
    few = samples if len(samples) <= _CHOICE_ROWS else samples.take(_spread(len(samples), _CHOICE_ROWS))
    Q = None if noise_matrix is None else noise_matrix.to(dtype)
    # max keeps one answer, not a list of matrices.
    prior = shrunk_confusion(few, C.clone()) if Q is None else Q
    best = max(
        (answer for share in learned_shares for answer in _path(few, C, Q, prior, share)),
        key=lambda one: one.likelihood,
    )
    if few is samples:
        return best.model, best.likelihood
    return refit(samples, best.model, prior, fixed=Q is not None, trace_penalty=best.trace_penalty)


def refit(
    samples: Candidates,
    model: NoiseModel,
    prior: Tensor,
    *,
    fixed: bool,
    trace_penalty: float = 0.0,
    weights: Tensor | None = None,
    rounds: int = 2,
) -> tuple[NoiseModel, float]:
    """Go on from an answer, with other samples or weights.

    Args:
        samples: In the precision of ``prior``.
        model: Where to start.
        prior: Shape (K, K), columns sum to 1: what every column is drawn to where there are few samples.
        fixed: Keep the noise matrix.
        trace_penalty: Weight of tr(Q) / K.
        weights: Shape (n,), of the samples; all 1 if None.
        rounds: How often the probabilities are taken back through the current Q.
    """
    steps = 20 if len(prior) <= _MANY_CLASSES else 5
    likelihood = 0.0
    for _ in range(rounds if model.learned_share else 1):
        z = model.log_true(samples)
        model, likelihood = _maximise(
            samples,
            z,
            model,
            prior,
            fixed=fixed,
            trace_penalty=trace_penalty,
            weights=weights,
            steps=steps if model.learned_share else 2 * steps,
        )
    return model, likelihood


class _Answer(NamedTuple):
    model: NoiseModel
    likelihood: float
    trace_penalty: float


def _path(samples: Candidates, C: Tensor, Q: Tensor | None, prior: Tensor, share: float) -> Iterator[_Answer]:
    """One answer per trace penalty, each from the one before; a single one where Q is given."""
    if Q is not None:
        yield _Answer(*refit(samples, NoiseModel(Q, 1.0, share), prior, fixed=True, rounds=1), 0.0)
        return
    model = NoiseModel(C, 1.5, share)
    many = len(C) > _MANY_CLASSES  # where a step costs K^2, whatever the samples
    for weight in _TRACE_PENALTIES[::3] if many else _TRACE_PENALTIES:
        model, likelihood = refit(
            samples, model, prior, fixed=False, trace_penalty=weight, rounds=2 if many else 3
        )
        yield _Answer(model, likelihood, weight)


def _maximise(
    samples: Candidates,
    z: Tensor,
    model: NoiseModel,
    prior: Tensor,
    *,
    fixed: bool,
    trace_penalty: float,
    weights: Tensor | None,
    steps: int,
) -> tuple[NoiseModel, float]:
    """Expectation-maximisation with what is behind the probabilities, z, held fixed."""
    Q, sharpness, K = model.noise_matrix, model.sharpness, len(prior)
    own = samples.own() if samples.verified is not None else None
    weight = 1.0 if weights is None else weights.unsqueeze(1)
    before = -torch.inf
    likelihood = before
    for _ in range(steps):
        w = samples.together(sharpness * z).softmax(dim=1)
        rows = samples.row_of_label(Q)
        if (
            samples.verified is not None and own is not None
        ):  # the true class is known: it tells the sharpness
            rows = torch.where(samples.verified.unsqueeze(1), own.to(rows.dtype), rows)
        joint = rows * w
        total = joint.sum(dim=1, keepdim=True).clamp_min_(_TINY)
        after = joint / total
        likelihood = float((weight * total.log()).mean())
        sharpness = sharpness_step(sharpness, z, w, after, weights=weight, bounds=_SHARPNESS)
        if not fixed:
            noisy = weight * after
            if (
                samples.verified is not None
            ):  # who looked at them chose them: they say nothing of how many are wrong
                noisy = noisy.masked_fill(samples.verified.unsqueeze(1), 0.0)
            # What was Q is overwritten, unless it is somebody else's.
            own_memory = None if Q is model.noise_matrix else Q
            expected = samples.add_by_label(noisy, torch.mul(prior, _STRENGTH, out=own_memory))
            Q = _columns_of(expected, trace_penalty * len(samples) / K)
        if abs(likelihood - before) < 1e-6:
            break
        before = likelihood
    return replace(model, noise_matrix=Q, sharpness=sharpness), likelihood


def _columns_of(expected: Tensor, weight: float) -> Tensor:
    """The columns q that maximise sum_j n_j log q_j - weight q_i and sum to 1, i on the diagonal.

    q_i = n_i / (mu + weight), the others n_j / mu; mu solves a quadratic equation. In place.
    """
    total = expected.sum(dim=0)
    if not weight:
        return expected.div_(total)
    own = expected.diagonal().clone()
    rest = total - own
    b = weight - total
    mu = (-b + (b * b + 4 * rest * weight).sqrt()) / 2
    others, own = rest / mu.clamp_min(_TINY), own / (mu + weight)
    # The columns' sums are known before they are made: once over the matrix is enough.
    Q = expected.div_(mu.clamp_min_(_TINY) * (others + own))
    Q.diagonal().copy_(own / (others + own))
    return Q


def shrunk_confusion(samples: Candidates, C: Tensor) -> Tensor:
    """(1 - rho) I + rho C, with rho by the labels; in place.

    Args:
        samples: Probabilities and labels.
        C: Shape (K, K), see :func:`noiselayer.estimation.confusion.confusion_by_prediction`.
    """
    rho, _ = part_of_confusion(samples, C)
    C.mul_(rho).diagonal().add_(1 - rho)
    return C


def part_of_confusion(samples: Candidates, C: Tensor) -> tuple[float, float]:
    """How much of the confusion is noise, rho in Q = (1 - rho) I + rho C, and the sharpness found with it.

    Args:
        samples: Probabilities and labels.
        C: Shape (K, K), see :func:`noiselayer.estimation.confusion.confusion_by_prediction`.
    """
    if len(samples) > _CHOICE_ROWS:
        samples = samples.take(_spread(len(samples), _CHOICE_ROWS))
    samples = samples.to(C.dtype)
    z = samples.log_of_each(samples.probs)
    own = samples.own().to(z.dtype)
    rows = samples.row_of_label(C)
    rho, sharpness = 0.5, 1.0
    for _ in range(30):
        w = samples.together(sharpness * z).softmax(dim=1)
        mixed = (1 - rho) * own + rho * rows
        if samples.verified is not None:
            mixed = torch.where(samples.verified.unsqueeze(1), own, mixed)
        joint = mixed * w
        total = joint.sum(dim=1, keepdim=True).clamp_min_(_TINY)
        after = joint / total
        share = (rho * rows * w).sum(dim=1) / total.squeeze(1)
        if samples.verified is not None:
            share = share[~samples.verified]
        rho = float(share.mean().clamp(1e-4, 1.0)) if len(share) else rho
        sharpness = sharpness_step(sharpness, z, w, after, bounds=_SHARPNESS)
    return rho, sharpness


def _spread(total: int, wanted: int) -> Tensor:
    """Positions of so many samples in no order of theirs, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(total, generator=generator)[:wanted].sort().values

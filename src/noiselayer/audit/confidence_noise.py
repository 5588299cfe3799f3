"""Noise that depends on the sample: by class and by the model's confidence, for a model that is right so often."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.noise_model import NoiseByConfidence, NoiseModel

_LEVELS = 10
_FEWEST_PER_LEVEL = 200
_ROUNDS = 15
_STRENGTH = 5.0  # samples that the matrix of the start counts for in every column
_TINY = 1e-30


def fit_noise_by_confidence(
    samples: Candidates, model: NoiseModel, accuracy: float, *, falling: bool = False
) -> NoiseModel:
    r"""Noise by class and confidence, for a model that is taken to be right on a given share of the samples.

    From probabilities and labels alone nobody can tell how often the model is right, so this takes it as known: the
    probabilities of the true class are sharpened until their mean largest entry is that,

    .. math:: w_i \propto r_i^\tau, \qquad \frac1N \sum_n \max_i w_i(x_n) = a

    and with w fixed, expectation-maximisation gives the noise matrix and one factor for each tenth of the samples by
    confidence, in Q(x) = I + s(c) (Q - I).

    Args:
        samples: Out-of-sample probabilities and the given labels; those verified are left out.
        model: The class-conditional fit, whose r is taken.
        accuracy: a, between 0 and 1.
        falling: The noise is known to fall as the confidence rises: a less confident level has no smaller factor.

    Returns:
        The same r with another sharpness, noise matrix and ``by_confidence``.
    """
    if samples.verified is not None:
        samples = samples.take(~samples.verified)
    samples = samples.to(model.noise_matrix.dtype)
    z = model.log_true(samples)
    sharpness = _sharpness_for(samples, z, accuracy)
    w = samples.together(sharpness * z).softmax(dim=1)
    own, Q = samples.own(), model.noise_matrix
    noise = NoiseByConfidence(*_levels(samples))
    level, factors = noise.level(samples), noise.factors
    for _ in range(_ROUNDS):
        rows = replace(noise, factors=factors).row_of_label(samples.row_of_label(Q), samples)
        joint = rows * w
        after = joint / joint.sum(dim=1, keepdim=True).clamp_min(_TINY)
        wrong = after.masked_fill(own, 0.0).sum(dim=1)
        at_risk = (after * _by_candidate(samples, 1 - Q.diagonal())).sum(dim=1)  # wrong, were the factor 1
        zero = torch.zeros_like(factors)
        factors = zero.index_add(0, level, wrong) / zero.index_add(0, level, at_risk).clamp_min(_TINY)
        if falling:  # without it, all doubt of the least confident can become the sample's again
            factors = factors.flip(0).cummax(dim=0).values.flip(0)
        own_memory = None if Q is model.noise_matrix else Q
        expected = samples.add_by_label(after, torch.mul(Q, _STRENGTH, out=own_memory))
        Q = expected.div_(expected.sum(dim=0))
    return NoiseModel(Q, sharpness, model.learned_share, by_confidence=replace(noise, factors=factors))


def _levels(samples: Candidates) -> tuple[Tensor, Tensor]:
    """Cuts between levels of equally many samples, and a factor of 1 for each."""
    confidence = samples.probs[:, : samples.num_candidates].amax(dim=1)
    number = max(1, min(_LEVELS, len(samples) // _FEWEST_PER_LEVEL))
    at = torch.arange(1, number, device=confidence.device) * len(samples) // number
    cuts = confidence.sort().values[at]
    return cuts, torch.ones(number, dtype=confidence.dtype)


def _sharpness_for(samples: Candidates, z: Tensor, accuracy: float) -> float:
    """The exponent with which the mean largest probability is as wanted: it grows with it."""
    low, high = 1e-2, 1e3
    for _ in range(30):
        middle = math.sqrt(low * high)
        w = samples.together(middle * z).softmax(dim=1)[:, : samples.num_candidates]
        low, high = (middle, high) if float(w.amax(dim=1).mean()) < accuracy else (low, middle)
    return middle


def _by_candidate(samples: Candidates, values: Tensor) -> Tensor:
    """A value per class for every candidate, shape as ``samples.probs`` or (1, K); of the others their mean."""
    if samples.index is None:
        return values.unsqueeze(0)
    found = values[samples.index]
    if not samples.others:
        return found
    rest = (values.sum() - found.sum(dim=1, keepdim=True)) / samples.others
    return torch.cat([found, rest], dim=1)

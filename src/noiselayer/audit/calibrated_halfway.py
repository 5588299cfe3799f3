"""Probabilities brought to the given labels' frequencies: a second opinion where no noise matrix is to be trusted."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.judge import as_many_wrong
from noiselayer.audit.noise_model import Calibration, NoiseModel, log_margin
from noiselayer.joint.linear_fit import minimise

# Set with the data of docs/evidence/audit.md in view.
_LEAST_GAIN, _SURE = 0.02, 3.0  # nats a label, and standard errors
_WIDEST = 2.0  # of the classes' shifts: beyond that it is the labels' doing, not the model's
_FIRST_FLOOR = 0.03
_STEPS, _MOST_ROWS = 60, 2**14
_TINY = 1e-9


def calibrated_halfway(samples: Candidates, judging: NoiseModel) -> NoiseModel:
    r"""The model with its log odds blended with the margin of calibrated probabilities, each by half.

    A model that gives a class too little makes all of its labels look wrong, one that is too sure hides some. With

    .. math:: q_j \propto \Big((1 - \lambda)\, p_j + \frac{\lambda}{K}\Big)^a \exp(b_j), \qquad
        m = \log \max_{j \ne y} q_j - \log q_y

    and lambda, a and b those under which the given labels y are most likely, the log odds l that a label is wrong
    become

    .. math:: \frac{l}{2} + \frac{s_l}{2 s_m}\, m + c

    where s are standard deviations, and c keeps the expected number of wrong labels. Nothing is changed where q
    explains the labels by less than 0.02 nats each or three standard errors better than p does, where b spans more than
    2, or where a is not positive: labels that the model gives least are not what it is calibrated to.

    Args:
        samples: What the model was fitted to; all classes are candidates.
        judging: What labels are judged by: even noise.

    >>> from noiselayer.audit.candidates import candidates_of
    >>> from noiselayer.noise import symmetric
    >>> generator = torch.Generator().manual_seed(0)
    >>> scores = 2 * torch.randn(600, 3, generator=generator)
    >>> labels = torch.multinomial(scores.softmax(dim=1), 1, generator=generator).squeeze(1)
    >>> samples = candidates_of((scores - torch.tensor([1.0, 0.0, 0.0])).softmax(dim=1), labels)
    >>> model = calibrated_halfway(samples, NoiseModel(symmetric(3, 0.2)))
    >>> model.calibration.bias.argmax()  # class 0 is given too little
    tensor(0)
    """
    few = samples if samples.verified is None else samples.take(~samples.verified)
    if not len(few):
        return judging
    few = few.take(torch.arange(0, len(few), -(-len(few) // _MOST_ROWS))).to(torch.float64)
    found = calibration_of(few)
    own = few.own()
    gain = (found.log_probs(few.probs) - few.log_of_each(few.probs))[own]
    least = max(_LEAST_GAIN, _SURE * float(gain.std(correction=0)) / len(few) ** 0.5)
    span = float(found.bias.max() - found.bias.min())
    if float(gain.mean()) < least or span > _WIDEST or float(found.power) <= 0:  # classes by other names, say
        return judging
    plain = replace(judging, shift=0.0, blend=None)
    spread = replace(plain, blend=(1.0, 0.0)).score(few.to(plain.noise_matrix.dtype)).log_odds.double().std()
    factor = float(spread / log_margin(found.log_probs(few.probs), own).std().clamp_min(_TINY)) / 2
    wanted = float(judging.score(samples).error_probability.double().sum())
    return as_many_wrong(samples, replace(plain, blend=(0.5, factor), calibration=found), wanted)


def calibration_of(samples: Candidates) -> Calibration:
    """The calibration under which the given labels are most likely, with a prior of one sample.

    Args:
        samples: Their probabilities in float64; all classes are candidates.

    >>> from noiselayer.audit.candidates import candidates_of
    >>> p = torch.full((400, 2), 0.5, dtype=torch.float64)
    >>> found = calibration_of(candidates_of(p, (torch.arange(400) % 4 == 0).long()))
    >>> found.log_probs(p[:1]).exp().round(decimals=2)
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """
    K, n = samples.probs.shape[1], len(samples)
    start = torch.zeros(K + 2, dtype=torch.float64)
    start[0], start[1] = 1.0, math.log(_FIRST_FLOOR / (1 - _FIRST_FLOOR))

    def of(x: Tensor) -> Calibration:
        return Calibration(x[:1], x[1:2].sigmoid(), x[2:])

    def value(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            found = of(x := x.detach().requires_grad_())
            prior = found.bias.square().sum() + (found.power - 1).square().sum()
            loss = nll_loss(found.log_probs(samples.probs), samples.labels) + prior / n
            return loss.detach(), torch.autograd.grad(loss, x)[0]

    return of(minimise(value, start, _STEPS))

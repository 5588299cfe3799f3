"""Labels changed on purpose: how to rank those in doubt where no noise model is to be trusted."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.judge import as_many_wrong
from noiselayer.audit.noise_model import NoiseModel, margin

_ROUNDS, _STEPS = 8, 8
_ANY_CLASS = 1e-3  # added to every class's share of the changed labels
_MOST_ROWS = 2**14


def blended(samples: Candidates, judging: NoiseModel, noise_matrix: Tensor) -> NoiseModel:
    r"""The model with its ranking blended with the margin, in the proportion that finds labels changed on purpose.

    Where a model is unsure of a sample, a small probability of its label says little: another class may be far ahead
    of it, or all may be as small. The log odds l of a noise model by class see the label's own probability alone, the
    margin :math:`m = \max_{j \ne y} p_j - p_y` sees both. Which of them finds wrong labels better depends on the model,
    and can be tried: every label y is changed to another j with a chance in proportion to Q[j, y], and

    .. math:: a\, l + b\, m + c, \qquad a, b \ge 0

    is fitted by logistic regression to tell wrong labels, which the changed ones are, from right ones. Given labels are
    wrong with the probability e that this says itself (expectation-maximisation, with the share of wrong ones held at
    what the noise model says). c becomes the shift with which as many are expected to be wrong as before.

    Args:
        samples: What the model was fitted to.
        judging: What labels are judged by.
        noise_matrix: Q, shape (K, K): which labels are mistaken for which.

    >>> from noiselayer.audit.candidates import candidates_of
    >>> probs = (4 * torch.randn(200, 3, generator=torch.Generator().manual_seed(0))).softmax(dim=1)
    >>> samples = candidates_of(probs, probs.argmax(dim=1))
    >>> Q = torch.eye(3) * 0.7 + 0.1
    >>> before = NoiseModel(Q)
    >>> model = blended(samples, before, Q)
    >>> one, two = (m.score(samples).error_probability.sum() for m in (before, model))
    >>> min(model.blend) >= 0, abs(one - two) < 1e-4
    (True, tensor(True))
    """
    plain = replace(judging, shift=0.0, blend=None)
    few = samples if samples.verified is None else samples.take(~samples.verified)
    few = few.take(torch.arange(min(len(few), _MOST_ROWS)))
    changed = replace(few, labels=_changed(few, noise_matrix), verified=None)
    X = torch.cat([_seen(one, plain) for one in (few, changed)])
    share, line = float(judging.score(few).error_probability.double().mean()), X.new_zeros(3)
    # The same for all: what the noise model says of each label would confirm itself.
    e = torch.full((len(few),), share, dtype=X.dtype)
    for _ in range(_ROUNDS):
        target = torch.cat([e, torch.ones_like(e)])
        line = _line(X, target, line)
        for k in (1, 2):
            if line[k] < 0:  # the other one alone
                X[:, k] = 0.0
                line = _line(X, target, line)
        # The changed ones are wrong, a share of the given ones is.
        odds = X[: len(few)] @ line + math.log(share / (1 + share) + 1e-12)
        e = odds.sigmoid()
    if (
        line[1] <= 0
    ):  # changed labels do not stand out in what the noise model says, wrong ones do: these are others
        return judging
    wanted = float(judging.score(samples).error_probability.double().sum())
    return as_many_wrong(samples, replace(plain, blend=(float(line[1]), max(0.0, float(line[2])))), wanted)


def _changed(samples: Candidates, noise_matrix: Tensor) -> Tensor:
    """Another label for each sample, among its candidates, shape (n,)."""
    generator = torch.Generator().manual_seed(0)
    m = samples.num_candidates
    shares = samples.row_of_label(noise_matrix.T.contiguous())[:, :m].double()
    own = samples.own()[:, :m]
    shares = shares.masked_fill(own, 0.0)
    shares = shares / shares.sum(dim=1, keepdim=True).clamp_min(1e-9) + _ANY_CLASS
    return samples.classes(torch.multinomial(shares.masked_fill(own, 0.0), 1, generator=generator).squeeze(1))


def _seen(samples: Candidates, model: NoiseModel) -> Tensor:
    """1, log odds and margin, shape (n, 3)."""
    log_odds = replace(model, blend=(1.0, 0.0)).score(samples.to(model.noise_matrix.dtype)).log_odds
    return torch.stack(
        [torch.ones(len(samples)).double(), log_odds.double(), margin(samples).double()], dim=1
    )


def _line(X: Tensor, target: Tensor, start: Tensor) -> Tensor:
    """Logistic regression by Newton's steps, with a prior of one sample."""
    line, prior = start, torch.eye(X.shape[1], dtype=X.dtype)
    for _ in range(_STEPS):
        p = (X @ line).sigmoid()
        curvature = (X * (p * (1 - p)).unsqueeze(1)).T @ X + prior
        line = line + torch.linalg.solve(curvature, X.T @ (target - p) - line).clamp(-3, 3)
    return line

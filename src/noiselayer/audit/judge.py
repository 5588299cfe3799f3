"""The noise model that single labels are judged by, where it was estimated and is by class alone."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.fit_noise_model import part_of_confusion
from noiselayer.audit.noise_model import NoiseModel

_WIDEST = 20.0
# Set with the tables of docs/evidence/audit.md in view.
_LEAST_GAIN = 0.02  # nats a label
_SHARPNESS = (
    1.0,
    3.0,
)  # of even noise: from the label's own probability towards the margin of the likeliest class


def judging_model(
    samples: Candidates,
    model: NoiseModel,
    confusion: Tensor | None,
    *,
    plausible: bool = True,
    most: float | None = None,
) -> NoiseModel:
    r"""The fitted model with its off-diagonals drawn to even ones, as far as they may be the classifier's own.

    From noisy labels alone, what a weak classifier confuses cannot be told from what the labels confuse, and the
    fit gives all of it to Q: how many labels of a class are wrong comes out well, which classes they belong to
    is exaggerated, and the ranking suffers. So the diagonal is kept, and the rest of column i becomes

    .. math:: \rho\, Q_{ji} + (1 - \rho) \frac{1 - Q_{ii}}{K - 1}

    where rho is the part of the confusion of labels with predictions that noise explains in
    (1 - rho) I + rho C: near 1 for a classifier that makes few mistakes of its own.

    Where all K (K - 1) entries explain the labels hardly better than even noise, Q = (1 - eps) I + eps / K, does with
    one, or where some class carries another label at least as often as its own, they are the classifier's confusions,
    and labels are judged by even noise, which ranks them much as their own probabilities do: with a sharpness between
    1, which is just that, and 3. The log odds are then shifted by one number, so that as many wrong labels are
    expected as before.

    Args:
        samples: What the model was fitted to.
        model: The fitted one.
        confusion: Shape (K, K), see :func:`noiselayer.estimation.confusion.confusion_by_prediction`; None where the
            fitted matrix is a part of it already.
        plausible: Whether every class carries its own label more often than another, and the model is not surer than
            it is right: the labels of one that is sure of its mistakes would be ranked by Q alone.
        most: No more labels than that are expected to be wrong.

    >>> import torch
    >>> from noiselayer.audit.candidates import candidates_of
    >>> from noiselayer.noise import pair_flip
    >>> samples = candidates_of(torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]), torch.tensor([0, 2]))
    >>> fitted = NoiseModel(pair_flip(3, 0.3))
    >>> judging = judging_model(samples, fitted, torch.eye(3) * 0.4 + 0.2)
    >>> before, after = (one.score(samples).error_probability.sum() for one in (fitted, judging))
    >>> abs(before - after) < 1e-4
    tensor(True)
    """
    Q, K = model.noise_matrix, len(model.noise_matrix)
    drawn = even_noise(samples, Q)
    same = samples.to(Q.dtype)
    gain = float((model.log_likelihood(same) - drawn.log_likelihood(same)).mean())
    explains = gain >= _LEAST_GAIN and plausible
    low, high = _SHARPNESS
    drawn = replace(drawn, sharpness=min(max(drawn.sharpness, low), high))
    if explains and confusion is None:
        return model
    if explains and confusion is not None:
        rho, _ = part_of_confusion(samples, confusion.to(Q.dtype))
        own = Q.diagonal()
        judging = (rho * Q).add_((1 - rho) * (1 - own) / (K - 1))
        judging.diagonal().copy_(own)
        drawn = replace(model, noise_matrix=judging)
    wanted = float(model.score(samples).error_probability.double().sum())
    return as_many_wrong(samples, drawn, wanted if most is None else min(wanted, most))


def as_many_wrong(samples: Candidates, model: NoiseModel, wanted: float) -> NoiseModel:
    """The model with the log odds shifted by one number, so that ``wanted`` labels are expected to be wrong."""
    log_odds = replace(model, shift=0.0).score(samples).log_odds.double()
    low, high = -_WIDEST, _WIDEST
    for _ in range(40):  # the sum grows with the shift
        shift = (low + high) / 2
        few = float((log_odds + shift).sigmoid().sum()) < wanted
        low, high = (shift, high) if few else (low, shift)
    return replace(model, shift=(low + high) / 2)


def even_noise(samples: Candidates, like: Tensor) -> NoiseModel:
    """The same noise for all: one error rate, one sharpness, all other labels as likely; shape and type of ``like``."""
    K = len(like)
    others = torch.full_like(like, 1 / (K - 1)).fill_diagonal_(0.0)
    rate, sharpness = part_of_confusion(samples, others)
    Q = others.mul_(rate)
    Q.diagonal().fill_(1 - rate)
    return NoiseModel(Q, sharpness)


def is_even(noise_matrix: Tensor) -> bool:
    """Whether a matrix, shape (K, K), is of :func:`even_noise`: each class as noisy, its labels spread evenly.

    >>> from noiselayer.noise import pair_flip, symmetric
    >>> is_even(symmetric(3, 0.2)), is_even(pair_flip(3, 0.2))
    (True, False)
    """
    even = torch.full_like(noise_matrix, float(noise_matrix[0, 1])).fill_diagonal_(float(noise_matrix[0, 0]))
    return bool(torch.equal(even, noise_matrix))

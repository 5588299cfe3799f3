r"""Which noise matrix, and whether any: answers compared on noisy labels that none of them has seen.

Samples are in parts. A matrix found on one part meets the next one, where a linear classifier is fitted with it on one
half and the labels of the other half are explained; then the halves change places. So every label is explained by a
matrix and a classifier that have not seen it, and there are as many of these labels as samples, ten times those that
are held out for validation. So the made-up samples are chosen. Between the fit of both together and taking turns the
mean of this loss and of that of the matrix found on all samples decides. The identity stays where it explains labels
better than that answer by more than chance:

.. math:: \frac1M \sum_m \big(\ell_m(Q) - \ell_m(I)\big) > 2\,\frac{\sigma}{\sqrt M},

for such a matrix does harm, by taking the classifier's confusions for noise. Where the two are alike Theorem 1 has the
smaller trace: a classifier of classes far apart can say by itself how their labels are mixed up, so that the true Q
gains nothing over the identity.

A matrix with two columns alike is not taken, however well it explains labels: nearer to each other, that is, than the
columns of other classes are, as those of even noise are all near. Through it nothing is learned of what
sets the two classes apart; if it is right nothing could be, and if it takes their overlap for noise all of it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.joint.alternating import PSEUDO_COUNTS, View, alternate, fixed_matrix_losses, renamed_classes
from noiselayer.joint.linear_fit import evenly_spaced

_BEYOND_CHANCE = (
    2.0  # standard errors; what half the samples say of Q is rough, and so a little worse than Q itself
)
_MANY = 2500  # samples of a part: with more of them, made-up ones say nothing
_MOST = 5000  # samples of a part that is compared
_ALIKE = 0.15  # of the distance that columns have as a rule: two so near are alike, whatever the noise


class Choice(NamedTuple):
    """What was chosen.

    Attributes:
        noise_matrix: Shape (K, K), columns = true classes; the identity where any other explains less or has columns
            alike.
        way: "together", "in turns" or "identity".
        counts: Made-up samples of every class, where it was found in turns.
        gain: Over the identity, nats per label held out; below 0 where even the best answer explains less.
        gain_error: Its standard error.
        alike: Two classes that the best answer cannot tell apart.
    """

    noise_matrix: Tensor
    way: str
    counts: float
    gain: float
    gain_error: float
    alike: tuple[int, int] | None = None


def choose_by_held_out_labels(
    parts: Sequence[View],
    num_classes: int,
    *,
    starts: Sequence[Tensor],
    together: Tensor | None = None,
    together_by_part: Sequence[Tensor] = (),
) -> Choice:
    """The matrix that explains held-out labels best: fitted together with a classifier, in turns, or the identity.

    Args:
        parts: Features and noisy labels, at least two of disjoint samples.
        num_classes: K.
        starts: Shape (K, K) each, where taking turns begins.
        together: Shape (K, K), the answer of the fit of classifier and Q together, if it has one.
        together_by_part: Its answers on each part alone.
    """
    if len(parts) < 2:
        raise ValueError(f"parts must be at least two, so that each meets another; got {len(parts)}.")
    K, identity = num_classes, torch.eye(num_classes)
    some = [(f[rows], y[rows]) for f, y in parts for rows in [evenly_spaced(len(y), _MOST)]]
    plain = _losses_elsewhere([identity] * len(some), some)
    answers: dict[str, tuple[Tensor, float, Tensor]] = {}  # the matrix, made-up samples, losses of its parts
    if together is not None:
        answers["together"] = together, 0.0, _losses_elsewhere(together_by_part, some)
    turns = _best_turns(some, K, starts)
    if turns is not None:
        counts, losses = turns
        found = alternate(parts, K, starts=starts, counts=counts).noise_matrix
        if not renamed_classes(found):
            answers["in turns"] = found, counts, losses
    # Part by part an answer is half as good as it can be; the whole one has seen the labels, if not their classifiers.
    by_score = sorted(
        answers,
        key=lambda way: float(
            (answers[way][2] + _losses_elsewhere([answers[way][0]] * len(some), some)).mean()
        ),
    )
    choice = Choice(identity, "identity", 0.0, 0.0, 0.0)
    for way in by_score:
        found, counts, losses = answers[way]
        pair, distance = closest_columns(found)
        if distance < _ALIKE:  # nor is another answer: what explains labels best takes overlap for noise
            return choice._replace(alike=pair)
        gains = plain - losses
        gain, error = float(gains.mean()), float(gains.std() / len(gains) ** 0.5)
        if gain >= -_BEYOND_CHANCE * error:
            return Choice(found, way, counts, gain, error)
        choice = choice if choice.gain_error else choice._replace(gain=gain, gain_error=error)
    return choice


def closest_columns(noise_matrix: Tensor) -> tuple[tuple[int, int], float]:
    """The two classes whose labels are most alike, and how near their columns are, by the median of all pairs.

    >>> pair, distance = closest_columns(torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.5, 0.4], [0.0, 0.4, 0.6]]))
    >>> pair, round(distance, 3)
    ((1, 2), 0.25)
    """
    K = len(noise_matrix)
    if K < 2:
        return (0, 0), float("inf")
    i, j = torch.triu_indices(K, K, offset=1)
    distances = (noise_matrix[:, i] - noise_matrix[:, j]).abs().sum(dim=0)
    least = int(distances.argmin())
    return (int(i[least]), int(j[least])), float(distances[least] / distances.median().clamp_min(1e-12))


def _best_turns(
    parts: Sequence[View], num_classes: int, starts: Sequence[Tensor]
) -> tuple[float, Tensor] | None:
    """How many made-up samples the labels of other parts prefer, and their losses; None if classes are renamed."""
    best: tuple[float, Tensor] | None = None
    few = min(len(y) for _, y in parts) < _MANY
    found = [alternate([part], num_classes, starts=starts) for part in parts]
    for counts in (0.0, *PSEUDO_COUNTS) if few else (0.0,):
        if counts:  # from the same start, with the same ridge
            found = [
                alternate([part], num_classes, starts=[of.start], ridges=[of.ridge], counts=counts)
                for part, of in zip(parts, found, strict=True)
            ]
        by_part = [of.noise_matrix for of in found]
        if any(renamed_classes(Q) for Q in by_part):
            continue
        losses = _losses_elsewhere(by_part, parts)
        if best is not None and losses.mean() >= best[1].mean():
            break
        best = counts, losses
    return best


def _losses_elsewhere(matrices: Sequence[Tensor], parts: Sequence[View]) -> Tensor:
    """Losses of all labels, each by the matrix of the part before and a classifier of the other half of its part."""
    losses = []
    for k, Q in enumerate(matrices):
        f, y = parts[(k + 1) % len(parts)]
        for a in (0, 1):
            losses.append(fixed_matrix_losses(Q, [(f[a::2], y[a::2])], [f[1 - a :: 2]], y[1 - a :: 2]))
    return torch.cat(losses)

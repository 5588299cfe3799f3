r"""How right a labeller is, and what the true shares of the classes are, from a few hundred checked labels.

A language model (a crowd, a rule) has labelled N samples; of n of them, drawn at random, somebody has found the true
class. The labels are predictions of the truth, good or bad, and every number asked for is the mean of an outcome
that is known where the truth is. So it is estimated as a model-assisted mean: the outcome predicted for every sample
from its label, plus the mean error of that prediction where it can be seen,

.. math:: \hat\theta = \frac1N \sum_{m=1}^N \hat f(\tilde y_m)
          + \frac1n \sum_{i \in \text{gold}} \big( y_i - \hat f_{-i}(\tilde y_i) \big)

which is unbiased whatever the prediction f, as each checked sample is left out of its own (prediction-powered
inference: Angelopoulos et al. 2023; post-stratification where f is a mean per label). The means per label are drawn
towards the mean of all, or towards the label being right, by as many imagined samples as leave the smallest errors.
Where samples left out show their errors smaller than those of PPI++, which takes the label itself as far as it helps
(Angelopoulos, Duchi and Zrnic 2023), by more than twice the chance of that, z = gain / chance, the estimate goes from
PPI++'s :math:`1 - (2 / z)^2` of the way towards them, and else not at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.arrays.class_labels import class_numbers
from noiselayer.arrays.kinds import check_count
from noiselayer.arrays.tensors import as_tensor
from noiselayer.estimation.uncertainty import normal_quantile

Array = npt.NDArray[Any]

FEWEST = 10
"""Checked labels, for an interval to be given at all."""
_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1e6)
_TRUST = (0.0, 0.25, 0.5, 0.75)
_SURE = 2.0  # standard errors


@dataclass(frozen=True)
class Figure:
    """A number with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class LabellerFigures:
    """What checked labels say of a labeller, and of the samples that it labelled.

    Attributes:
        accuracy: The share of all N labels that are right; abstentions count as not right.
        kappa: Agreement with the truth beyond chance (Cohen), at most 1.
        shares: Of the true classes among the N samples, K figures.
        label_shares: What the labels alone would say, of the samples that have one, shape (K,).
        precision: Of the samples with label k, the share that is of class k; None where none was checked.
        recall: Of the samples of class k, the share with label k; None where none was found.
        noise_matrix: Shape (K, K), ``[j, i] = p(label j | true class i)``; a last row for abstentions, if any.
        inverse_noise_matrix: Shape (K, J), ``[i, j] = p(true class i | label j)``, abstentions last, if any.
        num_samples: N.
        num_checked: n.
        notes: What is to be known before the figures are used.
    """

    accuracy: Figure
    kappa: Figure
    shares: tuple[Figure, ...]
    label_shares: Array
    precision: tuple[Figure | None, ...]
    recall: tuple[Figure | None, ...]
    noise_matrix: Array
    inverse_noise_matrix: Array
    num_samples: int
    num_checked: int
    notes: tuple[str, ...] = ()


def measure_labels(
    labels: Any,
    gold: Any,
    num_classes: int,
    *,
    stated_confidence: Any = None,
    weights: Any = None,
    level: float = 0.95,
) -> LabellerFigures:
    """Accuracy, precision, recall and true shares of classes from labels of which some were checked.

    Args:
        labels: Shape (N,), the labeller's, integers 0..K-1; -1, None or NaN where it gave none.
        gold: Shape (N,), the true classes of the samples that were checked, missing of all others. Those checked must
            have been drawn at random, or with the probabilities whose inverse ``weights`` holds.
        num_classes: K.
        stated_confidence: Shape (N,), what the labeller says of its own certainty, 0 to 1: a better prediction
            where it means something.
        weights: Shape (N,), one divided by the probability that a sample was chosen to be checked; read where it
            was. None where all had the same.
        level: Of the intervals.

    Raises:
        TypeError: If labels are no integers.
        ValueError: If shapes or values do not fit, or fewer than 10 samples were checked.

    Warns:
        UserWarning: If the labels of the checked samples are not those of a random draw; every label's samples
            are then weighted as they stand among all, which is right if they were chosen by their labels.

    >>> generator = np.random.default_rng(0)
    >>> truth = generator.integers(2, size=4000)
    >>> labels = np.where(generator.random(4000) < 0.3, 0, truth)  # 1 is often called 0
    >>> gold = np.where(np.arange(4000) < 200, truth, -1)
    >>> found = measure_labels(labels, gold, 2)
    >>> bool(found.shares[1].low < truth.mean() < found.shares[1].high)
    True
    >>> round(float(found.label_shares[1]), 2)  # what the labels alone would say
    0.36
    """
    y, g = (class_numbers(x, name, missing=True).numpy() for x, name in ((labels, "labels"), (gold, "gold")))
    check_count(num_classes, "num_classes")
    K, N = num_classes, len(y)
    for name, values in (("labels", y), ("gold", g)):
        if values.shape != (N,) or (N and not -1 <= values.min() <= values.max() < K):
            raise ValueError(
                f"{name} must have shape ({N},) and lie in -1..{K - 1}, -1 for none; got shape {values.shape}"
                + (f" with {values.min()} to {values.max()}." if values.size else ".")
            )
    checked = np.flatnonzero(g >= 0)
    n = len(checked)
    if n < FEWEST:
        raise ValueError(
            f"gold must hold at least {FEWEST} checked labels for intervals that mean something; it holds {n}."
        )
    notes = []
    strata = np.where(y < 0, K, y)
    weight = _weights(weights, checked, N)
    if weights is None and (odd := selected_by_label(strata, checked, K + 1)):
        pool, chosen = (np.bincount(s, minlength=K + 1) for s in (strata, strata[checked]))
        weight = np.divide(pool / N, chosen / n, out=np.ones(K + 1), where=chosen > 0)[strata[checked]]
        notes.append(odd)
        warnings.warn(odd, stacklevel=2)
    if stated_confidence is not None:
        strata = _with_confidence(strata, stated_confidence, N, K + 1)
    truth, own = g[checked], y[checked]
    of_class = np.eye(K)[truth]
    design = _Design(strata, y, checked, weight, K, normal_quantile(level, "level"))
    shares, share_errors = design.means(of_class)
    shares = np.clip(shares, 0, None)
    shares = shares / shares.sum()
    right = (own == truth).astype(float)
    (accuracy,), (accuracy_error,) = design.means(right[:, None])
    said = np.bincount(y[y >= 0], minlength=K) / N
    by_chance = float(said @ shares)
    kappa = (accuracy - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0
    slope = right / (1 - by_chance) - (1 - accuracy) / (1 - by_chance) ** 2 * (of_class @ said)
    kappa_error = design.means(slope[:, None])[1][0] if by_chance < 1 else 0.0
    # Where hardly any label differs from the others, the slope says nothing; the interval of the accuracy does.
    right_share = design.figure(accuracy, accuracy_error)
    scale = 1 / (1 - by_chance) if by_chance < 1 else 0.0
    low = min(kappa - design.z * kappa_error, kappa - scale * (right_share.value - right_share.low))
    high = max(kappa + design.z * kappa_error, kappa + scale * (right_share.high - right_share.value))
    Q, recall = design.by_true_class(of_class, own, shares)
    R, precision = design.by_label(of_class)
    unseen = [k for k in range(K) if not (truth == k).any()]
    if unseen:
        notes.append(
            f"no checked sample is of class {', '.join(map(str, unseen))}: its share is bounded, no more."
        )
    unused = [k for k in range(K) if said[k] == 0]
    if unused:
        notes.append(f"the labeller never gives class {', '.join(map(str, unused))}.")
    return LabellerFigures(
        right_share,
        Figure(float(kappa), float(max(-1.0, low)), float(min(1.0, high))),
        tuple(design.figure(p, e) for p, e in zip(shares, share_errors, strict=True)),
        said / max(said.sum(), 1 / N),
        precision,
        recall,
        Q,
        R,
        N,
        n,
        tuple(notes),
    )


class _Design:
    """Who was checked, what the labels say of whom, and the means that follow."""

    def __init__(
        self, strata: Array, labels: Array, checked: Array, weight: Array, num_classes: int, z: float
    ) -> None:
        self.labels, self.checked, self.z, self.K = labels, checked, z, num_classes
        used, strata = np.unique(strata, return_inverse=True)
        self.strata, self.of_checked = strata, strata[checked]
        self.pool = np.bincount(strata) / len(strata)
        self.weight = weight / weight.mean()
        self.n, self.N = len(checked), len(strata)
        # A stratum's own label, where being right is an outcome; abstentions have none.
        self.own = used % (num_classes + 1)

    def means(self, outcomes: Array) -> tuple[Array, Array]:
        """Model-assisted means (M,) of outcomes (n, M), and errors, with the prior best on samples left out."""
        if self.n == self.N:
            return outcomes.mean(axis=0), np.zeros(outcomes.shape[1])
        w, a, M = self.weight[:, None], self.of_checked, outcomes.shape[1]
        sums = np.zeros((len(self.pool), M))
        np.add.at(sums, a, w * outcomes)
        size = np.bincount(a, weights=self.weight, minlength=len(self.pool))[:, None]
        others, fewer = sums[a] - w * outcomes, size[a] - w
        total = sums.sum(axis=0)
        common = (total - w * outcomes) / (self.n - w)
        believed = np.zeros((len(self.pool), M))
        if M == self.K:
            real = self.own < self.K
            believed[real, self.own[real]] = 1.0
        best: tuple[float, float, float, Array] | None = None
        for strength, trust in product(_STRENGTHS, _TRUST if M == self.K else _TRUST[:1]):
            prior = (1 - trust) * common + trust * believed[a]
            error = outcomes - (others + strength * prior) / (fewer + strength)
            loss = float((w * error**2).sum())
            if best is None or loss < best[0] - 1e-12:
                best = (loss, strength, trust, error)
        assert best is not None
        _, strength, trust, error = best
        prior = (1 - trust) * total / self.n + trust * believed
        predicted = self.pool @ ((sums + strength * prior) / (size + strength))
        value = predicted + (w * error).mean(axis=0)
        if M == self.K:
            tuned, of_tuned = self._tuned(outcomes, believed)
            gain = (w * (of_tuned**2 - error**2)).sum(axis=1)
            noise = gain.std() * np.sqrt(self.n)
            way = 1 - (_SURE * noise / gain.sum()) ** 2 if gain.sum() > _SURE * noise else 0.0
            value, error = tuned + way * (value - tuned), of_tuned + way * (error - of_tuned)
        variance = (w * (error - (w * error).mean(axis=0))) ** 2
        fraction = 1 - self.n / self.N  # of the samples, chance has a say in the others alone
        return value, np.sqrt(variance.sum(axis=0) / (self.n - 1) / self.n * fraction)

    def _tuned(self, outcomes: Array, believed: Array) -> tuple[Array, Array]:
        """PPI++: means by the label times a weight for each, and errors with weight and mean of the other samples."""
        w, F = self.weight[:, None], believed[self.of_checked]
        parts = [w * x for x in (np.ones_like(F), F, outcomes, F * F, F * outcomes)]

        def line(n: Array, x: Array, y: Array, xx: Array, xy: Array) -> tuple[Array, Array]:
            together, alone = xy / n - x * y / n**2, xx / n - (x / n) ** 2
            slope = np.clip(together / np.maximum(alone, 1e-12) / (1 + self.n / self.N), 0, 1)
            return y / n - slope * x / n, slope

        sums = [part.sum(axis=0) for part in parts]
        _, slope = line(*sums)
        mean, slope_of_others = line(*(whole - part for whole, part in zip(sums, parts, strict=True)))
        value = slope * (self.pool @ believed) + (w * (outcomes - slope * F)).mean(axis=0)
        return value, outcomes - mean - slope_of_others * F

    def figure(self, share: float, error: float, of: float | None = None) -> Figure:
        """Wilson's interval for as many samples as the error is worth; ``of`` where no or one outcome was seen."""
        n = self.n if of is None else of
        share = min(max(float(share), 0.0), 1.0)
        spread = share * (1 - share)
        worth = spread / error**2 if error > 0 and spread > 0 else n
        worth = min(max(worth, 0.8 * n), 25.0 * n)
        if share * n < 1 or (1 - share) * n < 1:
            worth = min(worth, n)
        z2 = self.z**2
        centre = (share + z2 / (2 * worth)) / (1 + z2 / worth)
        half = self.z / (1 + z2 / worth) * np.sqrt(spread / worth + z2 / (4 * worth**2))
        low, high = min(max(0.0, centre - half), share), max(min(1.0, centre + half), share)
        if self.n == self.N:
            low = high = share
        return Figure(share, float(low), float(high))

    def by_true_class(
        self, of_class: Array, own: Array, shares: Array
    ) -> tuple[Array, tuple[Figure | None, ...]]:
        """Q, and its diagonal as figures: ratios of two means, to first order in both."""
        K, J = self.K, self.K + int((self.labels < 0).any())
        given = np.eye(K + 1)[np.where(own < 0, K, own)][:, :J]
        Q = np.full((J, K), np.nan)
        recall: list[Figure | None] = []
        for i in range(K):
            seen = of_class[:, i].astype(bool)
            if not seen.any() or shares[i] <= 0:
                recall.append(None)
                continue
            joint, _ = self.means(given * of_class[:, [i]])
            q = np.clip(joint, 0, None)
            Q[:, i] = q / q.sum() if q.sum() > 0 else given[seen].mean(axis=0)
            linear = (given[:, i] - Q[i, i]) * of_class[:, i] / shares[i]
            _, (error,) = self.means(linear[:, None])
            recall.append(self.figure(Q[i, i], error, of=float(seen.sum())))
        return Q, tuple(recall)

    def by_label(self, of_class: Array) -> tuple[Array, tuple[Figure | None, ...]]:
        """The classes behind each label, and the share of each that is right: counts of the samples checked."""
        K, J = self.K, self.K + int((self.labels < 0).any())
        label = np.where(self.labels < 0, K, self.labels)
        R = np.full((K, J), np.nan)
        precision: list[Figure | None] = []
        for j in range(J):
            rows = label[self.checked] == j
            if rows.any():
                w = self.weight[rows]
                parts = (w[:, None] * of_class[rows]).sum(axis=0)
                R[:, j] = parts / parts.sum()  # not above 1, as parts / w.sum() may be by a digit
            if j < K:
                left = 1 - rows.sum() / max(1, (label == j).sum())
                error = np.sqrt(R[j, j] * (1 - R[j, j]) / max(1, rows.sum()) * left) if rows.any() else 0.0
                precision.append(self.figure(R[j, j], error, of=float(rows.sum())) if rows.any() else None)
        return R, tuple(precision)


def _weights(weights: Any, checked: Array, N: int) -> Array:
    if weights is None:
        return np.ones(len(checked))
    w = as_tensor(weights, "weights").numpy().astype(float)
    if w.shape != (N,) or not (np.isfinite(w[checked]).all() and (w[checked] > 0).all()):
        raise ValueError(
            f"weights must have shape ({N},) and be positive where a sample was checked: one divided by the "
            f"probability that it was chosen; got shape {w.shape}."
        )
    chosen: Array = w[checked]
    return chosen


def _with_confidence(strata: Array, stated_confidence: Any, N: int, num_labels: int) -> Array:
    """Every label's samples in two halves, the surer and the others; by what the labeller says of itself."""
    c = as_tensor(stated_confidence, "stated_confidence").numpy().astype(float)
    if c.shape != (N,) or not ((c >= 0) & (c <= 1)).all():
        raise ValueError(
            f"stated_confidence must have shape ({N},) and lie between 0 and 1; got shape {c.shape}"
            + (
                f" with {np.nanmin(c):g} to {np.nanmax(c):g}, {int(np.isnan(c).sum())} missing."
                if c.size
                else "."
            )
        )
    halves = np.zeros(N, dtype=np.int64)
    for label in np.unique(strata):
        rows = strata == label
        middle = np.median(c[rows])
        surer, sure = c[rows] > middle, c[rows] >= middle  # many say the same round number
        halves[rows] = surer if abs(surer.mean() - 0.5) <= abs(sure.mean() - 0.5) else sure
    result: Array = strata + num_labels * halves
    return result


def selected_by_label(
    strata: Array, checked: Array, num_labels: int, names: Sequence[Any] | None = None
) -> str | None:
    """A sentence if the labels of the checked samples are not those of a random draw (chi-squared, six sigma)."""
    pool = np.bincount(strata, minlength=num_labels)
    expected = pool / len(strata) * len(checked)
    seen = np.bincount(strata[checked], minlength=num_labels)
    used = expected > 0
    freedom = max(1, int(used.sum()) - 1)
    distance = float(((seen - expected)[used] ** 2 / expected[used]).sum())
    if distance <= freedom + 6 * np.sqrt(2 * freedom):
        return None
    worst = int(np.argmax(np.abs(seen - expected)))
    which = (
        f"label {worst if names is None else repr(names[worst])}" if worst < num_labels - 1 else "no label"
    )
    return (
        f"the checked samples were not drawn at random from all: {seen[worst]} of {len(checked)} carry {which}, where "
        f"{expected[worst]:.0f} are expected. "
        "Each label's samples are weighted as they stand among all; that is right if they were chosen by their "
        "labels. If they were chosen by something else, give weights."
    )

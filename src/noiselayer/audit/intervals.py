"""How many labels are wrong, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.fit_noise_model import refit
from noiselayer.audit.noise_model import NoiseModel
from noiselayer.estimation.uncertainty import normal_quantile

NUM_DRAWS, _FEW_DRAWS = 20, 8
_MANY_CLASSES = 64
_MOST_ROWS = 2**12
# How far the expected number is off for another reason than chance, relative to it, where the noise model was
# fitted: noise that depends on the sample, probabilities that no temperature mends. See docs/evidence/audit.md.
FORM, _FORM_OF_CLASS = 0.05, 0.15


@dataclass(frozen=True, eq=False)
class WrongLabels:
    """How many labels are expected to be wrong, with an interval for how many are.

    Attributes:
        labels: Shape (K,), how many samples carry each label, those verified not counted.
        expected: Shape (K,), how many of them are expected to be wrong.
        low: Shape (K,), lower ends of the intervals.
        high: Shape (K,), upper ends.
        total: Of all classes together.
        total_low: Lower end of the interval of all.
        total_high: Upper end.
        sample_end: Shape (K,), how many are wrong if the model's doubt is the sample's; None where a noise matrix
            was given, which settles it.
        label_end: Shape (K,), how many if it is the labels'.
        settled: Whether the data tell between the two; else the intervals span both.
        known: Whether a number can be named at all. Where the fitted noise matrix gives some class another label at
            least as often as its own, the expected numbers are sums of error probabilities that serve to rank labels,
            and nothing but the interval is to be used.
    """

    labels: Tensor
    expected: Tensor
    low: Tensor
    high: Tensor
    total: float
    total_low: float
    total_high: float
    sample_end: Tensor | None = None
    label_end: Tensor | None = None
    settled: bool = True
    known: bool = True


@dataclass(frozen=True, eq=False)
class Ends:
    """What the labels allow, in numbers of wrong ones, shape (K,) each; see :func:`noiselayer.audit.doubt.whose_doubt`.

    Attributes:
        sample_end: If the doubt is the sample's.
        label_end: If it is the labels'.
        settled: Whether the data tell between them.
        form: What the expected number may be off by for reasons other than chance, where they do: a share of it.
        known: Whether a number between them can be named.
    """

    sample_end: Tensor
    label_end: Tensor
    settled: bool
    form: float = FORM
    known: bool = True


@dataclass(frozen=True, eq=False)
class Draws:
    """How far a fit to other samples of the same size would have been.

    Attributes:
        standard_error: Of the noise matrix, shape (K, K); None if it was given as exact.
        of_class: Standard deviation of the share of wrong labels among each label's samples, shape (K,).
        of_all: The same of all samples.
        fitted: Whether anything was fitted at all.
    """

    standard_error: Tensor | None
    of_class: Tensor
    of_all: float
    fitted: bool = True


def draw_models(
    samples: Candidates,
    model: NoiseModel,
    *,
    calibrated: bool,
    estimated: bool,
    standard_error: Tensor | None = None,
) -> Draws:
    """Fit again to samples weighted at random (a Bayesian bootstrap), and look how the error rates move.

    At most 2**12 samples are drawn from; what is found there is scaled to the number of samples fitted to.

    Args:
        samples: What the model was fitted to.
        model: The answer.
        calibrated: The sharpness was fitted.
        estimated: The noise matrix was fitted.
        standard_error: Shape (K, K), of a noise matrix that was given; it is then drawn around its values.
    """
    K, n = len(model.noise_matrix), len(samples)
    num_draws = NUM_DRAWS if K <= _MANY_CLASSES else _FEW_DRAWS
    moves = calibrated or estimated or standard_error is not None
    if not moves or not n:
        return Draws(standard_error, torch.zeros(K, dtype=torch.float64), 0.0, fitted=False)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(n, generator=generator)[:_MOST_ROWS]
    few = samples.take(chosen).to(model.noise_matrix.dtype)
    shrink = (len(few) / n) ** 0.5
    # The answer on these very samples is what the draws are spread around.
    centre = (
        refit(few, model, model.noise_matrix, fixed=not estimated)[0] if calibrated or estimated else model
    )
    rates = []
    # Of the differences: no list of matrices.
    total, squares = torch.zeros(2, *((K, K) if estimated else (0, 0)), dtype=model.noise_matrix.dtype)
    for _ in range(num_draws):
        drawn = centre
        if standard_error is not None:
            noise = (
                torch.randn(K, K, generator=generator, dtype=torch.float64) * standard_error.double() / shrink
            )
            Q = (model.noise_matrix + noise.to(few.probs.dtype)).clamp_min(0)
            drawn = NoiseModel(Q / Q.sum(dim=0).clamp_min(1e-12), model.sharpness, model.learned_share)
        if calibrated or estimated:
            weights = torch.empty(len(few), dtype=few.probs.dtype).exponential_(generator=generator)
            drawn, _ = refit(few, drawn, centre.noise_matrix, fixed=not estimated, weights=weights, rounds=1)
        if estimated:
            moved = drawn.noise_matrix - centre.noise_matrix
            total += moved
            squares.addcmul_(moved, moved)
        rates.append(_rates(few, drawn, K))
    spread = torch.stack(rates).std(dim=0) * shrink
    if estimated:
        variance = (squares - total.square() / num_draws) / (num_draws - 1)
        standard_error = variance.clamp_min(0).sqrt() * shrink
    return Draws(standard_error, spread[:K], float(spread[K]), calibrated or estimated)


def wrong_labels(
    labels: Tensor,
    expected: Tensor,
    variance: Tensor,
    draws: Draws,
    ends: Ends | None = None,
    *,
    confidence: float = 0.95,
) -> WrongLabels:
    r"""Intervals of three kinds: chance, the fit's own scatter, and noise of another form than the model's.

    Given the error probabilities, the number of wrong labels is a sum of independent yes-or-nos (Poisson
    binomial) with variance :math:`\sum_n e_n (1 - e_n)`. The fit adds the variance of the expected number over
    draws. What neither knows is that noise depends on more than the class: an allowance of 5 % of the expected
    number, 15 % for a single label, is what was seen on data with known truth. Where the data cannot tell whose the
    doubt is, the interval spans both ends instead, and chance beyond them.

    Args:
        labels: Shape (K,), how many samples carry each label.
        expected: Shape (K,), their error probabilities summed.
        variance: Shape (K,), e (1 - e) summed.
        draws: How sure the fit is.
        ends: What the labels allow; None where the noise matrix was given.
        confidence: Of the intervals.

    >>> none = Draws(None, torch.zeros(1, dtype=torch.float64), 0.0, fitted=False)
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> count = wrong_labels(400 * one, 100 * one, 25 * one, none)
    >>> count.total, round(count.total_low, 1), round(count.total_high, 1)
    (100.0, 90.2, 109.8)
    """
    z = normal_quantile(confidence)
    N, total = float(labels.sum()), float(expected.sum())
    # A class without samples among those drawn from moves as all classes together do.
    relative = draws.of_all * N / max(total, 1e-12)
    of_class = torch.maximum(
        labels * draws.of_class, torch.where(draws.of_class > 0, 0.0, expected * relative)
    )
    form, form_of_class = (
        (FORM if ends is None else ends.form, _FORM_OF_CLASS) if draws.fitted else (0.0, 0.0)
    )
    low = high = expected
    if ends is not None and not ends.settled:
        form = form_of_class = 0.0
        low, high = torch.minimum(low, ends.sample_end), torch.maximum(high, ends.label_end)
    spread = z * (variance + of_class.square() + (form_of_class * expected).square()).sqrt()
    all_spread = z * (float(variance.sum()) + (N * draws.of_all) ** 2 + (form * total) ** 2) ** 0.5
    return WrongLabels(
        labels,
        expected,
        (low - spread).clamp_min(0.0),
        torch.minimum(high + spread, labels),
        total,
        max(0.0, float(low.sum()) - all_spread),
        min(N, float(high.sum()) + all_spread),
        *(() if ends is None else (ends.sample_end, ends.label_end, ends.settled, ends.known)),
    )


def _rates(samples: Candidates, model: NoiseModel, num_classes: int) -> Tensor:
    """Mean error probability by given label, and of all, shape (K + 1,)."""
    e = model.score(samples).error_probability.double()
    sums = torch.zeros(num_classes, dtype=e.dtype).index_add_(0, samples.labels, e)
    counts = torch.bincount(samples.labels, minlength=num_classes)
    return torch.cat([sums / counts.clamp_min(1), e.mean().reshape(1)])

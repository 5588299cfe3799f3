r"""The noise matrix from noisy labels alone, by a small model on a network's features (§3.3).

Learned together with a whole network, Q is not determined: a network that can imitate the noise leaves Q at the
identity (§3.3), and a penalty strong enough to prevent that also drags Q past the truth. A *linear* model on
features that the network computed for samples it was not trained on is too small to imitate the noise:

.. math:: p(\tilde y = j \mid f) = \sum_i Q_{ji}\; \mathrm{softmax}(W f + b)_i

Along any direction of f its softmax saturates at one class, and the noisy distribution at a column of Q. So the
likelihood itself finds Q. What is left to choose, the ridge on W and the weight of the trace, is chosen by the
likelihood of noisy labels held out: Theorem 1 in its constrained form, the smallest trace among the answers that
are not distinguishably worse than the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from noiselayer.choices import Rule
from noiselayer.estimation.validate import listing
from noiselayer.joint.linear_fit import (
    LinearFit,
    evenly_spaced,
    linear_logits,
    num_components,
    principal_features,
)
from noiselayer.losses.log_space import noisy_nll

RIDGES = (30.0, 10.0, 3.0)
"""Candidates for the ridge, times N: the data's weight in the loss grows with N, a prior's does not."""
TRACE_PENALTIES = (0.0, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Candidate:
    """One answer on the path of penalties."""

    ridge: float  # N times the weight of ||W||^2 / 2
    trace_penalty: float  # weight of tr(Q) / K
    noise_matrix: Tensor
    trace: float  # tr(Q) / K, the mean share of right labels
    held_out_loss: float  # mean, in nats, as the excess over the best candidate's
    excess: float = 0.0
    excess_error: float = 0.0  # standard error over pairs of losses


@dataclass(frozen=True)
class FeatureEstimate:
    """The noise matrix chosen, and the path it was chosen from."""

    noise_matrix: Tensor
    chosen: Candidate
    path: tuple[Candidate, ...]
    warning: str = ""


def estimate_from_features(
    features: Tensor,
    noisy_labels: Tensor,
    num_classes: int,
    *,
    validation_features: Tensor,
    validation_labels: Tensor,
    start: Tensor,
    ridges: Sequence[float] = RIDGES,
    trace_penalties: Sequence[float] = TRACE_PENALTIES,
    rule: Rule = "one-standard-error",
    max_features: int | None = None,
    max_samples: int = 20_000,
    max_iterations: int = 100,
) -> FeatureEstimate:
    """Fit a linear classifier and the noise matrix together, on features of noisily labelled samples.

    ``features`` (N, D) are best from a network not trained on these samples: one that has memorised their labels has
    put the noise into the features. ``start`` (K, K) decides which class is which: its diagonal should lead every
    row. ``ridges`` are N times the weight of ||W||^2 / 2, ``trace_penalties`` weigh tr(Q) / K: without any, the ridge
    keeps the classifier unsure of itself, and Q makes up for it by being too clean. ``rule`` "best" takes the highest
    held-out likelihood, "one-standard-error" the smallest trace that cannot be told from it.
    """
    K = num_classes
    for name, f, y in (
        ("features", features, noisy_labels),
        ("validation_features", validation_features, validation_labels),
    ):
        if f.ndim != 2 or f.shape[1] != features.shape[1] or y.shape != (len(f),):
            raise ValueError(
                f"{name} must have shape (N, D) with one label per row; got {tuple(f.shape)} and labels of "
                f"shape {tuple(y.shape)}."
            )
    if start.shape != (K, K):
        raise ValueError(f"start must have shape ({K}, {K}); got {tuple(start.shape)}.")
    # Double precision, for L-BFGS's line search; on the CPU, since some accelerators have no doubles.
    kept = evenly_spaced(len(features), max_samples)
    f, f_held = principal_features(
        features.detach()[kept].cpu().double(),
        validation_features.detach().cpu().double(),
        max_features or num_components(K),
    )
    y, y_held = noisy_labels[kept].cpu().long(), validation_labels.cpu().long()
    A0 = start.detach().cpu().double().clamp_min(1e-4).log()
    fit = LinearFit(f, y, K, iterations=max_iterations)
    candidates, losses = [], []
    for ridge in ridges:
        # First the classifier alone: against one that knows nothing, Q would forget its start.
        W0 = fit.classifier(A0, ridge=ridge / len(f))
        for trace_weight in trace_penalties:
            # Each from the same start: a stiff classifier drives Q into the identity, where no gradient is left.
            W, A = fit.both(W0, A0, ridge=ridge / len(f), trace_weight=trace_weight)
            Q = A.softmax(dim=0)
            held_out = noisy_nll(linear_logits(f_held, W), y_held, Q)
            losses.append(held_out)
            candidates.append(
                Candidate(ridge, trace_weight, Q.float(), float(Q.diagonal().mean()), float(held_out.mean()))
            )
    path = _with_excess(candidates, losses)
    eligible = [k for k, c in enumerate(path) if not lost_classes(c.noise_matrix)]
    if not eligible:
        lost = lost_classes(_most_likely(path).noise_matrix)
        identity = Candidate(float("nan"), 0.0, torch.eye(K), 1.0, float("nan"))
        return FeatureEstimate(
            identity.noise_matrix,
            identity,
            path,
            f"the noise cannot be told from the network's own mistakes: {listing(lost)} would be labelled as "
            "others more often than as themselves, so Q stays at the identity. Train the warm-up longer, or give "
            "some clean samples.",
        )
    best = _with_excess([candidates[k] for k in eligible], [losses[k] for k in eligible])
    chosen = _RULES[rule](best)
    return FeatureEstimate(chosen.noise_matrix, chosen, path)


def lost_classes(noise_matrix: Tensor) -> list[int]:
    """Classes that a noise matrix has lost: neither is i the commonest label of class i, nor class i of label i.

    Both follow from the conditions of Theorem 1 and from its mirror image; where both fail, the classes have most
    likely changed places, which noisy labels alone cannot tell.
    """
    Q = noise_matrix
    own = Q.diagonal()
    lost = (own < Q.amax(dim=0)) & (own < Q.amax(dim=1))
    return [int(k) for k in lost.nonzero().flatten()]


def smallest_trace_within_one_error(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the smallest trace among those whose excess loss is within one standard error.

    Theorem 1 in its constrained form: minimise tr(Q) subject to explaining the noisy labels as well as can be told.
    More free parameters overfit and lose likelihood, which bounds the choice from below.
    """
    eligible = [c for c in candidates if c.excess <= c.excess_error]
    return min(eligible, key=lambda c: c.trace)


def _most_likely(candidates: Sequence[Candidate]) -> Candidate:
    return min(candidates, key=lambda c: c.held_out_loss)


_RULES: dict[str, Callable[[Sequence[Candidate]], Candidate]] = {
    "best": _most_likely,
    "one-standard-error": smallest_trace_within_one_error,
}


def _with_excess(candidates: Sequence[Candidate], losses: Sequence[Tensor]) -> tuple[Candidate, ...]:
    best = losses[min(range(len(candidates)), key=lambda k: candidates[k].held_out_loss)]
    path = []
    for c, loss in zip(candidates, losses, strict=True):
        excess = loss - best
        error = float(excess.std() / len(excess) ** 0.5) if len(excess) > 1 else 0.0
        path.append(replace(c, excess=float(excess.mean()), excess_error=error))
    return tuple(path)

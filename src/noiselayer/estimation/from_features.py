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

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.functional import noisy_nll

__all__ = ["Candidate", "FeatureEstimate", "estimate_from_features", "smallest_trace_within_one_error"]

RIDGES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
TRACE_PENALTIES = (0.0,)


@dataclass(frozen=True)
class Candidate:
    """One answer on the path of penalties.

    Attributes:
        ridge: Weight of ||W||^2 / 2.
        trace_penalty: Weight of tr(Q) / K.
        noise_matrix: Shape (K, K), columns = true classes.
        trace: tr(Q) / K, the mean share of right labels.
        held_out_loss: Mean negative log-likelihood of the validation labels, in nats.
        excess: Its mean excess over the best candidate's, in nats.
        excess_error: The paired standard error of that excess.
    """

    ridge: float
    trace_penalty: float
    noise_matrix: Tensor
    trace: float
    held_out_loss: float
    excess: float = 0.0
    excess_error: float = 0.0


@dataclass(frozen=True)
class FeatureEstimate:
    """The noise matrix chosen, and the path it was chosen from.

    Attributes:
        noise_matrix: Shape (K, K), float32, columns = true classes.
        chosen: The candidate it comes from.
        path: All candidates.
    """

    noise_matrix: Tensor
    chosen: Candidate
    path: tuple[Candidate, ...]


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
    max_features: int = 64,
    max_iterations: int = 150,
) -> FeatureEstimate:
    """Fit a linear classifier and the noise matrix together, on features of noisily labelled samples.

    Args:
        features: Shape (N, D), best from a network that was not trained on these samples: a network that has
            memorised their labels has put the noise into the features.
        noisy_labels: Shape (N,), integers 0..K-1.
        num_classes: K.
        validation_features: Shape (M, D), samples that neither the network nor this fit has seen.
        validation_labels: Shape (M,), their noisy labels.
        start: Shape (K, K), the noise matrix to start from, columns = true classes. It decides which class is
            which: its diagonal should lead every row.
        ridges: Candidates for the weight of ||W||^2 / 2.
        trace_penalties: Candidates for the weight of tr(Q) / K.
        max_features: Use so many principal components at most.
        max_iterations: Of L-BFGS, per candidate.

    Returns:
        The candidate of the smallest trace whose held-out likelihood is within one paired standard error of
        the best, and the whole path.

    Raises:
        ValueError: If shapes do not fit.

    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.randint(2, (4000,), generator=generator)
    >>> features = torch.randn(4000, 2, generator=generator) + 4 * torch.eye(2)[truth]
    >>> from noiselayer import corrupt_labels
    >>> Q = torch.tensor([[0.9, 0.4], [0.1, 0.6]])
    >>> noisy = corrupt_labels(truth, Q, generator=generator)
    >>> estimate = estimate_from_features(
    ...     features[:3000], noisy[:3000], 2, validation_features=features[3000:], validation_labels=noisy[3000:],
    ...     start=torch.tensor([[0.7, 0.3], [0.3, 0.7]]),
    ... )
    >>> bool((estimate.noise_matrix - Q).abs().max() < 0.05)
    True
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
    f, f_held = _principal(features.detach().cpu().double(), validation_features.detach().cpu().double(), max_features)
    y, y_held = noisy_labels.cpu().long(), validation_labels.cpu().long()
    W = torch.zeros(K, f.shape[1] + 1, dtype=torch.float64)
    A = start.detach().cpu().double().clamp_min(1e-4).log()
    candidates, losses = [], []
    for ridge in sorted(ridges, reverse=True):  # from stiff to free, each from the last one's answer
        for trace_weight in sorted(trace_penalties):
            W, A = _fit(f, y, W, A, ridge, trace_weight, max_iterations)
            Q = A.softmax(dim=0)
            held_out = noisy_nll(_logits(f_held, W), y_held, Q)
            losses.append(held_out)
            candidates.append(
                Candidate(ridge, trace_weight, Q.float(), float(Q.diagonal().mean()), float(held_out.mean()))
            )
    path = _with_excess(candidates, losses)
    chosen = smallest_trace_within_one_error(path)
    return FeatureEstimate(chosen.noise_matrix, chosen, path)


def smallest_trace_within_one_error(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the smallest trace among those whose excess loss is within one standard error.

    Theorem 1 in its constrained form: minimise tr(Q) subject to explaining the noisy labels as well as can be
    told. More free parameters overfit and lose likelihood, which bounds the choice from below.

    Args:
        candidates: At least one.

    >>> eye = torch.eye(2)
    >>> path = [Candidate(1.0, 0.0, eye, 0.9, 1.00), Candidate(0.1, 0.0, eye, 0.8, 1.01, 0.01, 0.02),
    ...         Candidate(0.0, 0.0, eye, 0.3, 1.50, 0.5, 0.02)]
    >>> smallest_trace_within_one_error(path).trace
    0.8
    """
    eligible = [c for c in candidates if c.excess <= c.excess_error]
    return min(eligible, key=lambda c: c.trace)


def _fit(
    f: Tensor, y: Tensor, W: Tensor, A: Tensor, ridge: float, trace_weight: float, iterations: int
) -> tuple[Tensor, Tensor]:
    """L-BFGS on W and on A, where Q = softmax of A's columns: unconstrained, and zeros only in the limit."""
    W, A = W.clone().requires_grad_(True), A.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [W, A], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-8
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        Q = A.softmax(dim=0)
        loss = noisy_nll(_logits(f, W), y, Q).mean()
        loss = loss + ridge / 2 * W[:, :-1].square().sum() + trace_weight * Q.diagonal().mean()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return W.detach(), A.detach()


def _logits(f: Tensor, W: Tensor) -> Tensor:
    return torch.addmm(W[:, -1], f, W[:, :-1].T)


def _principal(f: Tensor, held: Tensor, max_features: int) -> tuple[Tensor, Tensor]:
    """Standardised principal components, on one common scale so that one ridge serves them all."""
    mean, std = f.mean(dim=0), f.std(dim=0)
    used = std > 1e-6 * std.max().clamp_min(1e-300)
    f, held = (f - mean)[:, used] / std[used], (held - mean)[:, used] / std[used]
    _, directions = torch.linalg.eigh(f.T @ f)
    directions = directions[:, -max_features:]
    f, held = f @ directions, held @ directions
    scale = f.std()
    return f / scale, held / scale


def _with_excess(candidates: Sequence[Candidate], losses: Sequence[Tensor]) -> tuple[Candidate, ...]:
    best = losses[min(range(len(candidates)), key=lambda k: candidates[k].held_out_loss)]
    path = []
    for c, loss in zip(candidates, losses, strict=True):
        excess = loss - best
        error = float(excess.std() / len(excess) ** 0.5) if len(excess) > 1 else float("inf")
        path.append(
            Candidate(c.ridge, c.trace_penalty, c.noise_matrix, c.trace, c.held_out_loss, float(excess.mean()), error)
        )
    return tuple(path)

r"""A noise matrix learned by turns: predict out of fold, see what the predictions say of Q, predict again through Q.

Where the trees or the estimator cannot be asked for a gradient with respect to Q, a small linear model can
(:func:`noiselayer.joint.from_features.estimate_from_features`). It looks at the predictions, whose samples no
model has memorised, at the inputs themselves, and at both together; noisy labels held out say which of the three
explain them well enough, and the smallest trace wins, as Theorem 1 of the paper asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from noiselayer.estimation.confusion import confusion_of_predictions
from noiselayer.estimators.meta.fold_predictions import Array, Codes, Floats, FoldPredictions
from noiselayer.joint.from_features import FeatureEstimate, estimate_from_features
from noiselayer.noise.posterior import bayes

MAX_RAW_FEATURES = 1024
_UNTOLD = (
    "the noise cannot be told from the estimator's own mistakes: classes would be labelled as others more often "
    "than as themselves, so noise_matrix_ stays at the identity. Give some clean samples, or a matrix."
)
HELD_OUT = 0.2


@dataclass(frozen=True)
class Round:
    """What one turn has found; ``view`` is what the linear model looked at: "predictions", "inputs" or "both"."""

    view: str
    held_out_loss: float
    noise_matrix: Floats


@dataclass(frozen=True)
class LearnedMatrix:
    """The matrix of the round that explains held-out labels best; with a ``warning`` it is the identity."""

    noise_matrix: Floats
    rounds: tuple[Round, ...]
    warning: str = ""


def learn_noise_matrix(
    X: Array,
    noisy_labels: Codes,
    num_classes: int,
    predict: Callable[[Floats | None], FoldPredictions],
    *,
    rounds: int = 2,
    generator: np.random.RandomState,
) -> LearnedMatrix:
    """Alternate between out-of-fold predictions through Q and the Q that they, and the inputs, speak for.

    Args:
        X: Shape (N, D), numbers; NaN counts as the column's mean.
        noisy_labels: Shape (N,), integers 0..K-1.
        num_classes: K.
        predict: Out-of-fold predictions of the true classes, given a noise matrix; of the noisy ones, given
            None, as the first round does.
        rounds: How often, at least 1.
        generator: Chooses the labels that are held out, the same in all rounds.
    """
    held = np.zeros(len(X), dtype=bool)
    held[generator.permutation(len(X))[: max(1, round(HELD_OUT * len(X)))]] = True
    inputs = _standardised(X)
    found: list[Round] = []
    Q: Floats | None = None
    for _ in range(rounds):
        probs = predict(Q).probs
        views = {"predictions": _log_ratios(probs)}
        if inputs.shape[1] <= MAX_RAW_FEATURES:
            views |= {"inputs": inputs, "both": np.hstack([views["predictions"], inputs])}
        if Q is None:
            said, labels = torch.from_numpy(probs.argmax(axis=1)), torch.from_numpy(noisy_labels)
            start = confusion_of_predictions(labels, said, num_classes).numpy()
        else:
            start = 0.9 * Q + 0.1 / num_classes
        estimates = {
            name: _estimate(view, noisy_labels, num_classes, held, start) for name, view in views.items()
        }
        usable = {name: e for name, e in estimates.items() if not e.warning}
        if not usable:
            break
        name = _smallest_trace(usable)
        Q = _columns_to_one(usable[name].noise_matrix.double().numpy())
        found.append(Round(name, usable[name].chosen.held_out_loss, Q))
    if not found:
        return LearnedMatrix(np.eye(num_classes), (), _UNTOLD)
    return LearnedMatrix(min(found, key=lambda r: r.held_out_loss).noise_matrix, tuple(found))


def update_noise_matrix(probs: Floats, noisy_labels: Codes, noise_matrix: Floats) -> Floats:
    r"""One step of expectation-maximisation for Q with the classifier as it stands, in closed form.

    .. math:: Q_{ji} \leftarrow \frac{\sum_{n: \tilde y_n = j} \pi_{ni}}{\sum_n \pi_{ni}}, \qquad
              \pi_{ni} = \frac{Q_{\tilde y_n i}\, p_{ni}}{\sum_k Q_{\tilde y_n k}\, p_{nk}}

    No step makes the noisy labels less likely. Zeros stay zeros. The probabilities must be out of sample: those
    of a classifier that repeats the noisy labels say that there is no noise.

    Args:
        probs: Shape (N, K), probabilities of the true classes.
        noisy_labels: Shape (N,), integers 0..K-1.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.

    Returns:
        Shape (K, K). The column of a class that no sample can be of stays as it was.

    >>> probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    >>> update_noise_matrix(probs, np.array([0, 1, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])).round(3).tolist()
    [[0.474, 0.091], [0.526, 0.909]]
    """
    posterior = posterior_of(probs, noisy_labels, noise_matrix)
    counts = np.zeros_like(noise_matrix)
    np.add.at(counts, noisy_labels, posterior)
    return np.where(counts.sum(axis=0) > 0, _columns_to_one(counts), noise_matrix)


def class_probabilities_behind(noisy_probs: Floats, noise_matrix: Floats, steps: int = 100) -> Floats:
    r"""What a prediction of the noisy label says of the true class: the p on the simplex that Q carries nearest to it.

    .. math:: \arg\max_p \sum_j \tilde p_j \log (Q p)_j

    found by expectation-maximisation, which stays on the simplex where Q's inverse leaves it.

    Args:
        noisy_probs: Shape (N, K), p(noisy | x).
        noise_matrix: Shape (K, K), columns sum to 1.
        steps: Of expectation-maximisation.

    Returns:
        Shape (N, K), rows sum to 1.

    >>> Q = np.array([[0.8, 0.4], [0.2, 0.6]])
    >>> class_probabilities_behind(np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]]), Q).round(2).tolist()
    [[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]
    """
    probs = np.full(noisy_probs.shape, 1 / noisy_probs.shape[1])
    for _ in range(steps):
        expected = probs @ noise_matrix.T
        ratio = np.divide(noisy_probs, expected, out=np.zeros_like(expected), where=expected > 0)
        probs = probs * (ratio @ noise_matrix)
        probs /= probs.sum(axis=1, keepdims=True)
    return probs


def posterior_of(probs: Floats, noisy_labels: Codes, noise_matrix: Floats) -> Floats:
    """p(true = i | x, noisy label), shape (N, K); ``probs`` where they call the label impossible.

    >>> Q = np.array([[0.8, 0.4], [0.2, 0.6]])
    >>> posterior_of(np.full((2, 2), 0.5), np.array([0, 1]), Q).round(3).tolist()
    [[0.667, 0.333], [0.25, 0.75]]
    """
    with np.errstate(divide="ignore"):
        log_joint = np.log(noise_matrix)[noisy_labels] + np.log(probs)
    posterior: Floats = bayes(torch.from_numpy(log_joint), torch.tensor(probs)).numpy()
    return posterior


def _estimate(
    features: Floats, labels: Codes, num_classes: int, held: npt.NDArray[np.bool_], start: Floats
) -> FeatureEstimate:
    return estimate_from_features(
        torch.from_numpy(features[~held]),
        torch.from_numpy(labels[~held]),
        num_classes,
        validation_features=torch.from_numpy(features[held]),
        validation_labels=torch.from_numpy(labels[held]),
        start=torch.from_numpy(start),
    )


def _smallest_trace(estimates: dict[str, FeatureEstimate]) -> str:
    """Of the views that explain held-out labels within error: by likelihood, predictions would repeat the noise."""
    best = min(estimates.values(), key=lambda e: e.chosen.held_out_loss)
    bearable = best.chosen.held_out_loss + max(candidate.excess_error for candidate in best.path)
    eligible = [name for name, e in estimates.items() if e.chosen.held_out_loss <= bearable]
    return min(eligible, key=lambda name: estimates[name].chosen.trace)


def _log_ratios(probs: Floats) -> Floats:
    """Log-probabilities less their mean: what a softmax calls its input."""
    logs = np.log(probs.clip(1e-6))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True), dtype=np.float64)


def _standardised(X: Array) -> Floats:
    X = np.asarray(X, dtype=np.float64)
    known = np.isfinite(X)
    mean = np.where(known, X, 0).sum(axis=0) / known.sum(axis=0).clip(1)
    X = np.where(known, X, mean) - mean
    return np.asarray(X / np.where(X.std(axis=0) > 0, X.std(axis=0), 1), dtype=np.float64)


def _columns_to_one(counts: Floats) -> Floats:
    sums = counts.sum(axis=0)
    return np.asarray(counts / np.where(sums > 0, sums, 1), dtype=np.float64)

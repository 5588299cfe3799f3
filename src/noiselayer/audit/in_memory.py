"""The audit of labels in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from noiselayer.arrays.class_labels import MULTI_LABEL, class_numbers
from noiselayer.arrays.kinds import check_names
from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.audit.audit_result import AuditResult
from noiselayer.audit.candidates import candidates_of
from noiselayer.audit.checked_batches import batches_of_arrays
from noiselayer.audit.neighbours import mixed_with_neighbours
from noiselayer.audit.noise_model import NoiseModel
from noiselayer.audit.passes import Options, audit_batches
from noiselayer.audit.second_look import accuracy_by_agreement, check_second_look, mean_of_both
from noiselayer.noise.posterior import bayes


def audit_labels(
    labels: Any,
    probs: Any,
    noise_matrix: Any = None,
    *,
    probs_predict: Literal["given", "true"] | None = None,
    second_probs: Any = None,
    features: Any = None,
    standard_error: Any = None,
    calibrate: bool = True,
    verified: Any = None,
    threshold: float | None = None,
    class_names: Sequence[str] | None = None,
    top: int | None = None,
    check_model: bool = True,
) -> AuditResult:
    r"""Find the labels that are wrong, say what they should be, and how many there are.

    A model's probabilities p are taken back to those of the true class and sharpened, and Bayes' rule gives
    the probability that the label is wrong:

    .. math:: e = 1 - \frac{Q_{\tilde y \tilde y}\, w_{\tilde y}}{\sum_i Q_{\tilde y i}\, w_i},
        \qquad w_i \propto r_i^\tau, \qquad p = ((1 - \kappa) I + \kappa Q)\, r

    Q, the sharpness tau and, for ``probs_predict="given"``, the share kappa of the noise that the model shows are
    those under which the labels are most likely. See ``docs/evidence/audit.md`` for how well that does.

    **The probabilities must be out of sample**: of a model that has not seen these labels, or cross-fitted. A
    network that has memorised its labels finds no errors in them.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    Args:
        labels: Shape (N,), the labels that the samples carry: integers 0..K-1, or names where ``class_names`` says
            their order.
        probs: Shape (N, K), rows sum to 1.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
            Estimated from labels and probabilities if None.
        probs_predict: Which label the probabilities are of; required. "given": the model was trained on these noisy
            labels or others like them, as usual, so it predicts the label that a sample would be given.
            "true": it predicts the true class, as ``predict_proba`` of our own estimators does, or a model
            trained on trusted labels.
        second_probs: Shape (N, K), out-of-sample probabilities of a second model, with another seed or architecture
            and other folds. Labels are judged by the mean of both, and how often the two agree says how often it is
            right, which nothing else here can where people gave the labels; see
            :func:`noiselayer.audit.second_look.accuracy_by_agreement`.
        features: Shape (N, D), numbers that describe the samples. Where the labels of a sample's neighbours explain its
            label better than the model does, which then is too simple for the classes, labels are judged by a mixture
            of both, and ``warnings`` says so; see :func:`noiselayer.audit.neighbours.mixed_with_neighbours`.
        standard_error: Of ``noise_matrix``, shape (K, K), for the intervals; it is taken as exact if None.
        calibrate: Sharpen or soften the probabilities so that the noisy labels are most likely. Without, they
            are taken as they are, which needs ``noise_matrix``.
        verified: Shape (N,), bool: labels that are known to be right.
        threshold: A label is called wrong above this error probability; if None, the one with the highest
            expected F1 score, see :func:`noiselayer.audit.best_threshold`.
        class_names: The K classes in the order of the columns of ``probs``, for names among the labels, messages,
            tables and files.
        top: Keep the rows of so many labels, those most likely wrong; all if None.
        check_model: Run :func:`noiselayer.check_noise_model`.

    Returns:
        The result; it says which of both was assumed of ``probs``. It holds NumPy arrays, or tensors if one was
        given.

    Raises:
        TypeError: If labels are not integers or probabilities not floating-point.
        ValueError: If shapes do not fit, a row of ``probs`` holds NaN or does not sum to 1, ``noise_matrix``
            is none (its columns must sum to 1), or an option is out of range.
        IndexError: If a label is out of range.

    >>> from noiselayer import corrupt_labels
    >>> from noiselayer.noise import pair_flip
    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.arange(3000) % 3
    >>> probs = (4 * torch.eye(3)[truth] + torch.randn(3000, 3, generator=generator)).softmax(dim=1)
    >>> labels = corrupt_labels(truth, pair_flip(3, 0.2), generator=generator)
    >>> audit = audit_labels(labels, probs, probs_predict="true")
    >>> int((labels != truth).sum()), round(audit.wrong.total), audit.flagged
    (585, 586, 586)
    >>> bool((audit.corrected_labels() == truth).float().mean() > 0.98)
    True
    """
    given = (labels, probs, noise_matrix, standard_error, verified)
    labels, probs = class_numbers(labels, "labels", class_names), as_tensor(probs, "probs")
    noise_matrix, standard_error, verified = (
        None if values is None else as_tensor(values, name)
        for values, name in (
            (noise_matrix, "noise_matrix"),
            (standard_error, "standard_error"),
            (verified, "verified"),
        )
    )
    if len(probs.shape) != 2 or probs.shape[1] < 2:
        raise ValueError(
            f"probs must have shape (N, K) with K >= 2, a row per sample; got {tuple(probs.shape)}."
        )
    N, K = probs.shape
    if tuple(labels.shape) != (N,):
        several = "" if labels.ndim < 2 else f" Several classes per sample are for {MULTI_LABEL}."
        raise ValueError(
            f"labels must have shape ({N},), one per row of probs; got {tuple(labels.shape)}.{several}"
        )
    if verified is not None and (verified.dtype != torch.bool or tuple(verified.shape) != (N,)):
        raise ValueError(
            f"verified must be a mask, bool of shape ({N},), true where a label is known to be right; got "
            f"{verified.dtype} of shape {tuple(verified.shape)}."
        )
    check_names(class_names, "class_names")
    if class_names is not None and len(class_names) != K:
        raise ValueError(f"class_names must be {K}, one per column of probs; got {len(class_names)}.")
    accuracy = None
    if second_probs is not None:
        check_second_look(noise_matrix)
        second = as_tensor(second_probs, "second_probs")
        if tuple(second.shape) != (N, K):
            raise ValueError(
                f"second_probs must have the shape of probs, ({N}, {K}), of the same samples; got "
                f"{tuple(second.shape)}."
            )
        accuracy = accuracy_by_agreement(as_tensor(labels), as_tensor(probs), second)
        probs = mean_of_both(as_tensor(probs), second)
    options = Options(
        noise_matrix=noise_matrix,
        standard_error=standard_error,
        probs_predict=probs_predict,
        calibrate=calibrate,
        threshold=threshold,
        top=top,
        check_model=check_model,
        class_names=None if class_names is None else tuple(class_names),
        accuracy=accuracy,
    )
    said: tuple[str, ...] = ()
    if features is not None:
        mixed = mixed_with_neighbours(as_tensor(labels), as_tensor(probs), _rows(features, N, probs_predict))
        if mixed is not None:  # two models that miss the same agree too often
            probs, said, options = mixed.probs, (mixed.warning,), replace(options, accuracy=None)
    result = audit_batches(
        batches_of_arrays(labels, probs, verified), options, num_classes=int(K), num_samples=int(N)
    )

    result = replace(result, warnings=(*said, *result.warnings))
    judging = result._judging
    assert judging is not None

    def posterior() -> Tensor:
        return in_kind(_posterior(judging, labels, probs, verified), *given)

    return in_kind(replace(result, _posterior=posterior, _judging=None), *given)


def _rows(features: Any, num_samples: int, probs_predict: str | None) -> Tensor:
    if probs_predict != "given":
        raise ValueError(
            "features help where the model predicts the given label, as neighbours' labels do: with "
            f"probs_predict={probs_predict!r} leave them out."
        )
    rows = as_tensor(features, "features")
    if rows.ndim != 2 or len(rows) != num_samples:
        raise ValueError(
            f"features must have shape ({num_samples}, D), a row per sample; got {tuple(rows.shape)}."
        )
    return rows


def _posterior(model: NoiseModel, labels: Tensor, probs: Tensor, verified: Tensor | None) -> Tensor:
    samples = candidates_of(probs.float(), labels.long(), verified)
    after = bayes(model.log_joint(samples))
    if verified is not None:
        after = torch.where(verified.unsqueeze(1), samples.own().to(after.dtype), after)
    return samples.dense(after, probs.shape[1])

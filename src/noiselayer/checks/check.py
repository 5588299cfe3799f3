"""All checks of the noise model that the data at hand allow, with one promise about false alarms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_count, check_number
from noiselayer.arrays.tensors import as_tensor
from noiselayer.checks.agreement import about_agreement, about_confidence
from noiselayer.checks.finding import Finding
from noiselayer.checks.hull import about_mixtures
from noiselayer.checks.matrix_checks import about_confusion, about_dominance
from noiselayer.checks.memorising import memorising
from noiselayer.checks.pair_independence import about_pairs
from noiselayer.checks.significance import holm
from noiselayer.estimation.confusion import confusion_matrix
from noiselayer.estimation.validate import check_labels, check_probs, check_same_samples, to_double
from noiselayer.noise.floor import check_prior
from noiselayer.noise.matrices import check
from noiselayer.noise.simplex import project

_INVERTIBLE = 1e6  # a condition number


def check_noise_model(
    noise_matrix: Any,
    *,
    standard_error: Any = None,
    noisy_probs: Any = None,
    noisy_labels: Any = None,
    noisy_groups: Any = None,
    clean_probs: Any = None,
    clean_labels: Any = None,
    clean_noisy_labels: Any = None,
    clean_groups: Any = None,
    clean_confusion: Any = None,
    class_prior: Any = None,
    training_loss: float | None = None,
    num_training: int | None = None,
    level: float = 0.05,
) -> list[Finding]:
    """Ask the data whether noise depends on the class only, and the method whether it can work (§3.1, §3.3).

    Give what there is; every check runs that can. Those with a p-value are tests: on data that obey the noise
    model, all of them together raise a false alarm in at most ``level`` of cases (Holm's adjustment).

    ======================  ==================================================================================
    needs                   checks
    ======================  ==================================================================================
    noise_matrix            Theorem 1's condition: the diagonal dominates its row; and its column
    clean_confusion         whether C* can be inverted (measured here if there are clean probs and labels)
    training_loss           whether training has gone below the noise floor: memorising
    noisy probs, labels     labels that no mixture of Q's columns explains, where the model is sure
                            (input-dependent noise) and where it is not (images from outside); by group
    + clean probs, labels   labels that agree with the model more or less often than they should at equal
                            confidence; more unsure samples in the noisy set (images from outside)
    clean_noisy_labels      different noise on easy and hard samples of the same true class; by group
    ======================  ==================================================================================

    **When the tests are valid.** The probabilities must come from a model that has seen neither the noisy nor
    the clean labels in question: a held-out set, or cross-fitting. They need no calibration. The clean set
    must have been drawn as the noisy one was, with the same proportions of classes. Without
    ``standard_error`` the noise matrix is taken to be exactly known: give the errors of an estimated one.
    Groups must be formed without the noisy labels.

    Array-likes of any kind are taken by position: lists, NumPy, pandas, polars, torch.

    **What cannot be seen.** Without any clean data, only labels that are *less* mixed than the noise matrix
    says contradict it, and a matrix learned from the same labels bends to them: test one from elsewhere.
    Images from outside whose labels look like a mixture of the columns are seen only beside a clean set.

    Args:
        noise_matrix: Q, shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        standard_error: Of its entries, shape (K, K), as in :class:`noiselayer.estimation.NoiseEstimate`.
        noisy_probs: Shape (N, K), p(true | x) of the samples with noisy labels: probabilities, not logits,
            before the noise layer.
        noisy_labels: Shape (N,), integers 0..K-1.
        noisy_groups: Shape (N,), integers from 0: clusters of the inputs, their annotators. Needs
            ``noisy_probs``.
        clean_probs: Shape (M, K), the same model's on the trusted samples.
        clean_labels: Shape (M,), their true labels.
        clean_noisy_labels: Shape (M,), their noisy labels, where the noisy annotator has labelled them too.
        clean_groups: Shape (M,), integers from 0. Needs ``clean_noisy_labels``.
        clean_confusion: C*, shape (K, K), column = true label.
        class_prior: Shape (K,), p(true = i) in the noisy set. If None and it is needed, found from
            ``noisy_labels`` and Q.
        training_loss: The network's mean loss on its noisy *training* labels, through Q, in nats.
        num_training: Of how many samples; ``len(noisy_labels)`` if None.
        level: How often the tests together may raise a false alarm, between 0 and 1.

    Returns:
        What was found, the surest test first, then properties of matrices. Empty if nothing contradicts the
        model; that is not proof of it.

    Raises:
        TypeError: If labels or groups are not integers or matrices and probabilities not floating-point.
        ValueError: If a matrix is not one, values are out of range, lengths differ, or an argument lacks
            the one it belongs to.

    >>> from noiselayer import corrupt_labels
    >>> from noiselayer.noise import symmetric
    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.arange(6000) % 3
    >>> ease = torch.rand(6000, generator=generator)
    >>> scores = 6 * ease[:, None] * torch.eye(3)[truth] + torch.randn(6000, 3, generator=generator)
    >>> hard = torch.rand(6000, generator=generator) > ease  # their labels are wrong far more often
    >>> noisy = torch.where(hard, corrupt_labels(truth, symmetric(3, 0.6), generator=generator), truth)
    >>> probs = scores.softmax(dim=1)
    >>> [finding] = check_noise_model(symmetric(3, 0.3), noisy_probs=probs, noisy_labels=noisy)
    >>> finding.name, finding.p_value < 0.001
    ('input_dependent_noise', True)
    """
    Q = to_double(check(as_tensor(noise_matrix, "noise_matrix"))).cpu()
    K = len(Q)
    check_number(level, "level")
    if not 0 < level < 1:
        raise ValueError(f"level is a share of false alarms, between 0 and 1, as in 0.05; got {level}.")
    error = _check_error(standard_error, K)
    if noisy_labels is not None:
        noisy_labels = check_labels(noisy_labels, K, name="noisy_labels").cpu()
    noisy = _labelled(noisy_probs, noisy_labels, K, side="noisy")
    clean = _labelled(clean_probs, clean_labels, K, side="clean")
    noisy_parts = _companion(noisy_groups, noisy, name="noisy_groups", of="noisy_probs and noisy_labels")
    paired = _companion(
        clean_noisy_labels, clean, name="clean_noisy_labels", of="clean_probs and clean_labels", num_classes=K
    )
    needed = clean if paired is not None else None
    clean_parts = _companion(clean_groups, needed, name="clean_groups", of="clean_noisy_labels")

    tests: list[Finding] = []
    if training_loss is not None:
        tests.append(_memorising(Q, class_prior, training_loss, num_training, noisy_labels))
    if noisy is not None:
        tests += about_mixtures(Q, error, *noisy, noisy_parts)
    if noisy is not None and clean is not None:
        tests += about_agreement(Q, error, *clean, *noisy)
        tests += about_confidence(clean[0], noisy[0])
    if clean is not None and paired is not None:
        tests += about_pairs(*clean, paired, clean_parts)
    adjusted = holm([test.p_value or 0.0 for test in tests])
    findings = [replace(test, p_value=p) for test, p in zip(tests, adjusted, strict=True) if p <= level]
    findings.sort(key=lambda finding: finding.p_value or 0.0)

    if clean_confusion is None and clean is not None and len(torch.unique(clean[1])) == K:
        clean_confusion = confusion_matrix(clean[1], probs=clean[0])
    if clean_confusion is not None:
        findings += about_confusion(as_tensor(clean_confusion, "clean_confusion"))
    return findings + about_dominance(Q)


def _labelled(probs: Any, labels: Any, num_classes: int, *, side: str) -> tuple[Tensor, Tensor] | None:
    """Probabilities and labels of one set, checked, in float64 and on the CPU; None if there is no set."""
    if probs is None:
        if labels is not None and side == "clean":
            raise ValueError("clean_labels must come with clean_probs, of the same samples; got None.")
        return None  # noisy labels alone still tell the class prior
    if labels is None:
        raise ValueError(f"{side}_probs must come with {side}_labels, of the same samples; got None.")
    probs = check_probs(probs, num_classes, name=f"{side}_probs")
    given = check_labels(labels, num_classes, name=f"{side}_labels").cpu()
    check_same_samples(probs, given, f"{side}_probs and {side}_labels", at_least_one=True)
    return to_double(probs).cpu(), given


def _companion(
    values: Any, whose: tuple[Tensor, Tensor] | None, *, name: str, of: str, num_classes: int | None = None
) -> Tensor | None:
    """Labels or groups that belong to the samples of a set, checked and on the CPU."""
    if values is None:
        return None
    if whose is None:
        raise ValueError(f"{name} must come with {of}, of the same samples; got None.")
    values = as_tensor(values, name)
    if num_classes is None and not values.is_floating_point() and values.numel():
        num_classes = int(values.max()) + 1  # groups may have any number, but none below 0
        if num_classes < 1:
            raise ValueError(f"{name} must be integers from 0; got {num_classes - 1}.")
    checked = check_labels(values, num_classes or 1, name=name).cpu()
    if len(checked) != len(whose[1]):
        raise ValueError(
            f"{name} must have an entry for each of the {len(whose[1])} samples of {of}; got {len(checked)}."
        )
    return checked


def _check_error(standard_error: Any, num_classes: int) -> Tensor | None:
    if standard_error is None:
        return None
    standard_error = as_tensor(standard_error, "standard_error")
    if standard_error.shape != (num_classes, num_classes):
        raise ValueError(
            f"standard_error must have the shape of noise_matrix, ({num_classes}, {num_classes}); got "
            f"{tuple(standard_error.shape)}."
        )
    error = to_double(standard_error).cpu()
    if not bool((error >= 0).all()):
        raise ValueError("standard_error must hold standard deviations, none negative and none NaN.")
    return error.clamp_max(1.0)  # infinite where the data said nothing; a probability errs by 1 at most


def _memorising(
    Q: Tensor, class_prior: Any, training_loss: float, num_training: int | None, noisy_labels: Tensor | None
) -> Finding:
    if num_training is None:
        if noisy_labels is None:
            raise ValueError("training_loss needs num_training, the number of samples it is the mean of.")
        num_training = len(noisy_labels)
    check_number(training_loss, "training_loss")
    check_count(num_training, "num_training", 1)
    if class_prior is not None:
        prior = check_prior(class_prior, len(Q))
    elif noisy_labels is not None and torch.linalg.cond(Q) < _INVERTIBLE:
        frequencies = torch.bincount(noisy_labels, minlength=len(Q)).double() / len(noisy_labels)
        prior = project(torch.linalg.solve(Q, frequencies).unsqueeze(1)).squeeze(1)
    else:
        raise ValueError(
            "training_loss needs class_prior to know the noise floor: noise_matrix cannot be inverted or "
            "there are no noisy_labels to find it from."
        )
    return memorising(Q, prior, training_loss, num_training)

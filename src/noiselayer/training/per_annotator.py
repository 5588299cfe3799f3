"""A noise matrix for every annotator: people, versions of a prompt, web sites, rules."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from noiselayer.annotators.error_probabilities import audit_annotators
from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError, list_some
from noiselayer.losses.annotator_rows import check_stack
from noiselayer.training.effects import learns_by_gradient
from noiselayer.training.options import TrainingOptions

_LEAST = 1e-4  # of every column, spread evenly: no label that stands in the data is impossible


def judge_annotators(
    data: LabeledData, probs: Tensor, noise_matrix: Tensor, *, probs_predict: Literal["given", "true"]
) -> CombinedLabels:
    """What each annotator's labels say of it, once the matrix of all together is known: ``annotators`` of the result.

    >>> import torch
    >>> from noiselayer.data.labeled import from_arrays
    >>> truth = torch.arange(2000) % 2
    >>> annotator = torch.arange(2000) % 4 // 2  # the second annotator's labels are a coin's
    >>> wrong = (annotator == 1) & (torch.rand(2000, generator=torch.Generator().manual_seed(0)) < 0.5)
    >>> data = from_arrays(torch.zeros(2000, 1), truth ^ wrong).with_annotators(annotator, "a doctest")
    >>> probs = torch.nn.functional.one_hot(truth, 2) * 0.96 + 0.02
    >>> Q = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
    >>> found = judge_annotators(data, probs, Q, probs_predict="true").annotators
    >>> bool((found.accuracy - torch.tensor([1.0, 0.5])).abs().max() < 0.05)
    True
    """
    assert data.annotators is not None
    K = data.num_classes
    return audit_annotators(
        data.labels,
        probs,
        data.annotators,
        noise_matrix=(1 - _LEAST) * noise_matrix.double() + _LEAST / K,
        probs_predict=probs_predict,
        annotator_names=data.annotator_names,
        class_names=data.class_names,
    )


def check_annotators(data: LabeledData, options: TrainingOptions, noise_matrix: Tensor | None) -> None:
    """Raise an error if annotators would change nothing, or the matrices given are not theirs."""
    stacked = noise_matrix is not None and noise_matrix.ndim == 3
    if data.annotators is None:
        if stacked:
            raise InputError(
                "noise_matrix has a matrix per annotator; say with annotators= who gave each label."
            )
        return
    method, S = options.method, len(data.annotator_names)
    if method in ("normal", "top-down"):
        raise InputError(
            f"annotators would change nothing with method {method!r}, which has no noise matrix. Use 'learned', "
            "'estimated' or 'known', or leave them out."
        )
    if learns_by_gradient(options):
        raise InputError(
            "annotators are for methods whose noise matrix is found before the main stage and then fixed: 'estimated', "
            "'known', or 'learned' with its default start; here it learns by gradient."
        )
    if method == "known":
        if not stacked:
            raise InputError(
                f"with annotators, noise_matrix must have shape ({S}, K, K), a matrix for each of "
                f"{list_some(data.annotator_names)} in this order; leave the annotators out if one matrix is all "
                "that is known."
            )
        assert noise_matrix is not None
        check_stack(noise_matrix, num_classes=data.num_classes)
        if len(noise_matrix) != S:
            raise InputError(
                f"noise_matrix is for {len(noise_matrix)} annotators, and the labels come from {S}: "
                f"{list_some(data.annotator_names)}."
            )

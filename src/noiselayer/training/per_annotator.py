"""A noise matrix for every source of labels: annotators, versions of a prompt, web sites, rules."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from noiselayer.annotators.error_probabilities import audit_sources
from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError, list_some
from noiselayer.losses.annotator_rows import check_stack
from noiselayer.training.effects import learns_by_gradient
from noiselayer.training.options import TrainingOptions

__all__ = ["check_sources", "judge_sources", "mean_matrix"]

_LEAST = 1e-4  # of every column, spread evenly: no label that stands in the data is impossible


def judge_sources(
    data: LabeledData, probs: Tensor, noise_matrix: Tensor, *, probs_of: Literal["true", "noisy"]
) -> CombinedLabels:
    """What each source's labels say of it, once the matrix of all together is known: ``sources`` of the result.

    Args:
        data: Labels, and who gave each.
        probs: Shape (N, K), of models that have not seen the sample's label.
        noise_matrix: Shape (K, K), columns = true classes, of all sources together.
        probs_of: What the models were trained to predict, the "true" class or the "noisy" label.

    >>> from noiselayer.data.labeled import from_arrays
    >>> truth = torch.arange(2000) % 2
    >>> who = torch.arange(2000) % 4 // 2  # the second source's labels are a coin's
    >>> wrong = (who == 1) & (torch.rand(2000, generator=torch.Generator().manual_seed(0)) < 0.5)
    >>> data = from_arrays(torch.zeros(2000, 1), truth ^ wrong).with_sources(who, "a doctest")
    >>> probs = torch.nn.functional.one_hot(truth, 2) * 0.96 + 0.02
    >>> found = judge_sources(data, probs, torch.tensor([[0.75, 0.25], [0.25, 0.75]]), probs_of="true").sources
    >>> bool((found.accuracy - torch.tensor([1.0, 0.5])).abs().max() < 0.05)
    True
    """
    assert data.label_sources is not None
    K = data.num_classes
    return audit_sources(
        data.labels,
        probs,
        data.label_sources,
        noise_matrix=(1 - _LEAST) * noise_matrix.double() + _LEAST / K,
        probs_of=probs_of,
        source_names=data.source_names,
        class_names=data.class_names,
    )


def mean_matrix(matrices: Tensor, sources: Tensor) -> Tensor:
    """The matrix of all sources together, shape (K, K): each counts by how many labels it gave.

    Args:
        matrices: Shape (S, K, K).
        sources: Shape (N,), who gave each label.

    >>> mean_matrix(torch.stack([torch.eye(2), torch.full((2, 2), 0.5)]), torch.tensor([0, 1, 0, 1]))
    tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]])
    """
    shares = torch.bincount(sources, minlength=len(matrices)).to(matrices.dtype) / len(sources)
    return (shares[:, None, None] * matrices).sum(dim=0)


def check_sources(data: LabeledData, options: TrainingOptions, noise_matrix: Tensor | None) -> None:
    """Raise an error if sources of labels would change nothing, or the matrices given are not theirs.

    Args:
        data: Labels, and who gave each if that is known.
        options: The method is not "auto" any more.
        noise_matrix: For the method "known", shape (K, K) or (S, K, K).

    Raises:
        InputError: Says what to do.

    >>> from noiselayer.data.labeled import from_arrays
    >>> data = from_arrays(torch.eye(2), [0, 1]).with_sources(["ann", "bob"], "a doctest")
    >>> check_sources(data, TrainingOptions("normal"), None)
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: sources would change nothing with method 'normal', which has no noise matrix. Use
    'learned', 'estimated' or 'known', or leave them out.
    """
    stacked = noise_matrix is not None and noise_matrix.ndim == 3
    if data.label_sources is None:
        if stacked:
            raise InputError(
                "noise_matrix has a matrix per source of labels; say with sources who gave each label."
            )
        return
    method, S = options.method, len(data.source_names)
    if method in ("normal", "top-down"):
        raise InputError(
            f"sources would change nothing with method {method!r}, which has no noise matrix. Use 'learned', "
            "'estimated' or 'known', or leave them out."
        )
    if learns_by_gradient(options):
        raise InputError(
            "sources are for methods whose noise matrix is found before the main stage and then fixed: 'estimated', "
            "'known', or 'learned' with its default start; here it learns by gradient."
        )
    if method == "known":
        if not stacked:
            raise InputError(
                f"with sources, noise_matrix must have shape ({S}, K, K), a matrix for each of "
                f"{list_some(data.source_names)} in this order; leave the sources out if one matrix is all that is "
                "known."
            )
        assert noise_matrix is not None
        check_stack(noise_matrix, num_classes=data.num_classes)
        if len(noise_matrix) != S:
            raise InputError(
                f"noise_matrix is for {len(noise_matrix)} sources, and the labels come from {S}: "
                f"{list_some(data.source_names)}."
            )

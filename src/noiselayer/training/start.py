"""Where a learned noise matrix starts: found on samples that the warm-up models were not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.data.labeled import LabeledData
from noiselayer.estimation.alternating import alternate, fixed_matrix_losses, renamed_classes
from noiselayer.estimation.from_features import FeatureEstimate, estimate_from_features
from noiselayer.layer import NoiseLayer
from noiselayer.simplex import project
from noiselayer.training.options import TrainingOptions
from noiselayer.training.predict import features_and_logits
from noiselayer.training.runner import StageRunner, noisy_part

__all__ = ["out_of_fold_confusion", "starting_matrix", "stratified_folds"]


def starting_matrix(
    train: LabeledData, validation: LabeledData, options: TrainingOptions, runner: StageRunner
) -> tuple[Tensor, list[FeatureEstimate]] | None:
    """Train a model per fold with Q = I, look at the samples it has not seen, and average what they say of Q.

    Args:
        train: Samples and noisy labels, to be cut into folds.
        validation: Samples that no fold trains on.
        options: Says how many folds and which kind of start.
        runner: Trains a stage.

    Returns:
        The noise matrix to start from, shape (K, K), columns = true classes, and each fold's estimate; None if
        the user stopped the warm-up.
    """
    assert train.labels is not None
    assert validation.labels is not None
    K = train.num_classes
    fold_of = stratified_folds(train.labels, options.folds, torch.Generator().manual_seed(options.seed + 1))
    seen: list[_View] = []
    logits = torch.zeros(len(train), K)
    for k in range(options.folds):
        left_out = (fold_of == k).nonzero().flatten()
        unseen = train.subset(left_out)
        module = runner.run(
            f"warm-up-{k}",
            NoiseLayer(K, trainable=False),
            [noisy_part(train.subset((fold_of != k).nonzero().flatten()))],
            [noisy_part(validation)],
            max_epochs=options.warm_up_epochs,
            seed=options.seed + 1000 + k,
        )
        if runner.interrupted:
            return None
        features, logits[left_out] = features_and_logits(module.network, unseen.inputs)
        assert unseen.labels is not None
        seen.append(_View(features, unseen.labels, features_and_logits(module.network, validation.inputs)[0]))
    confusion = out_of_fold_confusion(logits, train.labels, K)
    if options.start == "confusion":
        return confusion, []
    views = [seen]
    if train.inputs.kind != "image" and train.inputs.shape[0] <= _MAX_RAW_FEATURES:
        # The inputs themselves have not seen a label, so all samples may be used, and nothing is memorised.
        views.append([_View(_raw(train), train.labels, _raw(validation))])
    by_view = [
        [
            estimate_from_features(
                view.features,
                view.labels,
                K,
                validation_features=view.held_out,
                validation_labels=validation.labels,
                start=confusion,
                rule=options.rule,
            )
            for view in folds
        ]
        for folds in views
    ]
    estimates = min(by_view, key=_mean_loss)
    folds = next(v for v, e in zip(views, by_view, strict=True) if e is estimates)
    if any(e.warning for e in estimates):  # half an answer is none: train as if there were no noise
        found = torch.eye(K)
    else:
        found = project(torch.stack([e.noise_matrix for e in estimates]).mean(dim=0))
    taken_in_turns = _in_turns(folds, confusion, found, validation.labels)
    if taken_in_turns is not None:
        return taken_in_turns, [replace(e, warning="") for e in estimates]
    return found, estimates


def _in_turns(folds: Sequence[_View], confusion: Tensor, found: Tensor, held_out: Tensor) -> Tensor | None:
    """The matrix that classifier and Q find in turns, if it explains held-out labels better than ``found`` does.

    Better by more than a standard error: on labels that say much the two are as good as each other, and the
    fit of both together makes less of a little noise.
    """
    K = len(found)
    views = [(view.features, view.labels) for view in folds]
    if K > _MOST_CLASSES_IN_TURNS or min(len(labels) for _, labels in views) < _FEWEST_IN_TURNS:
        return None
    in_turns = alternate(views, K, starts=[confusion, 0.98 * torch.eye(K) + 0.02 / K]).noise_matrix
    if renamed_classes(in_turns):
        return None
    seen = [view.held_out for view in folds]
    gain = fixed_matrix_losses(found, views, seen, held_out) - fixed_matrix_losses(
        in_turns, views, seen, held_out
    )
    better = float(gain.mean()) > float(gain.std() / len(gain) ** 0.5)
    return project(in_turns) if better else None


def _mean_loss(estimates: Sequence[FeatureEstimate]) -> float:
    """Held-out loss of the folds; infinite where a fold found nothing to use."""
    if any(e.warning for e in estimates):
        return math.inf
    return sum(e.chosen.held_out_loss for e in estimates) / len(estimates)


class _View(NamedTuple):
    """Features of samples, their noisy labels, and the features of the validation samples."""

    features: Tensor
    labels: Tensor
    held_out: Tensor


def out_of_fold_confusion(logits: Tensor, noisy_labels: Tensor, num_classes: int) -> Tensor:
    """How often each noisy label stands where the model says i: a first, blurred guess at Q, shape (K, K).

    The model's own mistakes are in it, so its diagonal is too small; one count is added on the diagonal and
    spread over the column, so that a class that is never predicted has a column too.

    Args:
        logits: Shape (N, K), for samples the model was not trained on.
        noisy_labels: Shape (N,).
        num_classes: K.

    >>> logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> out_of_fold_confusion(logits, torch.tensor([0, 1, 1]), 2)
    tensor([[0.5833, 0.1250],
            [0.4167, 0.8750]])
    """
    K = num_classes
    counts = torch.zeros(K, K, dtype=torch.float64)
    pairs = noisy_labels.cpu().long(), logits.argmax(dim=1).cpu()
    counts.index_put_(pairs, torch.ones(len(noisy_labels), dtype=torch.float64), accumulate=True)
    # Half of the added count to the diagonal, half uniform: it decides nothing but a column without samples.
    counts += 0.5 * torch.eye(K, dtype=torch.float64) + 0.5 / K
    return (counts / counts.sum(dim=0)).float()


_MAX_RAW_FEATURES = 1024
_MOST_CLASSES_IN_TURNS = (
    32  # its time grows with the square of their number: at 200 it would take most of an hour
)
_FEWEST_IN_TURNS = 100  # samples of a fold; with fewer, parts of it teach nothing


def _raw(data: LabeledData) -> Tensor:
    return data.inputs.__getitems__(range(len(data))).float()


def stratified_folds(labels: Tensor, folds: int, generator: torch.Generator) -> Tensor:
    """A fold number for every sample, every class dealt out evenly, shape (N,).

    >>> fold_of = stratified_folds(torch.tensor([0, 0, 1, 1]), 2, torch.Generator().manual_seed(0))
    >>> fold_of[:2].sort().values, fold_of[2:].sort().values
    (tensor([0, 1]), tensor([0, 1]))
    """
    order = torch.randperm(len(labels), generator=generator)
    order = order[labels[order].argsort(stable=True)]
    fold_of = torch.empty(len(labels), dtype=torch.long)
    fold_of[order] = torch.arange(len(labels)) % folds
    return fold_of

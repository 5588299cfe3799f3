"""Where a learned noise matrix starts: found on samples that the warm-up models were not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from noiselayer.arrays.folds import shuffled_folds
from noiselayer.data.labeled import LabeledData
from noiselayer.estimation.confusion import confusion_of_predictions
from noiselayer.features.calibration import fit_scale_and_shifts
from noiselayer.features.matrix_choice import says_many_wrong, standard_error
from noiselayer.features.patches import has_patches
from noiselayer.joint.alternating import alternate, fixed_matrix_losses, renamed_classes
from noiselayer.joint.from_features import FeatureEstimate, estimate_from_features
from noiselayer.joint.held_out_choice import Choice, choose_by_held_out_labels
from noiselayer.losses.log_space import noisy_nll
from noiselayer.noise.simplex import project
from noiselayer.training.batches import noisy_part
from noiselayer.training.logits import features_and_logits
from noiselayer.training.options import FEW_IMAGES, TrainingOptions
from noiselayer.training.patch_matrix import PatchMatrix, matrix_of_columns, matrix_of_patches
from noiselayer.training.stage import StageRunner


class Found(NamedTuple):
    """Where a learned matrix starts, each fold's estimate with its penalties, and out-of-fold logits.

    ``note`` says why it is the identity, where labels held out have decided so; ``logits_predict`` the label that was
    given or the true class.
    """

    noise_matrix: Tensor
    estimates: list[FeatureEstimate]
    logits: Tensor
    note: str = ""
    logits_predict: Literal["given", "true"] = "given"


def starting_matrix(
    train: LabeledData, validation: LabeledData, options: TrainingOptions, runner: StageRunner
) -> Found | None:
    """Train a model per fold with Q = I, look at the samples it has not seen, and average what they say of Q.

    Of images the features of patches say as much, steadier, and need no model. Of few rows of a table its columns are
    asked first; where they say that a quarter of the labels and more are wrong, models are trained through their
    matrix, and it is read from these models' features, if that explains labels held out better.
    Where linear classifiers do not gain by it for certain, and samples are few, models are trained through it too, and
    it is kept only if these explain labels that they have not seen better than the first ones: by a standard error
    where linear classifiers gain two, else by two. Where it says that more labels are wrong than right, it is read from
    such models' features once more. None if the user stopped the warm-up.
    """
    K = train.num_classes
    if by_patches(train.inputs.shape, K, len(train) + len(validation), options):
        return _from_features(matrix_of_patches(train, validation, options.seed), len(train))
    fold_of = shuffled_folds(train.given, options.folds, options.seed + 1)
    if by_columns(train.inputs.shape, K, len(train) + len(validation), options):
        of_columns = matrix_of_columns(train, validation, options.seed)
        if of_columns.head.taken != "plain" and says_many_wrong(of_columns.noise_matrix):
            again = _warm_up(train, validation, options, runner, fold_of, of_columns.noise_matrix)
            if again is None:
                return None
            looked = _looked_at_again(again[0], of_columns.noise_matrix, validation.given)
            return _from_features(of_columns._replace(noise_matrix=looked), len(train))
    warm_up = _warm_up(train, validation, options, runner, fold_of)
    if warm_up is None:
        return None
    seen, logits = warm_up
    confusion = confusion_of_predictions(train.given, logits.argmax(dim=1), K).float()
    if options.start == "confusion":
        return Found(confusion, [], logits)
    views = [seen]
    if train.inputs.kind != "image" and train.inputs.shape[0] <= _MAX_RAW_FEATURES:
        # The inputs themselves have not seen a label, so all samples may be used, and nothing is memorised.
        views.append([_View(_raw(train), train.given, _raw(validation))])
    by_view = [
        [
            estimate_from_features(
                view.features,
                view.labels,
                K,
                validation_features=view.held_out,
                validation_labels=validation.given,
                start=confusion,
                rule=options.rule,
            )
            for view in folds
        ]
        for folds in views
    ]
    estimates = min(by_view, key=_mean_loss)
    folds = next(v for v, e in zip(views, by_view, strict=True) if e is estimates)
    failed = any(e.warning for e in estimates)  # half an answer is none
    together = None if failed else project(torch.stack([e.noise_matrix for e in estimates]).mean(dim=0))
    if K > _MOST_CLASSES_IN_TURNS or min(len(view.labels) for view in folds) < _FEWEST_IN_TURNS:
        return Found(torch.eye(K) if together is None else together, estimates, logits)
    chosen = _choice(folds, confusion, estimates, together, validation.given)
    if chosen.way == "identity":
        note = _note("", chosen.gain, chosen.gain_error)
        if chosen.alike:
            one, other = (repr(train.class_names[i]) for i in chosen.alike)
            note = (
                f"Labels of {one} and {other} are as good as alike by the noise matrix found: {_AS_THEY_ARE}"
            )
        return Found(torch.eye(K), estimates, logits, note)
    found, estimates = project(chosen.noise_matrix), [replace(e, warning="") for e in estimates]
    doubtful = len(train) < _FEW and chosen.gain <= _CERTAIN * chosen.gain_error
    look_again = folds is seen and float(found.diagonal().mean()) < 0.5
    if doubtful or look_again:
        again = _warm_up(train, validation, options, runner, fold_of, found)
        if again is None:
            return None
        gain, error = _gain_of_networks(train.given, logits, again[1], found)
        linear = chosen.gain > _BEYOND_CHANCE * chosen.gain_error
        if doubtful and gain <= (1.0 if linear else _BEYOND_CHANCE) * error:
            note = _note(" by networks trained through it", gain, error)
            return Found(torch.eye(K), estimates, logits, note)
        if look_again:
            found = _looked_at_again(again[0], found, validation.given)
    return Found(found, estimates, logits)


def by_patches(shape: Sequence[int], num_classes: int, num_samples: int, options: TrainingOptions) -> bool:
    """Whether a learned matrix starts without networks: with images, unless both they and their classes are many.

    >>> options = TrainingOptions()
    >>> by_patches((1, 28, 28), 10, 50_000, options), by_patches((20,), 10, 50_000, options)
    (True, False)
    >>> by_patches((3, 32, 32), 200, 5000, options), by_patches((3, 32, 32), 200, 50_000, options)
    (True, False)
    """
    few = num_classes <= _MOST_CLASSES_IN_TURNS or num_samples < FEW_IMAGES
    return options.start == "features" and has_patches(shape) and few


def by_columns(shape: Sequence[int], num_classes: int, num_samples: int, options: TrainingOptions) -> bool:
    """Whether a table's columns are asked before networks are: of as few rows as networks tell little of.

    >>> options = TrainingOptions()
    >>> by_columns((20,), 10, 1000, options), by_columns((20,), 10, 50_000, options), by_columns((20,), 10, 50, options)
    (True, False, False)
    """
    fits = len(shape) == 1 and shape[0] <= _MAX_RAW_FEATURES and num_classes <= _MOST_CLASSES_IN_TURNS
    return options.start == "features" and fits and 2 * _FEWEST_IN_TURNS <= num_samples < _FEW


def _from_features(of: PatchMatrix, train: int) -> Found:
    """The matrix that features tell, if they tell one, with the logits of so many training samples."""
    found, head = of
    logits = head.out_of_fold[:train].float()
    if head.taken == "plain":
        return Found(
            found, [], logits, _note(" by a linear classifier of patches", head.gain, head.gain_error)
        )
    return Found(found, [], logits, logits_predict="true")


def _note(by: str, gain: float, error: float) -> str:
    return (
        f"Labels of samples held out are not explained better through a noise matrix{by} than without "
        f"({gain:+.4f} nats a label, standard error {error:.4f}): {_AS_THEY_ARE}"
    )


def _gain_of_networks(
    labels: Tensor, without: Tensor, through: Tensor, noise_matrix: Tensor
) -> tuple[float, float]:
    """By how much networks trained through a matrix explain unseen labels better, in nats, and its standard error.

    Both have logits of shape (N, K) for samples that they have not seen, and get the factor and the biases that suit
    these labels: as few numbers for either.

    >>> labels = torch.tensor([0, 1]).repeat(100)
    >>> gain, error = _gain_of_networks(labels, torch.zeros(200, 2), torch.eye(2).repeat(100, 1), torch.eye(2))
    >>> gain > 0.6, error < 0.01
    (True, True)
    """

    def losses(logits: Tensor, Q: Tensor) -> Tensor:
        factor, biases = fit_scale_and_shifts(logits.double(), labels, Q.double())
        return noisy_nll(logits * factor + biases, labels, Q.double())

    gains = losses(without, torch.eye(len(noise_matrix))) - losses(through, noise_matrix)
    return float(gains.mean()), standard_error(gains)


def _warm_up(
    train: LabeledData,
    validation: LabeledData,
    options: TrainingOptions,
    runner: StageRunner,
    fold_of: Tensor,
    noise_matrix: Tensor | None = None,
) -> tuple[list[_View], Tensor] | None:
    """A view per fold by a model trained on the others through ``noise_matrix``, and all logits; None if stopped."""
    K = train.num_classes
    views: list[_View] = []
    logits = torch.zeros(len(train), K)
    name, seed = ("warm-up", 1000) if noise_matrix is None else ("warm-up-again", 3000)
    fold_models = runner.run_folds(
        *(name, train, fold_of, noisy_part, [noisy_part(validation)]),
        noise_matrix=noise_matrix,
        max_epochs=options.warm_up_epochs,
        seed=options.seed + seed,
    )
    for left_out, unseen, network in fold_models:
        features, logits[left_out] = features_and_logits(network, unseen.inputs)
        held_out, _ = features_and_logits(network, validation.inputs)
        views.append(_View(features, unseen.given, held_out))
    if runner.trained.interrupted:
        return None
    return views, logits


def _looked_at_again(folds: Sequence[_View], found: Tensor, held_out: Tensor) -> Tensor:
    """The matrix that the features of models trained through ``found`` tell, if it explains held-out labels better.

    Models that take labels to be right of which most are wrong have poor features, and the matrix read from them is
    poor with them: those that know roughly how labels are mixed up see better.
    """
    K = len(found)
    better = alternate(_pairs(folds), K, starts=[(1 - _SPREAD) * found + _SPREAD / K]).noise_matrix
    taken = not renamed_classes(better) and _explains_more(better, found, folds, held_out)
    return project(better) if taken else found


def _choice(
    folds: Sequence[_View],
    confusion: Tensor,
    estimates: Sequence[FeatureEstimate],
    together: Tensor | None,
    held_out: Tensor,
) -> Choice:
    """The answer that labels of other samples prefer, of the fit together, of taking turns and of the identity."""
    K, parts, by_part = len(confusion), _pairs(folds), [e.noise_matrix for e in estimates]
    if (
        len(parts) == 1
    ):  # one view of all samples: its halves, and the fit together of each with the penalties chosen
        (features, labels), best = parts[0], estimates[0].chosen
        parts = [(features[a::2], labels[a::2]) for a in (0, 1)]
        by_part = [
            estimate_from_features(
                *part,
                K,
                validation_features=folds[0].held_out,
                validation_labels=held_out,
                start=confusion,
                ridges=[best.ridge],
                trace_penalties=[best.trace_penalty],
            ).noise_matrix
            for part in parts
            if together is not None
        ]
    starts = [confusion, 0.98 * torch.eye(K) + 0.02 / K]
    return choose_by_held_out_labels(parts, K, starts=starts, together=together, together_by_part=by_part)


def _explains_more(matrix: Tensor, than: Tensor, folds: Sequence[_View], held_out: Tensor) -> bool:
    """Whether a matrix explains the held-out labels better than another one does, by more than a standard error."""
    seen = [view.held_out for view in folds]
    before, after = (fixed_matrix_losses(Q, _pairs(folds), seen, held_out) for Q in (than, matrix))
    gain = before - after
    return float(gain.mean()) > float(gain.std() / len(gain) ** 0.5)


def _pairs(folds: Sequence[_View]) -> list[tuple[Tensor, Tensor]]:
    return [(view.features, view.labels) for view in folds]


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


_MAX_RAW_FEATURES = 1024
_MOST_CLASSES_IN_TURNS = 32  # its time grows with their square: at 200 it would take most of an hour
_SPREAD = 0.04  # of every column evenly, so that an entry that came out as zero can grow again
_FEWEST_IN_TURNS = 100  # samples of a fold; with fewer, parts of it teach nothing
_AS_THEY_ARE = "they are taken as they are."
_FEW = 10_000  # training samples, up to which chance may praise a matrix that does harm
_BEYOND_CHANCE = 2.0  # standard errors
_CERTAIN = 4.0  # standard errors that linear classifiers gain, beyond which networks are not asked


def _raw(data: LabeledData) -> Tensor:
    return data.inputs.__getitems__(range(len(data))).float()

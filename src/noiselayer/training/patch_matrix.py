"""A noise matrix from noisy labels and features that have seen none: patches of images, or columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.data.embedded_inputs import Pixels
from noiselayer.data.labeled import LabeledData
from noiselayer.features.feature_head import FeatureHead
from noiselayer.features.head import fit_head
from noiselayer.features.matrix_choice import choose_matrix
from noiselayer.features.patches import PatchFeatures
from noiselayer.features.waves import with_waves
from noiselayer.joint.linear_fit import evenly_spaced
from noiselayer.joint.matrix_fit import fit_matrix, log_columns
from noiselayer.noise.simplex import project
from noiselayer.training.options import FEW_IMAGES

_MOST = 30_000  # images: a matrix of so many is far nearer to the truth than what is asked of it


class PatchMatrix(NamedTuple):
    """What features say of the labels.

    Attributes:
        noise_matrix: Shape (K, K); the identity where the head takes none.
        head: With its logits out of fold.
    """

    noise_matrix: Tensor
    head: FeatureHead


def matrix_of_patches(train: LabeledData, validation: LabeledData, seed: int) -> PatchMatrix:
    """By images, those held out for validation as well; of more than 30,000 some are looked at."""
    return matrix_of_heads(*heads_of_patches(train, validation, seed), train.num_classes)


def heads_of_patches(
    train: LabeledData, validation: LabeledData, seed: int
) -> tuple[list[FeatureHead], Tensor]:
    """A head, of 10,000 images and more two with a dictionary of patches each, and the labels they were fitted to.

    What a dictionary does not see is most of what is left of the matrix's error with so many images.
    """
    total = len(train) + len(validation)
    images, labels = [], []
    for part in (train, validation):
        rows = evenly_spaced(len(part), _MOST * len(part) // total + 1)
        images.append(Pixels(part.subset(rows).inputs))
        labels.append(part.given[rows])
    heads: list[FeatureHead] = []
    for look in range(1 if total < FEW_IMAGES else 2):
        source = PatchFeatures.fit(images[0], seed=look)
        features = torch.cat([torch.from_numpy(source.transform(some)) for some in images])
        heads.append(fit_head(features, torch.cat(labels), train.num_classes, seed=seed + look))
        if heads[-1].taken == "plain":
            break
    return heads, torch.cat(labels)


def matrix_of_columns(train: LabeledData, validation: LabeledData, seed: int) -> PatchMatrix:
    """By a table's columns and waves of them, of the samples held out for validation as well."""
    columns = torch.cat([part.inputs.__getitems__(range(len(part))).float() for part in (train, validation)])
    labels = torch.cat([train.given, validation.given])
    return matrix_of_features(with_waves(columns, seed), labels, train.num_classes, seed)


def matrix_of_features(features: Tensor, labels: Tensor, num_classes: int, seed: int) -> PatchMatrix:
    """A single matrix through which a network can be trained, fitted to the logits out of fold of a linear head.

    The head itself has one for every group of confidence, whose mean comes out noisier where features are poor.

    Args:
        features: Shape (N, D), that have not seen the labels.
        labels: Noisy, shape (N,), integers 0..K-1.
        num_classes: K.
        seed: Of the head's folds.

    >>> labels = torch.arange(300) % 3
    >>> features = 3 * torch.eye(3)[labels] + torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    >>> matrix_of_features(features, labels, 3, 0).noise_matrix
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    return matrix_of_heads([fit_head(features, labels, num_classes, seed=seed)], labels, num_classes)


def matrix_of_heads(heads: Sequence[FeatureHead], labels: Tensor, num_classes: int) -> PatchMatrix:
    """By the mean logits out of fold of heads that take a noise matrix; the first speaks for those that take none."""
    if heads[0].taken == "plain":
        return PatchMatrix(torch.eye(num_classes), heads[0])
    logits = torch.stack([head.out_of_fold for head in heads if head.taken != "plain"]).mean(dim=0)
    chosen = choose_matrix(logits, labels, torch.arange(len(labels)) % 5)
    found, (counts, trace_penalty, _) = chosen.found.noise_matrix, chosen.smoothing
    if len(labels) >= FEW_IMAGES:  # the choice is made with some of them
        found = fit_matrix(
            logits, labels, log_columns(found), counts=counts, trace_weight=trace_penalty
        ).noise_matrix
    return PatchMatrix(project(found.float()), replace(heads[0], out_of_fold=logits.log_softmax(dim=1)))

"""A noise matrix from noisy labels and features that have seen none: patches of images, or columns of a table."""

from __future__ import annotations

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
    features, labels = [], []
    source: PatchFeatures | None = None
    for part in (train, validation):
        rows = evenly_spaced(len(part), _MOST * len(part) // (len(train) + len(validation)) + 1)
        images = Pixels(part.subset(rows).inputs)
        source = source or PatchFeatures.fit(images)
        features.append(torch.from_numpy(source.transform(images)))
        labels.append(part.given[rows])
    return matrix_of_features(torch.cat(features), torch.cat(labels), train.num_classes, seed)


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
    head = fit_head(features, labels, num_classes, seed=seed)
    if head.taken == "plain":
        return PatchMatrix(torch.eye(num_classes), head)
    chosen = choose_matrix(head.out_of_fold, labels, torch.arange(len(labels)) % 5)
    found, (counts, trace_penalty, _) = chosen.found.noise_matrix, chosen.smoothing
    if len(labels) >= FEW_IMAGES:  # the choice is made with some of them
        found = fit_matrix(
            head.out_of_fold, labels, log_columns(found), counts=counts, trace_weight=trace_penalty
        ).noise_matrix
    return PatchMatrix(project(found.float()), head)

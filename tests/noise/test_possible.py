"""A label that stands in the data has a row in the noise matrix that is not all zeros."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

from noiselayer import NoisyLabelClassifier, noisy_label_loss
from noiselayer.data import from_arrays
from noiselayer.estimators import meta
from noiselayer.noise.possible import check_possible
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

NO_BIRDS = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 0.0]])  # no class is ever labelled 2
X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.array([0, 1] * 18 + [2] * 4)


def test_the_row_and_not_the_column_is_looked_at() -> None:
    check_possible(NO_BIRDS, torch.tensor([0, 1, 0]))
    with pytest.raises(
        ValueError, match="only zeros in row 2, so no class is ever labelled 2, yet one sample is"
    ):
        check_possible(NO_BIRDS, torch.tensor([0, 2]))
    never_true = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.5]])
    check_possible(never_true, torch.tensor([0, 1, 2]))


def test_of_annotators_the_one_who_gave_the_label() -> None:
    stacked = torch.stack([torch.eye(3), NO_BIRDS])
    check_possible(stacked, torch.tensor([2, 1]), annotators=torch.tensor([0, 1]))
    with pytest.raises(
        ValueError, match="row 2 of the matrix of annotator 1, so no class is ever labelled 'c'"
    ):
        check_possible(stacked, torch.tensor([2, 2]), class_names="abc", annotators=torch.tensor([0, 1]))


def _classifier() -> Any:
    NoisyLabelClassifier("known", noise_matrix=NO_BIRDS, max_iter=1, accelerator="cpu").fit(X, Y)


def _function() -> Any:
    options = default_options("vector", method="known", max_epochs=1)
    fit_classifier(from_arrays(X, Y, class_names="012"), options, noise_matrix=NO_BIRDS)


def _meta() -> Any:
    meta.NoisyLabelMetaClassifier(DecisionTreeClassifier(), noise_matrix=NO_BIRDS).fit(X, Y)


@pytest.mark.parametrize("fit", [_classifier, _function, _meta])
def test_every_way_to_train_refuses_by_name_before_it_starts(fit: Callable[[], Any]) -> None:
    message = "noise_matrix has only zeros in row 2, so no class is ever labelled '?2'?, yet 4 samples are. Give that"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=f"^{message}"):
            fit()


def test_the_loss_of_an_impossible_label_is_infinite_as_documented() -> None:
    losses = noisy_label_loss(torch.zeros(2, 3), torch.tensor([1, 2]), NO_BIRDS, reduction="none")
    assert losses.isinf().tolist() == [False, True]
    assert re.search("row of zeros\\) costs infinity", noisy_label_loss.__doc__ or "")

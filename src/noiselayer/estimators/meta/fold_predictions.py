"""Folds in which every class is trained on, and predictions for the samples left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noiselayer.arrays.folds import stratified_folds

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Predict = Callable[[Array], Floats]
"""Inputs to probabilities of the true classes, shape (N, K)."""


def fold_numbers(codes: Codes, folds: int, generator: np.random.RandomState) -> Codes:
    """A fold for every sample, every class dealt out evenly, shape (N,); a class of one gets -1: never left out."""
    fold_of = np.full(len(codes), -1, dtype=np.int64)
    several = np.bincount(codes)[codes] > 1
    if several.any():
        labels = torch.from_numpy(codes[several])
        fold_of[several] = stratified_folds(
            labels, folds, lambda rows: torch.from_numpy(generator.permutation(rows.numpy()))
        )
    return fold_of


class FoldPredictions:
    """Probabilities of every sample, shape (N, K), by a model that has not seen it, and those models."""

    def __init__(self, probs: Floats, models: list[Predict]) -> None:
        self.probs = probs
        self.models = models

    def mean(self, X: Array) -> Floats:
        """The mean of all models' probabilities for samples that none has seen, shape (M, K)."""
        total: Floats = sum((model(X) for model in self.models[1:]), start=self.models[0](X))
        return total / len(self.models)


def predict_folds(
    X: Array, codes: Codes, num_classes: int, fold_of: Codes, fit: Callable[[Array, Codes, Codes], Predict]
) -> FoldPredictions:
    """Fit once per fold and predict the samples left out; ``fit`` gets inputs, labels and the rows they come from."""
    probs = np.zeros((len(X), num_classes))
    models: list[Predict] = []
    for fold in range(max(1, int(fold_of.max()) + 1)):
        left_out = fold_of == fold
        rows = np.flatnonzero(~left_out)
        models.append(fit(X[rows], codes[rows], rows))
        # Those never left out are predicted too, by the last of the models: there is no better answer.
        asked = left_out | (fold_of < 0)
        if asked.any():
            probs[asked] = models[-1](X[asked])
    return FoldPredictions(probs, models)

"""Array-likes of every kind say the same: lists, NumPy in any byte order and stride, pandas with any index, polars."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from simulated import predictions

import noiselayer
from noiselayer import corrupt_labels
from noiselayer.estimation import gold_loss_correction
from noiselayer.noise.matrices import random


def swapped(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder(">"))


def backwards(values: np.ndarray) -> np.ndarray:
    return values[::-1].copy()[::-1]


def with_gaps(values: np.ndarray) -> np.ndarray:
    wide = np.zeros((*values.shape, 2), dtype=values.dtype)
    wide[..., 0] = values
    return wide[..., 0]


def read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


def of_pandas(values: np.ndarray) -> Any:
    pandas = pytest.importorskip("pandas")
    index = np.random.RandomState(0).permutation(len(values))
    return (pandas.Series if values.ndim == 1 else pandas.DataFrame)(values, index=index)


def of_polars(values: np.ndarray) -> Any:
    polars = pytest.importorskip("polars")
    return polars.Series(values) if values.ndim == 1 else polars.DataFrame(values)


KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda values: values.tolist(),
    "numpy": lambda values: values,
    "objects": lambda values: values.astype(object),
    "big-endian": swapped,
    "backwards": backwards,
    "with gaps": with_gaps,
    "read-only": read_only,
    "pandas": of_pandas,
    "polars": of_polars,
    "torch": torch.from_numpy,
}

Q = random(3, 0.3, generator=torch.Generator().manual_seed(1))
GENERATOR = torch.Generator().manual_seed(0)
TRUE, PROBS = predictions(300, 3, signal=2.0, generator=GENERATOR)
NOISY = corrupt_labels(TRUE, Q, generator=GENERATOR)
C, N = Q.double(), torch.tensor([200, 150, 250])

Call = Callable[..., Any]
CALLS: dict[str, tuple[Call, tuple[torch.Tensor, ...]]] = {
    "confusion_matrix": (lambda y, p: noiselayer.confusion_matrix(y, probs=p), (NOISY, PROBS)),
    "confusion_matrix of decisions": (
        lambda y, d: noiselayer.confusion_matrix(y, predicted_labels=d, num_classes=3),
        (NOISY, PROBS.argmax(1)),
    ),
    "estimate_noise_matrix": (
        lambda C, noisy, pi, n, m: noiselayer.estimate_noise_matrix(
            C, noisy, pi, clean_counts=n, noisy_counts=m
        ),
        (C, 0.5 * C + 0.5 / 3, N / N.sum(), N, 10 * N),
    ),
    "estimate_from_predictions": (
        lambda *sets: noiselayer.estimate_from_predictions(*sets, num_bootstrap=3),
        (PROBS, TRUE, PROBS, NOISY),
    ),
    "estimate_from_pairs": (lambda *pair: noiselayer.estimate_from_pairs(*pair, 3), (TRUE, NOISY)),
    "gold_loss_correction": (gold_loss_correction, (TRUE, PROBS)),
    "accuracy_from_noisy_labels": (
        lambda *given: noiselayer.accuracy_from_noisy_labels(*given, num_bootstrap=10),
        (PROBS.argmax(1), NOISY, Q),
    ),
    "check_noise_model": (
        lambda Q, error, p, y, groups, clean, true, given, prior: noiselayer.check_noise_model(
            Q,
            standard_error=error,
            noisy_probs=p,
            noisy_labels=y,
            noisy_groups=groups,
            clean_probs=clean,
            clean_labels=true,
            clean_noisy_labels=given,
            clean_confusion=Q,
            class_prior=prior,
            training_loss=0.01,
        ),
        (Q, Q / 100, PROBS, NOISY, TRUE % 2, PROBS, TRUE, NOISY, N / N.sum()),
    ),
    "noise_floor": (noiselayer.noise_floor, (Q, N / N.sum())),
}


def arrays_of(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [array for part in result for array in arrays_of(part)]
    if hasattr(result, "noise_matrix") or hasattr(result, "recall"):
        return arrays_of([getattr(result, field.name) for field in fields(result)])
    return [result] if hasattr(result, "shape") else []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", CALLS)
def test_every_kind_says_the_same(function: str, kind: str) -> None:
    call, given = CALLS[function]
    expected, found = call(*given), call(*(KINDS[kind](values.numpy()) for values in given))
    arrays = arrays_of(found)
    assert all(isinstance(array, torch.Tensor if kind == "torch" else np.ndarray) for array in arrays)
    assert len(arrays) == len(arrays_of(expected))
    for ours, theirs in zip(arrays, arrays_of(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    if not arrays:  # findings, with figures in words, or a number
        whole = isinstance(expected, float)
        assert (
            found == pytest.approx(expected)
            if whole
            else [f.name for f in found] == [f.name for f in expected]
        )
        assert expected


def test_one_tensor_among_others_gives_tensors() -> None:
    assert isinstance(noiselayer.estimate_from_pairs(TRUE, NOISY.tolist(), 3).noise_matrix, torch.Tensor)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda bad: noiselayer.estimate_from_pairs(bad, [0, 1], 2), "true_labels"),
        (lambda bad: noiselayer.confusion_matrix(bad, probs=[[0.5, 0.5]]), "given_labels"),
        (lambda bad: noiselayer.accuracy_from_noisy_labels([0, 1], bad, torch.eye(2)), "noisy_labels"),
        (lambda bad: noiselayer.check_noise_model(torch.eye(2), noisy_labels=bad), "noisy_labels"),
    ],
)
def test_names_for_labels_are_an_error_that_says_whose(call: Call, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be an array of numbers; got list with str in it"):
        call(["cat", "dog"])

"""Lists, NumPy, pandas, polars and torch, by position: the same numbers, and the kind that came in goes out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from noiselayer import NoisyLabelLoss
from noiselayer.noise import check, corrupt_labels, label_error_probability, pair_flip, posterior

LABELS = np.array([2, 0, 1, 1, 2, 0])
LOGITS = np.random.default_rng(0).normal(size=(6, 3))
Q = np.array([[0.8, 0.3, 0.0], [0.2, 0.5, 0.1], [0.0, 0.2, 0.9]])

Kind = Callable[[Any], Any]


def _polars(values: Any) -> Any:
    polars = pytest.importorskip("polars")
    return polars.Series(values) if values.ndim == 1 else polars.DataFrame(values)


def _pandas(values: Any) -> Any:
    index = list(range(len(values)))[::-1]  # says nothing of the order
    return pd.Series(values, index=index) if values.ndim == 1 else pd.DataFrame(values, index=index)


KINDS: dict[str, Kind] = {
    "list": lambda values: values.tolist(),
    "numpy": lambda values: values,
    "big-endian": lambda values: values.astype(values.dtype.newbyteorder(">")),
    "negative strides": lambda values: values[::-1].copy()[::-1],
    "objects": lambda values: values.astype(object),
    "longdouble": lambda values: values.astype(np.longdouble) if values.dtype.kind == "f" else values,
    "pandas": _pandas,
    "polars": _polars,
    "torch": torch.tensor,
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def same(result: Any, expected: torch.Tensor, given: Any) -> None:
    assert isinstance(result, torch.Tensor if isinstance(given, torch.Tensor) else np.ndarray)
    np.testing.assert_allclose(np.asarray(result), expected.numpy(), rtol=1e-5, atol=1e-7)


@EVERY_KIND
def test_every_kind_gives_the_same_numbers(kind: Kind) -> None:
    labels, logits, matrix = kind(LABELS), kind(LOGITS), kind(Q)
    tensors = torch.tensor(LOGITS), torch.tensor(LABELS), torch.tensor(Q)
    same(check(matrix), tensors[2], matrix)
    same(posterior(logits, labels, matrix), posterior(*tensors), logits)
    same(label_error_probability(logits, labels, matrix), label_error_probability(*tensors), logits)
    flipped = corrupt_labels(labels, kind(pair_flip(3, 1.0).double().numpy()))
    same(flipped, torch.tensor((LABELS + 1) % 3), labels)


def test_the_kind_of_integers_stays() -> None:
    for dtype in (">i4", np.uint8, np.uint16):
        assert corrupt_labels(LABELS.astype(dtype), Q).dtype == np.dtype(dtype)


@pytest.mark.parametrize("bad", [["cat", "dog"], [0, None], [[0], [0, 1]]], ids=["strings", "None", "ragged"])
def test_what_is_no_array_of_numbers_is_named(bad: Any) -> None:
    with pytest.raises(TypeError, match="^labels must be an array of numbers; got list"):
        corrupt_labels(bad, Q)
    with pytest.raises(TypeError, match="^noisy_labels must be an array of numbers; got list"):
        posterior(LOGITS[:2], bad, Q)
    with pytest.raises(TypeError, match="^noise_matrix must be an array of numbers; got list"):
        check(bad)


def test_a_loss_is_made_of_any_kind_of_matrix() -> None:
    expected = NoisyLabelLoss(torch.tensor(Q))(torch.tensor(LOGITS), torch.tensor(LABELS))
    for matrix in (Q, pd.DataFrame(Q), Q.astype(">f8")):
        torch.testing.assert_close(
            NoisyLabelLoss(matrix)(torch.tensor(LOGITS), torch.tensor(LABELS)), expected
        )

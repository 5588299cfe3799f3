"""Class numbers and names, and a model's probabilities, in the arrays of other libraries."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from noiselayer import NoisyLabelFeaturesClassifier, audit_labels, measure_labels
from noiselayer.annotators import fit_with_gold
from noiselayer.arrays.class_labels import class_numbers
from noiselayer.features import fit_head

NAMES = ["cat", "dog", "owl"]
TEXT = ["owl", "cat", "dog", "cat"]


@pytest.mark.parametrize(
    "values",
    [
        np.array(TEXT),
        np.char.encode(TEXT),
        pa.array(TEXT),
        pa.array(TEXT).dictionary_encode(),
        pa.chunked_array([TEXT[:1], TEXT[1:]]),
    ],
    ids=lambda values: f"{type(values).__name__}-{getattr(values, 'dtype', '')}",
)
def test_names_in_any_array_are_the_same_numbers(values: Any) -> None:
    assert class_numbers(values, "labels", NAMES).tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize(
    "values", [pa.array([1, None, 0]), pa.chunked_array([[1], [None, 0]])], ids=["one", "two"]
)
def test_gaps_in_arrow_arrays_are_missing_labels(values: Any) -> None:
    assert class_numbers(values, "labels", missing=True).tolist() == [1, -1, 0]
    with pytest.raises(TypeError, match="Leave samples without a label out"):
        class_numbers(values, "labels")


@pytest.mark.parametrize("values", [[], np.array([]), torch.zeros(0)])
def test_no_labels_at_all_are_of_no_type(values: Any) -> None:
    assert class_numbers(values, "labels").dtype == torch.int64
    assert len(class_numbers(values, "labels")) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("K", [3, 100])
def test_rounded_probabilities_are_probabilities(dtype: torch.dtype, K: int) -> None:
    labels = torch.arange(600) % K
    logits = 4 * torch.eye(K)[labels] + torch.randn(600, K)
    exact = audit_labels(labels, logits.softmax(dim=1), probs_predict="given")
    rounded = audit_labels(labels, logits.softmax(dim=1).to(dtype), probs_predict="given")
    torch.testing.assert_close(rounded.error_probability, exact.error_probability, atol=0.1, rtol=0)
    with pytest.raises(ValueError, match="row 0 sums to"):
        audit_labels(labels, 2 * logits.softmax(dim=1).to(dtype), probs_predict="given")


def with_gaps(values: np.ndarray, kind: str) -> Any:
    """All but the first forty missing."""
    some = [int(value) if row < 40 else None for row, value in enumerate(values)]
    if kind == "arrow":
        return pa.array(some)
    if kind == "nullable":
        return pd.Series(some, dtype="Int64")
    return np.array([np.nan if one is None else one for one in some])


@pytest.mark.parametrize("kind", ["arrow", "nullable", "float"])
def test_checked_labels_with_gaps_are_taken_alike(kind: str) -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=200)
    labels = np.where(generator.random(200) < 0.3, 0, truth)
    plain = np.where(np.arange(200) < 40, truth, -1)
    gold = with_gaps(truth, kind)
    assert measure_labels(labels, gold, 2).accuracy == measure_labels(labels, plain, 2).accuracy
    X = np.eye(2)[truth] + 0.3 * generator.normal(size=(200, 2))
    one, other = fit_with_gold(X, labels, gold, 2), fit_with_gold(X, labels, plain, 2)
    torch.testing.assert_close(one.weight, other.weight)
    fitted = NoisyLabelFeaturesClassifier(random_state=0).fit(X, labels, gold=gold)
    assert fitted.classes_.dtype.kind == "i"


def test_fractions_are_no_labels() -> None:
    X, fractions = np.eye(2)[[0, 1] * 20], [0.0, 0.7] * 20
    with pytest.raises(TypeError, match=r"gold must be class indices \(integers\)"):
        fit_with_gold(X, [0, 1] * 20, fractions, 2)
    with pytest.raises(TypeError, match=r"noisy_labels must be class indices \(integers\)"):
        fit_head(X, fractions, 2)

"""Class numbers and names, and a model's probabilities, in the arrays of other libraries."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from noiselayer import audit_labels
from noiselayer.arrays.class_labels import class_numbers

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

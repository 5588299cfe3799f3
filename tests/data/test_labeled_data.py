from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from noiselayer.data import ArrayInputs, LabeledData, check_for_training, from_arrays
from noiselayer.errors import InputError


def labelled(labels: list[int], names: tuple[str, ...]) -> LabeledData:
    return LabeledData(ArrayInputs(np.arange(len(labels))[:, None]), torch.tensor(labels), names, "a test")


def test_a_subset_keeps_inputs_and_labels_together() -> None:
    data = labelled([2, 0, 1, 0], ("a", "b", "c"))
    part = data.subset(torch.tensor([2, 0]))
    assert part.labels is not None
    assert (part.labels.tolist(), part.inputs.ids, len(part)) == ([1, 2], ("2", "0"), 2)
    assert part.inputs.__getitems__([0, 1]).tolist() == [[2.0], [0.0]]
    assert (part.class_names, part.origin) == (data.class_names, data.origin)
    nested = part.subset([1])
    assert nested.labels is not None
    assert (nested.labels.tolist(), nested.inputs[0].tolist()) == ([2], [0.0])


def test_unlabelled_data_has_subsets_and_words_too() -> None:
    data = from_arrays(np.zeros((3, 1, 8, 8), dtype=np.uint8), class_names=["a", "b"])
    assert data.subset([0]).labels is None
    assert data.counts().tolist() == [0, 0]
    assert (
        data.summary() == "3 images of 1 x 8 x 8 (channels, height, width) from arrays in memory. No labels."
    )


def test_summaries_count_classes() -> None:
    assert labelled([1, 1, 0], ("a", "b", "c")).summary() == (
        "3 vectors of 1 numbers from a test. 3 classes: a 1, b 2, c 0."
    )
    many = tuple(f"n{index}" for index in range(30))
    even = labelled(list(range(30)) * 2, many)
    assert even.summary().endswith("30 classes of 2 samples each.")
    uneven = labelled([*range(29), 3], many)
    assert uneven.summary().endswith("30 classes of 0 (n29) to 2 (n3) samples. No samples of n29.")


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (torch.tensor([0]), ("a", "b"), "a test has 2 inputs, but 1 labels"),
        (torch.tensor([0, 2]), ("a", "b"), "must lie in 0..1 for 2 classes; got 0..2"),
        (torch.tensor([0, -1]), ("a", "b"), "got -1..0"),
        (torch.tensor([0.0, 1.0]), ("a", "b"), "must be int64 class indices; got torch.float32"),
        (torch.tensor([0, 1]), ("a", "a"), "class_names must differ; 'a'"),
    ],
)
def test_labels_that_do_not_fit(labels: torch.Tensor, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        LabeledData(ArrayInputs(np.eye(2)), labels, names, "a test")


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([1, 1, 1], ("a", "b"), "all 3 labels in a test are of one class, 'b'"),
        ([0, 1], ("a", "b", "c"), "a test has fewer samples (2) than classes (3)"),
        ([0, 1, 1], ("a", "b", "c"), "class 'c' has no samples in a test. Leave it out"),
        ([0, 1, 1, 1], ("a", "b", "c", "d"), "classes 'c', 'd' have no samples in a test. Leave them out"),
    ],
)
def test_data_that_cannot_train(labels: list[int], names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check_for_training(labelled(labels, names))


def test_data_that_can_train() -> None:
    check_for_training(labelled([0, 1], ("a", "b")))
    with pytest.raises(InputError, match="training needs labels, and arrays in memory has none"):
        check_for_training(from_arrays(np.eye(2)))

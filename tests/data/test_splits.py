from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.model_selection import train_test_split

from noiselayer.data import ArrayInputs, ImageFileInputs, from_arrays, overlap, split_validation
from noiselayer.errors import InputError

label_lists = st.lists(st.integers(0, 4), min_size=2, max_size=60).filter(
    lambda labels: len(set(labels)) < len(labels)
)


@settings(deadline=None)
@given(label_lists, st.floats(0.01, 0.99), st.integers(0, 3))
def test_splits_are_stratified_disjoint_and_complete(labels: list[int], fraction: float, seed: int) -> None:
    y = torch.tensor(labels)
    train, validation = split_validation(y, fraction, generator=torch.Generator().manual_seed(seed))
    assert sorted(train.tolist() + validation.tolist()) == list(range(len(y)))
    assert train.tolist() == sorted(train.tolist())
    assert validation.tolist() == sorted(validation.tolist())
    kept, total, held = (t.bincount(minlength=5) for t in (y[train], y, y[validation]))
    assert bool((kept[total > 0] >= 1).all())
    spare = (total - 1).clamp_min(0)
    assert int(held.sum()) == min(max(1, round(fraction * len(y))), int(spare.sum()))
    # Within one of the exact share, unless a class had nothing more to give and others made up for it.
    if bool((fraction * total <= spare).all()) and round(fraction * len(y)) >= 1:
        assert bool(((held - fraction * total).abs() < 1 + 1e-9).all())


@settings(deadline=None, max_examples=20)
@given(label_lists)
def test_the_generator_alone_decides(labels: list[int]) -> None:
    y = torch.tensor(labels)
    first, again = (split_validation(y, 0.4, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first[1], again[1])


def test_another_seed_chooses_other_samples_and_all_are_chosen_alike() -> None:
    y = torch.arange(3).repeat_interleave(torch.tensor([10, 20, 30]))
    generator = torch.Generator().manual_seed(0)
    times = torch.zeros(60)
    for _ in range(1000):
        times[split_validation(y, 0.2, generator=generator)[1]] += 1
    assert float((times / 1000 - 0.2).abs().max()) < 5 * (0.2 * 0.8 / 1000) ** 0.5


def test_class_shares_are_scikit_learns() -> None:
    y = np.repeat([0, 1, 2], [50, 31, 19])
    _, expected = train_test_split(y, test_size=0.3, stratify=y, random_state=0)
    _, validation = split_validation(torch.from_numpy(y), 0.3)
    assert np.bincount(y[validation.numpy()]).tolist() == np.bincount(expected).tolist()


@pytest.mark.parametrize(
    ("labels", "fraction", "num_classes", "message"),
    [
        ([0, 0, 1], 0.0, None, "must lie between 0 and 1, both excluded; got 0.0"),
        ([0, 0, 1], 1.0, None, "both excluded; got 1.0"),
        ([0, 0, 1], float("nan"), None, "both excluded; got nan"),
        ([0, 1], 0.5, 3, "fewer samples (2) than classes (3)"),
        ([], 0.5, None, "fewer samples (0) than classes"),
        ([0, 1, 2], 0.5, None, "each of the 3 classes has one sample only"),
    ],
)
def test_splits_that_cannot_be(
    labels: list[int], fraction: float, num_classes: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        split_validation(torch.tensor(labels, dtype=torch.int64), fraction, num_classes=num_classes)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=15), st.lists(st.integers(0, 6), min_size=1, max_size=15)
)
def test_overlap_is_what_two_loops_find(left: list[int], right: list[int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4), dtype=np.uint8)
    expected = [[i, j] for i, a in enumerate(left) for j, b in enumerate(right) if a == b]
    found = overlap(ArrayInputs(images[left]), ArrayInputs(images[right]))
    assert (found.tolist(), found.dtype, found.shape[1]) == (expected, torch.int64, 2)


def test_overlap_reads_in_batches_and_ignores_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noiselayer.data.splits._BATCH", 3)
    a = from_arrays(np.arange(10.0)[:, None], [0, 1] * 5)
    b = from_arrays(np.array([[9.0], [2.0], [10.0]]))
    assert overlap(a, b).tolist() == [[2, 1], [9, 0]]
    assert overlap(a.subset([9, 0]), b).tolist() == [[0, 0]]


def test_minus_zero_is_zero() -> None:
    assert overlap(ArrayInputs(np.array([[-0.0]])), ArrayInputs(np.array([[0.0]]))).tolist() == [[0, 0]]


def test_overlap_finds_the_same_picture_in_another_format(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    Image.fromarray(pixels[0]).save(tmp_path / "b.bmp")
    files = ImageFileInputs([tmp_path / "a.png", tmp_path / "b.bmp"], 8)
    assert overlap(ArrayInputs(pixels), files).tolist() == [[0, 0], [0, 1]]


def test_sets_of_different_shapes_cannot_be_compared() -> None:
    with pytest.raises(
        InputError, match=r"shape \(1,\) of torch.float32 in one, \(2,\) of torch.float32 in the other"
    ):
        overlap(ArrayInputs(np.eye(2)[:, :1]), ArrayInputs(np.eye(2)))

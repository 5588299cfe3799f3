"""Deliberate label noise: frequencies against the matrix, reproducibility, and what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.noise import class_map, identity, pair_flip, random, symmetric


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smallest_p_value(true: Tensor, noisy: Tensor, Q: Tensor) -> float:
    """Pearson's chi-square test of every true class against its column of Q; 0 if the impossible came up."""
    p_values = []
    for i, column in enumerate(Q.double().T):
        counts = noisy[true == i].bincount(minlength=len(Q)).double()
        if counts[column == 0].sum() > 0:
            return 0.0
        possible = column > 0
        expected = column[possible] / column.sum() * counts.sum()
        if int(possible.sum()) > 1:
            p_values.append(float(stats.chisquare(counts[possible].numpy(), expected.numpy()).pvalue))
    return min(p_values)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_frequencies_follow_the_columns_and_not_the_rows(dtype: torch.dtype, skewed: Tensor) -> None:
    true = torch.arange(30_000) % 3
    for Q in (skewed, random(3, 0.5, generator=seeded(1)), pair_flip(3, 0.45), symmetric(3, 0.2)):
        noisy = corrupt_labels(true, Q.to(dtype), generator=seeded(0))
        assert smallest_p_value(true, noisy, Q.to(dtype)) > 1e-3
        if not torch.equal(Q, Q.T):
            assert smallest_p_value(true, noisy, Q.T) < 1e-9


def test_labels_of_one_class_depend_on_nothing_else() -> None:
    # Shuffling and changing the other labels must not change the draw of those that stay in their place.
    Q, true = symmetric(4, 0.5), torch.randint(4, (1000,))
    others = torch.where(torch.arange(1000) % 2 == 0, true, (true + 1) % 4)
    first, second = (corrupt_labels(labels, Q, generator=seeded(3)) for labels in (true, others))
    assert torch.equal(first[::2], second[::2])
    # Neighbours are independent: the pairs of noisy labels of one class follow the product of the column.
    noisy = corrupt_labels(torch.zeros(40_000, dtype=torch.long), Q, generator=seeded(4)).reshape(-1, 2)
    pairs = (noisy[:, 0] * 4 + noisy[:, 1]).bincount(minlength=16).double()
    expected = torch.outer(Q[:, 0], Q[:, 0]).flatten().double() * 20_000
    expected *= pairs.sum() / expected.sum()
    assert stats.chisquare(pairs.numpy(), expected.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_an_exact_zero_is_never_drawn_though_the_column_is_rounded(dtype: torch.dtype) -> None:
    Q = torch.eye(5)
    Q[:, 0] = torch.tensor([0.0, 1 / 3, 1 / 3, 1 / 3, 0.0])  # rounds to less than 1 in all
    noisy = corrupt_labels(torch.zeros(200_000, dtype=torch.long), Q.to(dtype), generator=seeded(0))
    assert set(noisy.unique().tolist()) == {1, 2, 3}


def test_certain_changes_and_no_change(generator: torch.Generator) -> None:
    labels = torch.tensor([0, 1, 2, 3, 3])
    assert corrupt_labels(labels, identity(4), generator=generator).tolist() == [0, 1, 2, 3, 3]
    assert corrupt_labels(labels, pair_flip(4, 1.0), generator=generator).tolist() == [1, 2, 3, 0, 0]
    assert corrupt_labels(labels, class_map(4, {3: 1}, 1.0), generator=generator).tolist() == [0, 1, 2, 1, 1]


@given(seed=st.integers(0, 2**32 - 1), shape=st.lists(st.integers(0, 4), max_size=3))
def test_same_generator_same_labels_shape_and_input_untouched(seed: int, shape: list[int]) -> None:
    labels = torch.randint(6, shape, generator=seeded(seed))
    before, Q = labels.clone(), random(6, 0.7, generator=seeded(seed))
    noisy = corrupt_labels(labels, Q, generator=seeded(seed))
    assert noisy.shape == labels.shape
    assert torch.equal(labels, before)
    assert torch.equal(noisy, corrupt_labels(labels, Q, generator=seeded(seed)))
    flat = corrupt_labels(labels.flatten(), Q, generator=seeded(seed))
    assert torch.equal(noisy.flatten(), flat)


def test_another_seed_other_labels_and_the_global_seed_without_a_generator() -> None:
    labels, Q = torch.zeros(200, dtype=torch.long), symmetric(3, 0.5)
    one, two = (corrupt_labels(labels, Q, generator=seeded(seed)) for seed in (1, 2))
    assert not torch.equal(one, two)
    torch.manual_seed(5)
    first = corrupt_labels(labels, Q)
    torch.manual_seed(5)
    assert torch.equal(corrupt_labels(labels, Q), first)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_dtype_is_kept(dtype: torch.dtype) -> None:
    noisy = corrupt_labels(torch.tensor([0, 1, 2], dtype=dtype), pair_flip(3, 1.0))
    assert noisy.dtype == dtype
    assert noisy.tolist() == [1, 2, 0]


def test_a_matrix_that_is_learned_may_be_drawn_from(skewed: Tensor) -> None:
    noisy = corrupt_labels(torch.tensor([0, 1]), skewed.requires_grad_())
    assert not noisy.requires_grad


def test_many_classes_and_labels_of_few_of_them() -> None:
    K = 500
    true = torch.tensor([499, 0, 250]).repeat(2000)
    noisy = corrupt_labels(true, symmetric(K, 0.3), generator=seeded(0))
    wrong = float((noisy != true).double().mean())
    assert wrong == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / 6000))
    assert len(noisy.unique()) > 450  # wrong labels are spread over all classes


def test_devices(device: torch.device) -> None:
    labels = (torch.arange(3000) % 3).to(device)
    noisy = corrupt_labels(labels, pair_flip(3, 0.3), generator=seeded(0))
    assert noisy.device.type == device.type
    assert smallest_p_value(labels.cpu(), noisy.cpu(), pair_flip(3, 0.3)) > 1e-3
    assert corrupt_labels(labels, pair_flip(3, 0.3).to(device)).device.type == device.type


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (torch.tensor([0, 3]), ValueError, r"labels must lie in 0\.\.2 for a 3 x 3 noise_matrix; got 0\.\.3"),
        (torch.tensor([-1, 1]), ValueError, r"labels must lie in 0\.\.2 .*; got -1\.\.1"),
        (
            torch.tensor([0.0, 1.5]),
            TypeError,
            r"labels must be class indices \(integers\); got torch.float32",
        ),
    ],
)
def test_labels_that_are_refused(labels: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        corrupt_labels(labels, pair_flip(3, 0.2))


def test_a_matrix_by_rows_is_refused(skewed: Tensor) -> None:
    with pytest.raises(ValueError, match="columns must sum to 1.*from_transition_matrix"):
        corrupt_labels(torch.tensor([0]), skewed.T)

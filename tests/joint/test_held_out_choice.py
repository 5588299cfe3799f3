"""Which matrix labels of other samples prefer, on features whose classes are known."""

import pytest
import torch
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.joint.held_out_choice import choose_by_held_out_labels, closest_columns
from noiselayer.noise import pair_flip, symmetric

K = 3
STARTS = [0.98 * torch.eye(K) + 0.02 / K, 0.5 * torch.eye(K) + 0.5 / K]


def parts_of(Q: Tensor, size: int = 600, spread: float = 1.0, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.arange(size) % K
    features = 3 * torch.eye(K)[truth] + spread * torch.randn(size, K, generator=generator)
    labels = corrupt_labels(truth, Q, generator=generator)
    return [(features[a::2], labels[a::2]) for a in (0, 1)]


@pytest.mark.parametrize("spread", [0.5, 1.5])  # classes far apart, and classes that a classifier mixes up
def test_where_labels_are_right_no_matrix_is_taken(spread: float) -> None:
    parts = parts_of(torch.eye(K), spread=spread)
    # One that takes the classifier's own confusions for noise explains labels it has not seen no better.
    harm = pair_flip(K, 0.1)
    choice = choose_by_held_out_labels(parts, K, starts=STARTS, together=harm, together_by_part=[harm, harm])
    assert choice.way == "identity"
    assert torch.equal(choice.noise_matrix, torch.eye(K))
    assert choice.gain < -2 * choice.gain_error


def test_noise_that_is_there_is_found_and_by_how_much_it_helps() -> None:
    Q = torch.tensor([[0.6, 0.0, 0.3], [0.4, 0.7, 0.0], [0.0, 0.3, 0.7]])
    choice = choose_by_held_out_labels(parts_of(Q), K, starts=STARTS)
    assert choice.way == "in turns"
    assert choice.gain > 3 * choice.gain_error
    assert (choice.noise_matrix - Q).abs().sum() < 0.4 * (torch.eye(K) - Q).abs().sum()


def test_a_wrong_answer_loses_and_even_noise_takes_made_up_samples() -> None:
    Q, wrong = symmetric(K, 0.4), pair_flip(K, 0.6)
    parts = parts_of(Q, size=900)
    choice = choose_by_held_out_labels(parts, K, starts=STARTS, together=wrong, together_by_part=[wrong] * 2)
    assert choice.way == "in turns"
    assert choice.counts > 0
    assert (choice.noise_matrix - Q).abs().sum() < 0.4 * (torch.eye(K) - Q).abs().sum()


def test_a_matrix_with_two_columns_alike_is_not_taken() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(900) % K
    means = torch.tensor([[6.0, 0.0], [0.0, 0.0], [0.0, 0.8]])  # two classes overlap; labels are right
    features = means[truth] + torch.randn(900, 2, generator=generator)
    parts = [(features[a::2], truth[a::2]) for a in (0, 1)]
    halves = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.52, 0.48], [0.0, 0.48, 0.52]])
    choice = choose_by_held_out_labels(
        parts, K, starts=[halves], together=halves, together_by_part=[halves] * 2
    )
    assert choice.way == "identity"
    assert choice.alike == (1, 2)
    apart = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.7, 0.2], [0.0, 0.3, 0.8]])
    assert closest_columns(apart) == ((1, 2), pytest.approx(0.5))
    for classes, rate in ((2, 0.48), (10, 0.85)):  # columns are all near, and no two more than others
        assert closest_columns(symmetric(classes, rate))[1] == pytest.approx(1, abs=1e-4)
    assert closest_columns(torch.eye(1))[1] == float("inf")


def test_one_part_has_no_other_to_meet() -> None:
    with pytest.raises(ValueError, match="parts must be at least two, .*; got 1"):
        choose_by_held_out_labels(parts_of(torch.eye(K))[:1], K, starts=STARTS)

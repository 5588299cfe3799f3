"""Batches with provenance against plain indexing, and the two samplers' promises about an epoch."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noiselayer import NoiseLayer
from noiselayer.data import ArrayInputs
from noiselayer.training.batches import (
    AlternatingSampler,
    EpochSampler,
    JoinedDataset,
    Part,
    Trust,
    make_loader,
)
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.stage import _shares


def parts_of(sizes: list[int], order: tuple[Trust, ...] = tuple(Trust)) -> list[Part]:
    """Every sample has numbers of its own, counted through all parts."""
    parts, first = [], 0
    for k, size in enumerate(sizes):
        inputs = torch.arange(first, first + size).float()[:, None] * torch.tensor([1.0, -1.0])
        labels = torch.arange(first, first + size) % 5
        parts.append(Part(ArrayInputs(inputs), labels, order[k % len(order)]))
        first += size
    return parts


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4), data=st.data())
def test_joined_parts_equal_one_long_list(sizes: list[int], data: st.DataObject) -> None:
    parts = parts_of(sizes)
    samples = [
        (part.inputs[n].tolist(), int(part.labels[n]), int(part.trust))
        for part in parts
        for n in range(len(part.labels))
    ]
    joined = JoinedDataset(parts)
    assert len(joined) == len(samples)
    wanted = data.draw(st.lists(st.integers(0, len(samples) - 1), min_size=1, max_size=12))
    inputs, labels, trust = joined.__getitems__(wanted)
    found = list(zip(inputs.tolist(), labels.tolist(), trust.tolist(), strict=True))
    assert found == [samples[n] for n in wanted]
    alone = joined[wanted[0]]
    assert (alone[0][0].tolist(), int(alone[1][0]), int(alone[2][0])) == samples[wanted[0]]


def test_loader_in_order_and_whole() -> None:
    loader = make_loader(parts_of([5, 2]), batch_size=3)
    batches = list(loader)
    assert [len(labels) for _, labels, _ in batches] == [3, 3, 1]
    assert torch.cat([inputs for inputs, _, _ in batches])[:, 0].tolist() == list(range(7))
    assert torch.cat([trust for _, _, trust in batches]).tolist() == [0] * 5 + [1] * 2


def test_shuffled_loader_drops_the_odd_batch_but_never_everything() -> None:
    parts = parts_of([5, 2])
    assert [len(labels) for _, labels, _ in make_loader(parts, batch_size=3, shuffle_seed=0)] == [3, 3]
    assert [len(labels) for _, labels, _ in make_loader(parts, batch_size=100, shuffle_seed=0)] == [7]


def test_epoch_sampler_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        torch.manual_seed(epoch + 17 * seed)  # what else happened must not matter
        np.random.default_rng().random()
        sampler = EpochSampler(50, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(each) == list(range(50)) for each in orders)
    assert len({tuple(each) for each in orders}) == 4
    assert orders == [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]


@given(
    num_clean=st.integers(1, 30),
    num_noisy=st.integers(0, 30),
    num_outside=st.integers(0, 10),
    batch_size=st.integers(1, 12),
    epoch=st.integers(0, 3),
)
def test_alternating_batches(
    num_clean: int, num_noisy: int, num_outside: int, batch_size: int, epoch: int
) -> None:
    num_others = num_noisy + num_outside
    trust = torch.tensor([0] * num_noisy + [1] * num_clean + [2] * num_outside)
    if num_others == 0:
        with pytest.raises(ValueError, match="need clean samples and others; use mixing='joined'"):
            AlternatingSampler(trust, batch_size, seed=0)
        return
    sampler = AlternatingSampler(trust, batch_size, seed=3)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert len(order) == len(sampler)
    # Batch by batch: clean, others, clean, others.
    batches = [order[n : n + batch_size] for n in range(0, len(order), batch_size)]
    assert len(batches) % 2 == 0
    for n, batch in enumerate(batches):
        assert all((trust[k] == Trust.CLEAN) == (n % 2 == 0) for k in batch)
    for side, size in ((0, num_clean), (1, num_others)):
        seen = Counter(k for batch in batches[side::2] for k in batch)
        times = [seen[k] for k in range(len(trust)) if (trust[k] == Trust.CLEAN) == (side == 0)]
        assert max(times) - min(times) <= 1  # nobody is seen twice before everybody was seen once
        assert sum(times) == len(order) // 2
        larger = size == max(num_clean, num_others)
        if larger and size >= batch_size:  # once each, but for what does not fill a batch
            assert max(times) == 1
            assert times.count(0) == size % batch_size


def test_alternating_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> tuple[int, ...]:
        sampler = AlternatingSampler(torch.tensor([0] * 20 + [1] * 10), 5, seed=seed)
        list(sampler)  # an epoch already drawn must not matter
        sampler.set_epoch(epoch)
        return tuple(sampler)

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert orders == [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]


def test_no_clean_samples_to_alternate_with() -> None:
    with pytest.raises(ValueError, match="need clean samples and others"):
        make_loader(parts_of([4]), batch_size=2, shuffle_seed=0, alternating=True)


@pytest.mark.parametrize(("gamma", "omega"), [(1.0, 1.0), (0.3, 0.0), (2.0, 0.5)])
@pytest.mark.parametrize("sizes", [[10, 4, 2], [2, 12, 4]])
def test_an_alternating_epoch_has_the_joined_gradient(sizes: list[int], gamma: float, omega: float) -> None:
    # Both sides are used up a whole number of times: 12 against 4 (three times), 6 against 12 (twice).
    parts = parts_of(sizes)
    network = torch.nn.Linear(2, 5)
    with torch.no_grad():
        network.weight.mul_(0.1)
    Q = torch.rand(5, 5).add(torch.eye(5))
    weights = {"noisy_weight": gamma, "outside_weight": omega}
    module = NoisyLabelModule(network, NoiseLayer(5, Q / Q.sum(dim=0)), trust_scale=_shares(parts), **weights)
    module.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    loader = make_loader(parts, batch_size=2, shuffle_seed=1, alternating=True)
    losses = torch.stack([module.training_step(batch, n) for n, batch in enumerate(loader)])
    inputs, labels, trust = JoinedDataset(parts).__getitems__(range(sum(sizes)))
    joined = NoisyLabelModule(network, module.noise_layer, **weights)._mixture((inputs, labels, trust))
    torch.testing.assert_close(losses.mean(), joined, rtol=1e-5, atol=0)
    parameters = [*network.parameters(), module.noise_layer.noise_matrix]
    alternating = torch.autograd.grad(losses.mean(), parameters)
    for mine, theirs in zip(alternating, torch.autograd.grad(joined, parameters), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)

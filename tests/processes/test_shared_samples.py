"""Samples shared among processes: what they find together is what one finds alone."""

import os
import subprocess
import sys
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st

from noiselayer.estimation import ConfusionCounts
from noiselayer.training.batches import AlternatingSampler, EpochSampler, EverySampleOnce, even_batch_size

N, K = 203, 4


@pytest.fixture(scope="module", params=[pytest.param(n, marks=pytest.mark.slow) for n in (2, 3)])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("workers") / "found.pt"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("workers.py")), str(out), str(request.param)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    loaded: dict[str, Any] = torch.load(out, weights_only=True)
    return loaded


def test_the_audit_of_a_sharded_prediction_is_that_of_the_whole(found: dict[str, Any]) -> None:
    errors = torch.full((N,), float("nan"))
    for part in found["parts"]:
        errors[part["audit"]["rows"]] = part["audit"]["errors"]
    torch.testing.assert_close(errors, found["whole"]["audit"]["errors"], rtol=1e-5, atol=1e-6)


def test_partial_confusions_merge_to_the_whole(found: dict[str, Any]) -> None:
    """By ``merge`` of what processes have written to files, in any order; the sums differ by rounding alone."""
    parts = [ConfusionCounts(K, p["audit"]["sums"], p["audit"]["num_samples"]) for p in found["parts"]]
    whole = found["whole"]["audit"]
    for order in (parts, parts[::-1]):
        merged = reduce(ConfusionCounts.merge, order)
        torch.testing.assert_close(merged.sums, whole["sums"], rtol=1e-6, atol=1e-6)
        assert torch.equal(merged.num_samples, whole["num_samples"])
    assert all(0 < int(p.num_samples.sum()) < N for p in parts)


def test_partial_confusions_reduce_to_the_whole(found: dict[str, Any]) -> None:
    """By ``all_reduce`` of the two tensors, as the documentation says."""
    for part in found["parts"]:
        sums, samples = part["reduced"]["sums"], part["reduced"]["num_samples"]
        torch.testing.assert_close(sums, found["whole"]["audit"]["sums"], rtol=1e-6, atol=1e-6)
        assert torch.equal(samples, found["whole"]["audit"]["num_samples"])


def test_a_network_cut_by_fsdp_learns_the_same_noise_matrix(found: dict[str, Any]) -> None:
    """Batches of 32 shared by two; with three the shares differ in size, and so would the means."""
    if len(found["parts"]) != 2:
        pytest.skip("batches cannot be shared evenly")
    whole = found["whole"]["learn"]
    start = 0.8 * torch.eye(K) + 0.2 / K
    assert float((whole["noise_matrix"] - start).abs().max()) > 1e-3
    for part in found["parts"]:
        torch.testing.assert_close(part["learn"]["noise_matrix"], whole["noise_matrix"], rtol=0, atol=1e-5)
        torch.testing.assert_close(part["learn"]["weights"], whole["weights"], rtol=0, atol=1e-5)


@given(num_samples=st.integers(1, 400), processes=st.integers(1, 9), at_most=st.integers(1, 50))
def test_every_sample_once_in_as_many_batches(num_samples: int, processes: int, at_most: int) -> None:
    if num_samples < processes:
        with pytest.raises(ValueError, match="cannot be shared"):
            even_batch_size(num_samples, processes, at_most)
        return
    size = even_batch_size(num_samples, processes, at_most)
    assert 1 <= size <= at_most
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dist, "is_initialized", lambda: True)
        patch.setattr(dist, "get_world_size", lambda: processes)
        seen, batches = [], []
        for rank in range(processes):
            patch.setattr(dist, "get_rank", lambda rank=rank: rank)
            sampler = EverySampleOnce(num_samples)
            rows = list(sampler)
            assert len(rows) == len(sampler)
            assert all(a < b for a, b in pairwise(rows))
            seen += rows
            batches.append(-(-len(rows) // size))
    assert sorted(seen) == list(range(num_samples))
    if size > 1:
        assert len(set(batches)) == 1


@given(
    num_samples=st.integers(8, 200),
    processes=st.integers(1, 4),
    batch=st.integers(1, 4),
    epoch=st.integers(0, 3),
    clean=st.integers(0, 5),
)
def test_batches_of_all_processes_are_the_batch_of_one(
    num_samples: int, processes: int, batch: int, epoch: int, clean: int
) -> None:
    """Shuffled and alternating: step for step, in any epoch, with as many batches in each."""

    def sampler(size: int) -> EpochSampler:
        if clean == 0:
            return EpochSampler(num_samples, seed=1)
        sources = (torch.arange(num_samples) < clean).long()
        return AlternatingSampler(sources, size, seed=1)

    def batches(made: EpochSampler, size: int) -> list[list[int]]:
        made.set_epoch(epoch)
        rows = list(made)
        assert len(rows) == len(made)
        return [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]

    joined = batches(sampler(batch * processes), batch * processes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dist, "is_initialized", lambda: True)
        patch.setattr(dist, "get_world_size", lambda: processes)
        of_each = []
        for rank in range(processes):
            patch.setattr(dist, "get_rank", lambda rank=rank: rank)
            of_each.append(batches(sampler(batch), batch))
    assert len({len(of) for of in of_each}) == 1
    shared = [sorted(row for of in step for row in of) for step in zip(*of_each, strict=True)]
    assert shared[: len(joined)] == [sorted(rows) for rows in joined][: len(shared)]
    assert abs(len(shared) - len(joined)) <= (1 if clean == 0 else 2)

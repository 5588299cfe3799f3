"""Two hundred simulated problems: intervals cover as promised, errors shrink with the root of n."""

import math

import pytest
import torch
from simulated import counts, measured, problem

from noiselayer.estimation import estimate_noise_matrix, relative_l1_error
from noiselayer.noise import matrices as nm

CONCENTRATIONS = (0.2, 1.0, 1e6)  # of the noise: few wrong classes, any share, all alike


def run(size: int, seeds: range, method: str) -> tuple[float, float]:
    """Mean relative L1 error, and the share of true entries inside their 95 % intervals."""
    errors, covered = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        K = 3 + seed % 8
        rate = 0.1 + 0.4 * float(torch.rand((), generator=generator))
        accuracy = 0.6 + 0.3 * float(torch.rand((), generator=generator))
        Q = (
            nm.pair_flip(K, rate)
            if seed % 4 == 0
            else nm.random(K, rate, concentration=CONCENTRATIONS[seed % 3], generator=generator)
        )
        drawn = problem(
            K, accuracy=accuracy, noise_matrix=Q, num_clean=size, num_noisy=10 * size, generator=generator
        )
        estimate = estimate_noise_matrix(
            *measured(drawn.clean, drawn.noisy), method=method, **counts(drawn.clean, drawn.noisy)
        )
        assert estimate.interval is not None
        low, high = estimate.interval
        covered.append(((low <= Q + 1e-6) & (high >= Q - 1e-6)).double().mean())
        errors.append(relative_l1_error(estimate.noise_matrix, Q))
    return sum(errors) / len(errors), float(torch.stack(covered).mean())


@pytest.mark.slow
def test_over_two_hundred_problems() -> None:
    few, covered_few = run(1000, range(200), "inverse")
    many, covered_many = run(16_000, range(200), "inverse")
    assert 0.90 <= covered_few <= 0.99
    assert 0.90 <= covered_many <= 0.99
    assert math.log(few / many) / math.log(16) == pytest.approx(0.5, abs=0.05)


def test_auto_covers_too() -> None:
    _, covered = run(1000, range(12), "auto")
    assert 0.90 <= covered <= 0.99


@pytest.mark.slow
def test_auto_over_two_hundred_problems() -> None:
    few, covered_few = run(1000, range(200), "auto")
    many, covered_many = run(16_000, range(200), "auto")
    assert 0.90 <= covered_few <= 0.99
    assert 0.90 <= covered_many <= 0.99
    assert math.log(few / many) / math.log(16) == pytest.approx(0.5, abs=0.06)

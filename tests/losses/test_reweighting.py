"""Eq. 7: what gamma means, in one joined batch and in batches that alternate."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noiselayer.losses.reweighting import alternating_weight, reweighted_loss


def test_known_weights() -> None:
    clean, noisy = torch.rand(4), torch.rand(6)
    joined = torch.cat([clean, noisy])
    torch.testing.assert_close(reweighted_loss(clean, noisy, 1.0), joined.mean(), rtol=0, atol=1e-6)
    torch.testing.assert_close(reweighted_loss(clean, noisy, 0.0), clean.sum() / 10, rtol=0, atol=1e-6)
    twice = torch.cat([clean, noisy, noisy])  # the same but for the divisor, which counts samples
    torch.testing.assert_close(reweighted_loss(clean, noisy, 2.0), twice.mean() * 16 / 10, rtol=0, atol=1e-6)
    torch.testing.assert_close(reweighted_loss(clean, noisy[:0], 0.3), clean.mean())
    torch.testing.assert_close(reweighted_loss(clean[:0], noisy, 0.3), 0.3 * noisy.mean())


def test_gradients_carry_the_weight() -> None:
    clean, noisy = torch.rand(4, requires_grad=True), torch.rand(6, requires_grad=True)
    of_clean, of_noisy = torch.autograd.grad(reweighted_loss(clean, noisy, 0.2), [clean, noisy])
    torch.testing.assert_close(of_clean, torch.full((4,), 0.1))
    torch.testing.assert_close(of_noisy, torch.full((6,), 0.02))


def test_weight_0_does_not_read_infinite_losses() -> None:
    assert reweighted_loss(torch.ones(1), torch.tensor([torch.inf]), 0.0).item() == 0.5


@given(
    num_clean=st.integers(1, 6),
    num_noisy=st.integers(1, 6),
    clean_batch=st.integers(1, 3),
    noisy_batch=st.integers(1, 3),
    gamma=st.floats(0.01, 5),
)
def test_alternating_batches_add_up_to_the_same_gradient(
    num_clean: int, num_noisy: int, clean_batch: int, noisy_batch: int, gamma: float
) -> None:
    # Every step is taken: as many pairs of batches as bring both sets back to where they began.
    clean, noisy = torch.zeros(num_clean, dtype=torch.float64), torch.zeros(num_noisy, dtype=torch.float64)
    g = alternating_weight(gamma, num_clean, num_noisy)
    clean_stream, noisy_stream = itertools.cycle(range(num_clean)), itertools.cycle(range(num_noisy))
    pairs = math.lcm(num_clean, num_noisy)
    for _ in range(pairs):
        for n in itertools.islice(clean_stream, clean_batch):  # the gradient of a mean, sample by sample
            clean[n] += 1 / clean_batch
        for n in itertools.islice(noisy_stream, noisy_batch):
            noisy[n] += g / noisy_batch
    of_clean, of_noisy = (torch.zeros(n, requires_grad=True) for n in (num_clean, num_noisy))
    expected = torch.autograd.grad(reweighted_loss(of_clean, of_noisy, gamma), [of_clean, of_noisy])
    length = pairs * (num_clean + num_noisy) / num_clean
    torch.testing.assert_close(clean, expected[0].double() * length, rtol=1e-5, atol=0)
    torch.testing.assert_close(noisy, expected[1].double() * length, rtol=1e-5, atol=0)


def test_the_papers_alternation() -> None:
    # 50k clean and 150k noisy images, noisy batches weighted by 0.2: gamma is a third of that.
    assert alternating_weight(0.2 / 3, 50_000, 150_000) == pytest.approx(0.2)


@pytest.mark.parametrize("gamma", [-0.1, math.inf, math.nan])
def test_gamma_out_of_range(gamma: float) -> None:
    with pytest.raises(ValueError, match=f"noisy_weight .* at least 0 and finite; got {gamma}"):
        reweighted_loss(torch.ones(1), torch.ones(1), gamma)
    with pytest.raises(ValueError, match=f"noisy_weight .* at least 0 and finite; got {gamma}"):
        alternating_weight(gamma, 1, 1)


def test_errors_say_what_came() -> None:
    with pytest.raises(ValueError, match="at least one sample; .* both empty"):
        reweighted_loss(torch.ones(0), torch.ones(0), 1.0)
    with pytest.raises(ValueError, match="num_clean must be at least 1.*got 0"):
        alternating_weight(1.0, 0, 5)
    with pytest.raises(ValueError, match="num_noisy must be at least 1.*got 0"):
        alternating_weight(1.0, 5, 0)

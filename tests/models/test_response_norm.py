"""ResponseNorm against torch's own, against loops written from the formula and against finite differences."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import local_response_norm

from noiselayer.models import ResponseNorm

SETTINGS = [(3, 5e-5, 0.75), (5, 1.3, 0.75), (1, 2.0, 0.5), (3, 0.7, 1.0), (17, 1e-2, 0.6)]


def by_loops(x: Tensor, size: int, alpha: float, beta: float, over: str) -> Tensor:
    """The formula, one output at a time."""
    B, C, H, W = x.shape
    reach = size // 2
    y = torch.empty_like(x)
    for b in range(B):
        for c in range(C):
            for h in range(H):
                for w in range(W):
                    energy = 0.0
                    if over == "channels":
                        for k in range(max(0, c - reach), min(C, c + reach + 1)):
                            energy += x[b, k, h, w].item() ** 2
                        n = size
                    else:
                        for i in range(max(0, h - reach), min(H, h + reach + 1)):
                            for j in range(max(0, w - reach), min(W, w + reach + 1)):
                                energy += x[b, c, i, j].item() ** 2
                        n = size * size
                    y[b, c, h, w] = x[b, c, h, w] / (1 + alpha / n * energy) ** beta
    return y


def images(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return 3 * torch.randn(*shape, dtype=dtype)


@pytest.mark.parametrize(("size", "alpha", "beta"), SETTINGS)
def test_across_channels_it_is_torchs_local_response_norm(size: int, alpha: float, beta: float) -> None:
    x = images(3, 8, 5, 6)
    expected = local_response_norm(x, size, alpha, beta, k=1.0)
    torch.testing.assert_close(ResponseNorm(8, size, alpha=alpha, beta=beta)(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("over", ["channels", "pixels"])
@pytest.mark.parametrize(("size", "alpha", "beta"), SETTINGS[1:4])
def test_loops_agree(size: int, alpha: float, beta: float, over: str) -> None:
    x = images(2, 4, 4, 3)
    norm = ResponseNorm(4, size, alpha=alpha, beta=beta, over=over)
    torch.testing.assert_close(norm(x), by_loops(x, size, alpha, beta, over), rtol=0, atol=1e-12)


@pytest.mark.parametrize("over", ["channels", "pixels"])
@pytest.mark.parametrize("beta", [0.75, 0.5, 0.6])
def test_gradient_against_finite_differences(over: str, beta: float) -> None:
    x = images(2, 5, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(ResponseNorm(5, 3, alpha=1.3, beta=beta, over=over), x)


def test_gradient_is_torchs_in_float32() -> None:
    x = images(2, 16, 4, 4, dtype=torch.float32)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    weights = torch.randn_like(x)
    (ResponseNorm(16, alpha=0.5)(ours) * weights).sum().backward()
    (local_response_norm(theirs, 3, 0.5, 0.75) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("over", ["channels", "pixels"])
def test_channels_last_in_channels_last_out(over: str) -> None:
    x = images(2, 8, 6, 6, dtype=torch.float32)
    norm = ResponseNorm(8, alpha=0.5, over=over)
    wide = norm(x.contiguous(memory_format=torch.channels_last))
    assert wide.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(wide, norm(x))


@pytest.mark.parametrize("over", ["channels", "pixels"])
def test_it_runs_in_bfloat16_and_leaves_float32_alone_under_autocast(over: str) -> None:
    x = images(2, 8, 6, 6, dtype=torch.float32)
    norm = ResponseNorm(8, alpha=0.5, over=over)
    exact = norm(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(norm(x), exact)
        half = norm(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), exact, rtol=0.03, atol=0.03)


def test_backward_under_autocast_is_backward_without() -> None:
    x = images(2, 8, 6, 6, dtype=torch.float32).requires_grad_()
    norm = ResponseNorm(8, alpha=0.5)
    (outside,) = torch.autograd.grad(norm(x).sum(), x)
    with torch.autocast("cpu", torch.bfloat16):
        (inside,) = torch.autograd.grad(norm(x).sum(), x)
    assert torch.equal(inside, outside)


def test_float16_squares_do_not_overflow() -> None:
    x = torch.full((1, 4, 1, 1), 1000.0, dtype=torch.float16)
    normalised = ResponseNorm(4, alpha=5e-5)(x)
    assert normalised.dtype == torch.float16
    expected = local_response_norm(x.double(), 3, 5e-5, 0.75)
    torch.testing.assert_close(normalised.double(), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("over", ["channels", "pixels"])
def test_second_derivatives_against_finite_differences(over: str) -> None:
    x = images(1, 4, 2, 3).requires_grad_()
    norm = ResponseNorm(4, alpha=1.3, over=over)
    (first,) = torch.autograd.grad(norm(x).sum(), x)
    (first_to_differentiate,) = torch.autograd.grad(norm(x).sum(), x, create_graph=True)
    torch.testing.assert_close(first_to_differentiate, first)
    assert torch.autograd.gradgradcheck(norm, x)


def test_the_kernel_moves_with_the_module_but_not_into_checkpoints(device: torch.device) -> None:
    norm = copy.deepcopy(ResponseNorm(4, alpha=0.5)).to(device)
    assert not norm.state_dict()
    x = images(2, 4, 3, 3, dtype=torch.float32)
    torch.testing.assert_close(norm(x.to(device)).cpu(), local_response_norm(x, 3, 0.5, 0.75))


def test_errors_say_what_to_do() -> None:
    with pytest.raises(
        ValueError, match=r"size must be odd, so that the neighbourhood has a middle; got 4\."
    ):
        ResponseNorm(8, 4)
    with pytest.raises(ValueError, match=r"alpha must not be negative; got -1\."):
        ResponseNorm(8, alpha=-1)
    with pytest.raises(ValueError, match=r"over must be 'channels' or 'pixels'; got 'maps'\."):
        ResponseNorm(8, over="maps")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"inputs must have shape \(B, 8, H, W\).*got \(2, 4, 3, 3\)\."):
        ResponseNorm(8)(torch.zeros(2, 4, 3, 3))

"""Response normalisation as a convolution: what the paper's network uses, fast on CPUs in any precision."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class ResponseNorm(nn.Module):
    r"""Divide every activation by a power of the energy around it.

    .. math:: y_c = x_c \, \Bigl(1 + \frac{\alpha}{n} \sum_{c' \in N(c)} x_{c'}^2\Bigr)^{-\beta}

    The neighbourhood N(c) holds n positions, counting those beyond the border, which are zero:

    - ``over="channels"``: ``size`` neighbouring channels at the same pixel, n = ``size``. This is
      :func:`torch.nn.functional.local_response_norm` with k = 1, and ``cmrnorm`` in cuda-convnet.
    - ``over="pixels"``: the window of ``size`` x ``size`` pixels in the same channel, n = ``size**2``. This
      is ``rnorm`` in cuda-convnet, ``WITHIN_CHANNEL`` in Caffe; torch has none.

    Why not torch's own: it pads and pools a five-dimensional copy and calls ``pow``, about ten times as slow
    on a CPU, and there it has no bfloat16. Both sums are one small convolution with a kernel of zeros and
    ones (a band between channels, or a box in each), and so is the gradient:

        d = 1 + (alpha / n) sum(x x),   y = x d^-beta,
        grad = g d^-beta - 2 (alpha / n) beta x sum(g y / d)

    The computation keeps the input's dtype under autocast, except that float16, in which squares overflow,
    goes through float32. In bfloat16 an ``alpha`` as small as the paper's network's makes it exactly the
    identity for activations near 1.

    Args:
        num_channels: C, the channels of the input.
        size: Width of the neighbourhood; odd, so that it has a middle.
        alpha: Weight of the mean energy, nonnegative.
        beta: The exponent.
        over: ``"channels"`` or ``"pixels"``.

    Raises:
        ValueError: If an argument is out of range, or the input has not C channels.

    >>> norm = ResponseNorm(4, size=3, alpha=3.0, beta=1.0)
    >>> norm(torch.ones(1, 4, 1, 1)).flatten()  # 1 / (1 + 2) at the edge, 1 / (1 + 3) inside
    tensor([0.3333, 0.2500, 0.2500, 0.3333])
    """

    kernel: Tensor

    def __init__(
        self,
        num_channels: int,
        size: int = 3,
        *,
        alpha: float = 5e-5,
        beta: float = 0.75,
        over: Literal["channels", "pixels"] = "channels",
    ) -> None:
        super().__init__()
        if size < 1 or size % 2 == 0:
            raise ValueError(f"size must be odd, so that the neighbourhood has a middle; got {size}.")
        if not alpha >= 0:
            raise ValueError(f"alpha must not be negative; got {alpha}.")
        if over == "channels":
            index = torch.arange(num_channels)
            band = (index[:, None] - index).abs() <= size // 2
            kernel = band.float()[:, :, None, None]
        elif over == "pixels":
            kernel = torch.ones(num_channels, 1, size, size)
        else:
            raise ValueError(f"over must be 'channels' or 'pixels'; got {over!r}.")
        self.num_channels, self.size, self.alpha, self.beta, self.over = num_channels, size, alpha, beta, over
        self.register_buffer(
            "kernel", kernel, persistent=False
        )  # made from the arguments: not in checkpoints

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalised activations, same shape and dtype as ``inputs``, shape (B, C, H, W)."""
        if inputs.ndim != 4 or inputs.shape[1] != self.num_channels:
            raise ValueError(
                f"inputs must have shape (B, {self.num_channels}, H, W) for this ResponseNorm; "
                f"got {tuple(inputs.shape)}."
            )
        count = self.size if self.over == "channels" else self.size**2
        dtype = torch.float32 if inputs.dtype == torch.float16 else inputs.dtype
        kernel = self.kernel.to(dtype) * (self.alpha / count)
        normalised: Tensor = _ResponseNorm.apply(inputs.to(dtype), kernel, self.beta)
        return normalised.to(inputs.dtype)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return (
            f"{self.num_channels}, size={self.size}, alpha={self.alpha}, beta={self.beta}, over={self.over!r}"
        )


class _ResponseNorm(torch.autograd.Function):
    """x (B, C, H, W) and a kernel that holds alpha / n; it is symmetric, so the sum is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, beta: float) -> Tensor:
        root = _weighted_sum(x * x, kernel, bias=x.new_ones(x.shape[1])).rsqrt_()  # d^-1/2
        ctx.save_for_backward(x, root, kernel)
        ctx.beta = beta
        return _power(root, beta).mul_(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        x, root, kernel = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants to differentiate this gradient: let autograd make it
            y = x * _weighted_sum(x * x, kernel, bias=x.new_ones(x.shape[1])).pow(-ctx.beta)
            return *torch.autograd.grad(y, x, grad, create_graph=True), None, None
        direct = _power(root, ctx.beta).mul_(grad)
        pull = (direct * x).mul_(root).mul_(root)  # g y / d
        spread = _weighted_sum(pull, kernel * (-2 * ctx.beta))
        return torch.addcmul(direct, spread, x), None, None


def _weighted_sum(x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    # Autocast would run a float32 input's sum in half precision, and does so or not by where backward is
    # called.
    with torch.autocast(x.device.type, enabled=False):
        groups = x.shape[1] // kernel.shape[1]
        return conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2, groups=groups)


def _power(root: Tensor, beta: float) -> Tensor:
    """root^(2 beta), a fresh tensor; ``pow`` costs many times as much as a square root."""
    if beta == 0.75:
        return root.sqrt().mul_(root)
    if beta == 0.5:
        return root.clone()
    return root.pow(2 * beta)

"""The autograd functions beneath the losses: exact in log space, gradients in closed form.

Why not ``log(softmax(z) @ Q.T)`` under autograd: the softmax underflows, so that Q = I is no longer
``cross_entropy``; ``log Q`` at Q's exact zeros gives 0/0; a clamp against that kills the gradient that would
let a zero grow again. Both gradients of the bottom-up loss are simple:

    d loss / d logits_i = p_i - p(true = i | x, noisy = j)
    d loss / d Q[j, i]  = -p_i / sum_k Q[j, k] p_k
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

__all__ = ["log_noisy_probs", "noisy_nll", "result_dtype"]


def noisy_nll(logits: Tensor, labels: Tensor, noise_matrix: Tensor) -> Tensor:
    """-log sum_i Q[label, i] softmax(logits)_i for every row, shape (B,), in float32 or better.

    Args:
        logits: Shape (B, K).
        labels: Shape (B,), integers in 0..K-1; not checked here.
        noise_matrix: Shape (K, K), columns sum to 1; not checked here.

    >>> noisy_nll(torch.zeros(1, 2), torch.tensor([0]), torch.tensor([[0.8, 0.4], [0.2, 0.6]]))
    tensor([0.5108])
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    loss: Tensor = _NoisyNLL.apply(logits.to(dtype), labels, noise_matrix.to(dtype))
    return loss


class _NoisyNLL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, labels: Tensor, Q: Tensor) -> Tensor:
        B, K = z.shape
        log_p = torch.log_softmax(z, dim=1)
        # One row of Q per sample is all that the loss reads. The logarithm of whichever is smaller.
        joint = Q.index_select(0, labels).log_() if B < K else Q.log().index_select(0, labels)
        joint += log_p  # log Q[label, i] p_i
        log_evidence = joint.logsumexp(dim=1)
        ctx.save_for_backward(log_p, joint, log_evidence, labels)
        ctx.num_classes = K
        return -log_evidence

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        _refuse_second_derivative()
        log_p, joint, log_evidence, labels = ctx.saved_tensors
        grad_z = grad_Q = None
        column = grad.unsqueeze(1)
        evidence = log_evidence.unsqueeze(1)
        if ctx.needs_input_grad[0]:
            # A label that Q calls impossible has no posterior; its loss is infinite and moves nothing.
            possible = evidence > -math.inf
            posterior = torch.where(possible, joint - evidence, log_p).exp_()
            grad_z = log_p.exp().sub_(posterior).mul_(column)
        if ctx.needs_input_grad[2]:
            grad_rows = _bounded_ratio(log_p, evidence).mul_(-column)
            K = ctx.num_classes
            grad_Q = grad_rows.new_zeros(K, K).index_add_(0, labels, grad_rows)
        return grad_z, None, grad_Q


def log_noisy_probs(logits: Tensor, noise_matrix: Tensor) -> Tensor:
    """The log of sum_i Q[j, i] softmax(logits)_i for every row and every noisy label j, shape (B, K).

    Costs K^2 per row: for the loss of one label a row, :func:`noisy_nll` costs K.

    Args:
        logits: Shape (B, K).
        noise_matrix: Shape (K, K), columns sum to 1; not checked here.

    >>> log_noisy_probs(torch.zeros(1, 2), torch.tensor([[0.8, 0.4], [0.2, 0.6]])).exp()
    tensor([[0.6000, 0.4000]])
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    log_probs: Tensor = _LogNoisyProbs.apply(logits.to(dtype), noise_matrix.to(dtype))
    return log_probs


class _LogNoisyProbs(torch.autograd.Function):
    """One matrix product; entries that underflow in it are computed again in log space."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, Q: Tensor) -> Tensor:
        log_p = torch.log_softmax(z, dim=1)
        with _no_autocast(z):
            noisy = log_p.exp() @ Q.T
        underflown = _underflown(noisy)
        log_noisy = noisy.log_()
        for rows, labels in underflown:
            log_noisy[rows, labels] = (log_p[rows] + Q[labels].log()).logsumexp(dim=1)
        ctx.save_for_backward(log_p, Q, log_noisy)
        return log_noisy

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        _refuse_second_derivative()
        log_p, Q, log_noisy = ctx.saved_tensors
        p, noisy = log_p.exp(), log_noisy.exp()
        underflown = _underflown(noisy)
        ratio = grad / noisy
        for rows, labels in underflown:
            ratio[rows, labels] = 0
        grad_z = grad_Q = None
        if ctx.needs_input_grad[0]:
            with _no_autocast(grad):
                grad_log_p = p * (ratio @ Q)  # sum_j grad_j p(true = i | noisy = j)
            for rows, labels in underflown:
                evidence = log_noisy[rows, labels].unsqueeze(1)
                posterior = log_p[rows] + Q[labels].log() - evidence
                posterior = posterior.masked_fill_(evidence == -math.inf, -math.inf).exp_()
                grad_log_p.index_add_(0, rows, posterior.mul_(grad[rows, labels].unsqueeze(1)))
            grad_z = grad_log_p - p * grad_log_p.sum(dim=1, keepdim=True)
        if ctx.needs_input_grad[1]:
            with _no_autocast(grad):
                grad_Q = ratio.T @ p
            for rows, labels in underflown:
                grad_rows = _bounded_ratio(log_p[rows], log_noisy[rows, labels].unsqueeze(1))
                grad_Q.index_add_(0, labels, grad_rows.mul_(grad[rows, labels].unsqueeze(1)))
        return grad_z, grad_Q


def _refuse_second_derivative() -> None:
    """Raise where once_differentiable would drop a term: it stays silent when the loss is a mean or sum."""
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        raise RuntimeError(
            "noiselayer's losses have no second derivative: differentiate them without create_graph=True or, "
            "if logits are small, take the logarithm of logits.softmax(1) @ noise_matrix.T instead."
        )


_PORTION = 2**22


def _underflown(probs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Where a sum of products is too small to have kept its digits: (rows, labels), in bearable portions.

    At the identity and a confident model that is nearly every entry, and each needs K numbers in log space.
    """
    rows, labels = (probs < torch.finfo(probs.dtype).tiny * 1e8).nonzero(as_tuple=True)
    if not rows.numel():
        return []
    portion = max(1, _PORTION // probs.shape[1])
    return list(zip(torch.split(rows, portion), torch.split(labels, portion), strict=True))


def _bounded_ratio(log_p: Tensor, log_evidence: Tensor) -> Tensor:
    """The quotient p / evidence, kept far enough below overflow that sums over a batch stay finite.

    Only Q's gradient needs it, and only where model and Q together call a label impossible by more than about
    e^-44 in float32: the direction, that of p, is kept, and the projection on the simplex would cut the step
    in any case.
    """
    bound = math.log(torch.finfo(log_p.dtype).max) / 2
    return (log_p - log_evidence.clamp_min(-bound)).exp_()


def result_dtype(logits: Tensor) -> torch.dtype:
    """The dtype that ``cross_entropy`` answers in: that of ``logits``, but float32 under autocast.

    A loss in float16 would overflow as soon as a ``GradScaler`` multiplies it by its first scale, 65536.

    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     result_dtype(torch.zeros(2, 3, dtype=torch.bfloat16))
    torch.float32
    """
    device = logits.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.promote_types(logits.dtype, torch.float32)
    return logits.dtype


def _no_autocast(like: Tensor) -> AbstractContextManager[Any]:
    """Keep autocast from doing a matrix product of probabilities in half precision."""
    device = like.device.type
    if torch.amp.is_autocast_available(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()

"""The autograd functions beneath the losses: exact in log space, gradients in closed form.

Why not ``log(softmax(z) @ Q.T)`` under autograd: the softmax underflows, so that Q = I is no longer
``cross_entropy``; ``log Q`` at Q's exact zeros gives 0/0; a clamp against that kills the gradient that would
let a zero grow again. Both gradients of the bottom-up loss are simple:

    d loss / d logits_i = p_i - p(true = i | x, noisy = j)
    d loss / d Q[j, i]  = -p_i / sum_k Q[j, k] p_k
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor

from noiselayer.noise.posterior import bayes


def noisy_nll(logits: Tensor, labels: Tensor, noise_matrix: Tensor) -> Tensor:
    """-log sum_i Q[label, i] softmax(logits)_i, unchecked, (B,), in float32 or better; Q may be several, stacked."""
    if is_transformed():
        return _composed_nll(logits, labels, noise_matrix)
    loss: Tensor = _NoisyNLL.apply(logits, labels, noise_matrix)
    return loss


def _at_least_float32(logits: Tensor, noise_matrix: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return logits.to(dtype), noise_matrix.to(dtype)


def is_transformed() -> bool:
    """Whether torch.func or forward mode differentiates, maps or linearises this call; no, where torch is silent.

    >>> torch.func.vmap(lambda x: x + is_transformed())(torch.zeros(2))
    tensor([1., 1.])
    """
    if torch.compiler.is_compiling():
        return False
    active = getattr(torch._C, "_are_functorch_transforms_active", None)
    dual = getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0
    return dual or (active is not None and bool(active()))


def is_abstract(tensor: Tensor) -> bool:
    """Whether no value may decide what is computed: in a compiled graph, under torch.func, on the device "meta".

    >>> is_abstract(torch.zeros(2)), is_abstract(torch.zeros(2, device="meta"))
    (False, True)
    """
    return torch.compiler.is_compiling() or tensor.is_meta or is_transformed()


def is_differentiated_again() -> bool:
    """In a backward pass: whether its result is to be differentiated in turn, by ``create_graph=True``.

    >>> with torch.no_grad():
    ...     is_differentiated_again()
    False
    """
    return torch.is_grad_enabled() and not torch.compiler.is_compiling()


def differentiable_gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor | None], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """Those of ``function(*inputs)`` as autograd makes them, so that they have derivatives; None where none is wanted.

    >>> x = torch.tensor([3.0], requires_grad=True)
    >>> (slope,) = differentiable_gradients(lambda x: x**3, [x], torch.ones(1))
    >>> torch.autograd.grad(slope, x)
    (tensor([18.]),)
    """
    wanted = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(torch.autograd.grad(function(*inputs), wanted, grad, create_graph=True))
    return tuple(next(found) if x is not None and x.requires_grad else None for x in inputs)


def _composed_nll(logits: Tensor, labels: Tensor, noise_matrix: Tensor) -> Tensor:
    z, Q = _at_least_float32(logits, noise_matrix)
    return -log_mean(torch.log_softmax(z, dim=-1), Q.index_select(0, labels))


def _composed_log_probs(logits: Tensor, noise_matrix: Tensor) -> Tensor:
    z, Q = _at_least_float32(logits, noise_matrix)
    return log_mean(torch.log_softmax(z, dim=-1).unsqueeze(1), Q)  # K^2 numbers per row


def log_mean(log_p: Tensor, rows: Tensor) -> Tensor:
    """The log of sum_i rows_i exp(log_p_i) over the last dimension, with derivatives of any order.

    Without a branch that depends on values. The largest term that is possible is taken out; what is impossible
    (a zero of Q) is bounded, so that it has no share in the sum and still a gradient for Q.
    """
    bounded = torch.where(rows > 0, log_p, -math.inf).amax(dim=-1, keepdim=True).detach()
    largest = bounded.clamp_min(torch.finfo(log_p.dtype).min)
    evidence = (rows * (log_p - largest).clamp_max(_bound(log_p.dtype)).exp()).sum(dim=-1)
    # A label that Q calls impossible costs infinity and moves nothing.
    impossible = bounded.squeeze(-1) == -math.inf
    found = torch.where(impossible, 1.0, evidence).log() + largest.squeeze(-1)
    return torch.where(impossible, -math.inf, found)


class _NoisyNLL(torch.autograd.Function):
    """Probabilities where they keep their digits, else logarithms; gradients are made in the forward pass and kept."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, noise_matrix: Tensor) -> Tensor:
        wants_z, _, wants_Q = ctx.needs_input_grad
        z, Q = _at_least_float32(logits, noise_matrix)
        # Which rows have lost their digits must be read back; that would stall other devices than the CPU.
        in_probs = z.device.type == "cpu" and not torch.compiler.is_compiling()
        branch = _nll_in_probs if in_probs else _nll_in_logs
        log_evidence, grad_z, ratio = branch(z, labels, Q, wants_z, wants_Q)
        ctx.save_for_backward(grad_z, ratio, logits, labels, noise_matrix)
        return log_evidence.neg_()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        grad_z, ratio, logits, labels, noise_matrix = ctx.saved_tensors
        if is_differentiated_again():
            of_logits, of_matrix = differentiable_gradients(
                lambda z, Q: _composed_nll(z, labels, Q), (logits, noise_matrix), grad
            )
            return of_logits, None, of_matrix
        scale = torch.Tensor.mul_ if _graph_is_freed() else torch.mul
        column = grad.unsqueeze(1)
        if grad_z is not None:
            grad_z = scale(grad_z, column)
        grad_Q = None
        if ratio is not None:
            K = ratio.shape[1]
            grad_Q = ratio.new_zeros(len(noise_matrix), K).index_add_(0, labels, scale(ratio, -column))
        return grad_z, None, grad_Q


_Parts: TypeAlias = tuple[Tensor, Tensor | None, Tensor | None]
"""log sum_i Q[label, i] p_i; then p - posterior and p / evidence, where they are wanted."""


def _nll_in_probs(z: Tensor, labels: Tensor, Q: Tensor, wants_z: bool, wants_Q: bool) -> _Parts:
    """A softmax, one row of Q per sample, a product and a sum, a few rows at a time so that they stay in the cache."""
    B, K = z.shape
    portion = max(1, _CACHED * torch.get_num_threads() // max(K, 1))
    if portion >= B:  # most batches; what they cost is calls
        evidence, grad_z, ratio = _few_in_probs(z, labels, Q, wants_z, wants_Q)
    else:
        evidence = z.new_empty(B, 1)
        grad_z = torch.empty_like(z, memory_format=torch.contiguous_format) if wants_z else None
        ratio = torch.empty_like(z, memory_format=torch.contiguous_format) if wants_Q else None
        buffers = z.new_empty(2, portion, K)
        for first in range(0, B, portion):
            rows = slice(first, min(first + portion, B))
            p, joint = buffers[:, : rows.stop - first]
            out = (
                p,
                joint if grad_z is None else grad_z[rows],
                evidence[rows],
                ratio if ratio is None else ratio[rows],
            )
            _few_in_probs(z[rows], labels[rows], Q, wants_z, wants_Q, out)
    # Below this Q's gradient is bounded (see bounded_ratio), and far below it the products underflow.
    least = math.exp(-_bound(z.dtype))
    evidence = evidence.squeeze(1)
    lost = None if B == 0 or float(evidence.min()) > least else (~(evidence > least)).nonzero().flatten()
    log_evidence = evidence.log_()
    if lost is not None:
        again = _nll_in_logs(z[lost], labels[lost], Q, wants_z, wants_Q)
        for all_rows, found in zip((log_evidence, grad_z, ratio), again, strict=True):
            if all_rows is not None and found is not None:
                all_rows[lost] = found
    return log_evidence, grad_z, ratio


def _few_in_probs(
    z: Tensor,
    labels: Tensor,
    Q: Tensor,
    wants_z: bool,
    wants_Q: bool,
    out: tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None] = (None,) * 4,
) -> _Parts:
    """Evidence, (B, 1), and the gradients; written to ``out``: softmax, gradient by z, evidence, gradient by Q."""
    p = _softmax(z, out=out[0])
    joint = torch.index_select(Q, 0, labels, out=out[1]).mul_(p)
    evidence = torch.sum(joint, dim=1, keepdim=True, out=out[2])
    grad_z = torch.sub(p, joint.div_(evidence), out=joint) if wants_z else None
    return evidence, grad_z, torch.div(p, evidence, out=out[3]) if wants_Q else None


_CACHED = 2**17
"""Numbers in a portion, per thread: two buffers of it fill a megabyte of float32, a usual L2 cache."""


def _nll_in_logs(z: Tensor, labels: Tensor, Q: Tensor, wants_z: bool, wants_Q: bool) -> _Parts:
    """The same for logits of any size, without a branch that depends on values."""
    log_p = torch.log_softmax(z, dim=1)
    joint = Q.index_select(0, labels).log_()
    joint += log_p  # log Q[label, i] p_i
    log_evidence = joint.logsumexp(dim=1)
    grad_z = ratio = None
    if wants_z:
        # A label that Q calls impossible has no posterior; its loss is infinite and moves nothing.
        p = log_p.exp()
        grad_z = p - bayes(joint, p)
    if wants_Q:
        ratio = bounded_ratio(log_p, log_evidence.unsqueeze(1))
    return log_evidence, grad_z, ratio


def _graph_is_freed() -> bool:
    """Whether this backward pass is the last, so that what was kept may be overwritten; no, where torch is silent."""
    if torch.compiler.is_compiling():
        return False
    keeps = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return keeps is not None and not keeps()


def _softmax(z: Tensor, out: Tensor | None) -> Tensor:
    """A softmax that is quick for short rows too, of which torch's own takes one at a time."""
    if z.shape[1] > _SHORT_ROW:
        return torch.softmax(z, dim=1, out=out)
    p = torch.sub(z, z.amax(dim=1, keepdim=True), out=out).exp_()
    return p.div_(p.sum(dim=1, keepdim=True))


_SHORT_ROW = 64


def log_noisy_probs(logits: Tensor, noise_matrix: Tensor) -> Tensor:
    """The log of sum_i Q[j, i] softmax(logits)_i for every noisy label j, (B, K), unchecked; costs K^2 per row.

    Where :func:`is_abstract`, a matrix may be given for every row, (B, K, K).
    """
    if is_abstract(logits):
        return _composed_log_probs(logits, noise_matrix)
    log_probs: Tensor = _LogNoisyProbs.apply(logits, noise_matrix)
    return log_probs


class _LogNoisyProbs(torch.autograd.Function):
    """One matrix product; entries that underflow in it are computed again in log space."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, noise_matrix: Tensor) -> Tensor:
        z, Q = _at_least_float32(logits, noise_matrix)
        log_p = torch.log_softmax(z, dim=1)
        with _no_autocast(z):
            noisy = log_p.exp() @ Q.T
        underflown = _underflown(noisy)
        log_noisy = noisy.log_()
        for rows, labels in underflown:
            log_noisy[rows, labels] = (log_p[rows] + Q[labels].log()).logsumexp(dim=1)
        ctx.save_for_backward(log_p, Q, log_noisy, logits, noise_matrix)
        return log_noisy

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        log_p, Q, log_noisy, logits, noise_matrix = ctx.saved_tensors
        if is_differentiated_again():
            of_logits, of_matrix = differentiable_gradients(_composed_log_probs, (logits, noise_matrix), grad)
            return of_logits, of_matrix
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
                grad_rows = bounded_ratio(log_p[rows], log_noisy[rows, labels].unsqueeze(1))
                grad_Q.index_add_(0, labels, grad_rows.mul_(grad[rows, labels].unsqueeze(1)))
        return grad_z, grad_Q


_PORTION = 2**22


def _underflown(probs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(rows, labels) where a sum of products is too small to have kept its digits, in portions that memory bears."""
    rows, labels = (probs < torch.finfo(probs.dtype).tiny * 1e8).nonzero(as_tuple=True)
    if not rows.numel():
        return []
    portion = max(1, _PORTION // probs.shape[1])
    return list(zip(torch.split(rows, portion), torch.split(labels, portion), strict=True))


def bounded_ratio(log_p: Tensor, log_evidence: Tensor) -> Tensor:
    """The quotient p / evidence, kept far enough below overflow that sums over a batch stay finite.

    Only Q's gradient needs it, where model and Q call a label impossible by more than e^-44 in float32: the direction
    is kept, and the projection on the simplex would cut the step in any case.

    >>> bounded_ratio(torch.tensor([-1.0]), torch.tensor([-1.0]))
    tensor([1.])
    """
    return (log_p - log_evidence.clamp_min(-_bound(log_p.dtype))).exp_()


def _bound(dtype: torch.dtype) -> float:
    return math.log(torch.finfo(dtype).max) / 2


# torch.compile could not ask this for itself before torch 2.5.
_WITH_AUTOCAST = frozenset(
    name for name in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(name)
)


def _has_autocast(device: str) -> bool:
    if device in _WITH_AUTOCAST:
        return True
    return not torch.compiler.is_compiling() and torch.amp.is_autocast_available(device)


def result_dtype(logits: Tensor) -> torch.dtype:
    """The dtype that ``cross_entropy`` answers in: that of ``logits``, but float32 under autocast.

    A loss in float16 would overflow as soon as a ``GradScaler`` multiplies it by its first scale, 65536.

    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     result_dtype(torch.zeros(2, 3, dtype=torch.bfloat16))
    torch.float32
    """
    device = logits.device.type
    if _has_autocast(device) and torch.is_autocast_enabled(device):
        return torch.promote_types(logits.dtype, torch.float32)
    return logits.dtype


def _no_autocast(like: Tensor) -> AbstractContextManager[Any]:
    """Keep autocast from doing a matrix product of probabilities in half precision."""
    device = like.device.type
    if _has_autocast(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()

"""The bottom-up loss through a sparse noise matrix: the stored entries of one row per sample."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from noiselayer.losses.log_space import (
    bounded_ratio,
    differentiable_gradients,
    is_differentiated_again,
    is_transformed,
    log_mean,
)
from noiselayer.noise.sparse_matrix import SparseNoiseMatrix


def sparse_noisy_nll(logits: Tensor, labels: Tensor, noise_matrix: SparseNoiseMatrix) -> Tensor:
    """-log sum_i Q[label, i] softmax(logits)_i, unchecked, (B,); beyond a softmax, work grows with the longest row."""
    Q = noise_matrix
    dtype = torch.promote_types(logits.dtype, torch.float32)
    # Gathered outside, where autograd adds the gradients of the entries up by itself.
    true_classes, rows = Q.row_of(labels, dtype=dtype)
    rest = Q.values[-1].to(dtype) if Q.has_rest else None
    z = logits.to(dtype)
    if is_transformed():
        return _composed(z, true_classes, rows, rest)
    loss: Tensor = _SparseNLL.apply(z, true_classes, rows, rest)
    return loss


def _composed(z: Tensor, columns: Tensor, rows: Tensor, rest: Tensor | None) -> Tensor:
    """The same of what autograd knows, with derivatives of any order."""
    log_p = torch.log_softmax(z, dim=-1)
    terms, shares = log_p.gather(-1, columns), rows
    if rest is not None:
        terms = torch.cat([terms, log_p], dim=-1)
        shares = torch.cat([rows, (rest / z.shape[-1]).expand_as(log_p)], dim=-1)
    return -log_mean(terms, shares)


class _SparseNLL(torch.autograd.Function):
    """z (B, K); columns and rows (B, L): true classes and values of the row's entries, 0 for padding; rest (K,)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, columns: Tensor, rows: Tensor, rest: Tensor | None) -> Tensor:
        wants_z, _, wants_rows, wants_rest = ctx.needs_input_grad
        p = torch.softmax(z, dim=1)
        # log p of the few entries, from the logits: p itself may have underflown there.
        log_sum = z.amax(dim=1, keepdim=True) - p.amax(dim=1, keepdim=True).log_()
        log_p = z.gather(1, columns) - log_sum
        joint = rows.log() + log_p
        if rest is not None:
            log_rest = _log_rest(z, p, log_sum, rest)
            joint = torch.cat([joint, log_rest], dim=1)
        log_evidence = joint.logsumexp(dim=1)
        evidence = log_evidence.unsqueeze(1)
        ratio = ratio_of_all = None
        if wants_rows:
            ratio = bounded_ratio(log_p, evidence)
        if wants_rest:
            ratio_of_all = p * bounded_ratio(torch.zeros_like(evidence), evidence).div_(z.shape[1])
        possible = share = posterior = None
        if wants_z:
            possible = evidence > -math.inf
            posterior = torch.where(possible, joint - evidence, -math.inf).exp_()
            if rest is not None:
                share = posterior[:, -1:] * (-log_rest - math.log(z.shape[1])).exp_()
                share = torch.where(posterior[:, -1:] > 0, share, 0)
                posterior = posterior[:, :-1]
        saved = (p, rest, possible, share, posterior) if wants_z else (None,) * 5
        ctx.save_for_backward(columns, ratio, ratio_of_all, *saved, z, rows, rest)
        return log_evidence.neg_()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None, Tensor | None]:
        columns, ratio, ratio_of_all, p, rest, possible, share, posterior, z, rows, all_rest = (
            ctx.saved_tensors
        )
        if is_differentiated_again():
            of_z, of_rows, of_rest = differentiable_gradients(
                lambda z, rows, rest: _composed(z, columns, rows, rest), (z, rows, all_rest), grad
            )
            return of_z, None, of_rows, of_rest
        column = grad.unsqueeze(1)
        grad_z = None
        if p is not None:
            if rest is None:
                grad_z = p * (column * possible)
            else:
                # p_i (1 - share rest_i): the posterior of the rest falls on all classes.
                grad_z = torch.addcmul(column * possible, column * share, rest, value=-1).mul_(p)
            grad_z.scatter_add_(1, columns, -column * posterior)
        return (
            grad_z,
            None,
            None if ratio is None else ratio * -column,
            None if ratio_of_all is None else -(grad @ ratio_of_all),
        )


def _log_rest(z: Tensor, p: Tensor, log_sum: Tensor, rest: Tensor) -> Tensor:
    """The logarithm of sum_i u_i p_i / K, shape (B, 1)."""
    K = z.shape[1]
    if z.device.type != "cpu" or torch.compiler.is_compiling():
        in_logs: Tensor = (z - log_sum + rest.log()).logsumexp(dim=1, keepdim=True)
        return in_logs - math.log(K)
    probs = (p @ rest).unsqueeze(1)
    lost = (probs < torch.finfo(p.dtype).tiny * 1e8).nonzero()[:, 0]
    log_rest = probs.log_()
    if len(lost) and bool((rest > 0).any()):
        log_rest[lost] = (z[lost] - log_sum[lost] + rest.log()).logsumexp(dim=1, keepdim=True)
    return log_rest.sub_(math.log(K))


def sparse_log_noisy_probs(logits: Tensor, noise_matrix: SparseNoiseMatrix) -> Tensor:
    """The log of sum_i Q[j, i] softmax(logits)_i for every label j, (B, K), at least that of the smallest normal p."""
    Q = noise_matrix
    p = torch.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
    values = Q.values.to(p.dtype)
    noisy = torch.zeros_like(p)
    for labels, share in zip(Q.labels, values, strict=False):  # the rest, if any, has no labels
        noisy = noisy.index_add(1, labels, p * share)
    if Q.has_rest:
        noisy = noisy + (p @ values[-1]).unsqueeze(1) / Q.num_classes
    return noisy.clamp_min(torch.finfo(p.dtype).tiny).log()

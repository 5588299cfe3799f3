"""The bottom-up loss of labels that are probabilities of classes, and the likelihood of all noisy labels beneath it."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.losses.annotator_rows import rows_of_annotators
from noiselayer.losses.log_space import is_abstract, log_noisy_probs
from noiselayer.losses.sparse_bottom_up import sparse_log_noisy_probs
from noiselayer.noise.sparse_matrix import SparseNoiseMatrix


def soft_noisy_nll(
    logits: Tensor,
    targets: Tensor,
    noise_matrix: Tensor | SparseNoiseMatrix,
    annotators: Tensor | None,
    shape: torch.Size,
    ignored: Tensor | None = None,
) -> Tensor:
    r"""The cross-entropy of soft labels with what the noise makes of the model's classes, unchecked, (B,).

    .. math:: -\sum_j t_{nj} \log \sum_i Q_{ji}\; \mathrm{softmax}(z_n)_i

    ``targets`` t, shape (B, K), are weighted already; ``shape`` is that of labels, one for each row of ``logits``.
    Where ``ignored`` (B,), the loss is 0.
    """
    log_noisy = all_log_noisy_probs(logits, noise_matrix, annotators, shape, ignored)
    # where, not a product: a label that is impossible and has no share in t would make 0 times infinity.
    nothing = targets == 0 if ignored is None else (targets == 0) | ignored.unsqueeze(1)
    return -torch.where(nothing, 0, targets.to(log_noisy.dtype) * log_noisy).sum(dim=1)


def all_log_noisy_probs(
    logits: Tensor,
    noise_matrix: Tensor | SparseNoiseMatrix,
    annotators: Tensor | None,
    shape: torch.Size,
    ignored: Tensor | None = None,
) -> Tensor:
    """The log of sum_i Q[j, i] softmax(logits)_i for every noisy label j, (B, K), in float32 or better.

    With matrices (S, K, K), of the labels that ``annotators``, of ``shape`` or its beginning, would give; those of
    ``ignored`` rows (B,) may be anybody.

    >>> Q = torch.stack([torch.eye(2), torch.tensor([[0.0, 1.0], [1.0, 0.0]])])
    >>> logits = torch.tensor([[0.0, -100.0], [0.0, -100.0]])
    >>> all_log_noisy_probs(logits, Q, torch.tensor([0, 1]), torch.Size([2]))
    tensor([[   0., -100.],
            [-100.,    0.]])
    """
    if isinstance(noise_matrix, SparseNoiseMatrix):
        return sparse_log_noisy_probs(logits, noise_matrix)
    if noise_matrix.ndim != 3:
        return log_noisy_probs(logits, noise_matrix)
    # Rows of label 0: they say the annotators, checked, and all labels are wanted here.
    zeros = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    rows, _ = rows_of_annotators(zeros, annotators, noise_matrix, shape=shape, ignored=ignored)
    of_row = rows // noise_matrix.shape[-1]
    if is_abstract(logits):  # which annotators there are cannot be asked
        return log_noisy_probs(logits, noise_matrix[of_row])
    noisy = logits.new_empty(logits.shape, dtype=torch.promote_types(logits.dtype, torch.float32))
    for s in set(of_row.tolist()):
        at = (of_row == s).nonzero().flatten()
        noisy = noisy.index_copy(0, at, log_noisy_probs(logits[at], noise_matrix[s]))
    return noisy

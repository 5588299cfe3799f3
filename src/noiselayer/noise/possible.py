"""Labels that stand in the data although a noise matrix says that no true class ever gets them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def check_possible(
    noise_matrix: Tensor,
    noisy_labels: Tensor,
    *,
    class_names: Sequence[str] = (),
    annotators: Tensor | None = None,
) -> None:
    """Raise if a label occurs whose row of the noise matrix is all zeros: its loss is infinite for any model."""
    K = noise_matrix.shape[-1]
    matrices = noise_matrix.detach().cpu().reshape(-1, K, K)
    labels = noisy_labels.detach().cpu().long()
    given_by = torch.zeros_like(labels) if annotators is None else annotators.detach().cpu().long()
    counts = torch.bincount(given_by * K + labels, minlength=len(matrices) * K).reshape(-1, K)
    found = ((matrices.sum(dim=2) == 0) & (counts > 0)).nonzero()
    if not len(found):
        return
    s, j = found[0].tolist()
    name = repr(class_names[j]) if class_names else str(j)
    whose = f" of the matrix of annotator {s}" if len(matrices) > 1 else ""
    n = int(counts[s, j])
    raise ValueError(
        f"noise_matrix has only zeros in row {j}{whose}, so no class is ever labelled {name}, yet "
        f"{f'{n:,} samples are' if n > 1 else 'one sample is'}. Give that row the probability with which each true "
        f"class is labelled so, or leave {'these samples' if n > 1 else 'this sample'} out."
    )

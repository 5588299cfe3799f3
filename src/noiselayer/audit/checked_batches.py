"""Labels and probabilities of any number of samples, handed out in checked batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor
from noiselayer.audit.subsample import Batch

ENTRIES = 2**20
"""Of probabilities in a batch: 4 MB of float32."""

Batches = Callable[[], Iterable[tuple[Any, ...]]]
"""Called once per pass; gives (labels, probs) or (labels, probs, verified) batch by batch."""


def batches_of_arrays(labels: Any, probs: Any, verified: Any = None, *, entries: int = ENTRIES) -> Batches:
    """Batches of whole arrays or tensors, memory-mapped ones too: what is not asked for is not read.

    >>> make = batches_of_arrays(torch.tensor([0, 1, 1]), torch.eye(2)[[0, 1, 1]], entries=4)
    >>> [labels.tolist() for labels, *_ in make()]
    [[0, 1], [1]]
    """
    rows, N = max(1, entries // max(1, probs.shape[1])), probs.shape[0]

    def make() -> Iterator[tuple[Any, ...]]:
        for start in range(0, N, rows):
            part = slice(start, start + rows)
            more = () if verified is None else (verified[part],)
            yield (labels[part], probs[part], *more)

    return make


@dataclass
class checked_batches:  # noqa: N801 - reads as the function that it is, and can be iterated more than once
    """Batches as tensors of the right types, or an error that says which sample is unfit.

    Args:
        make: See ``Batches``.
        num_classes: K; the number of columns of the first batch if None.
        thorough: Look for NaN, negative probabilities and rows that do not sum to 1; once is enough.
    """

    make: Batches
    num_classes: int | None = None
    thorough: bool = True

    def __iter__(self) -> Iterator[Batch]:
        start = 0
        for parts in self.make():
            batch = self._checked(start, *parts)
            if len(batch.labels):
                yield batch
            start += len(batch.labels)

    def _checked(self, start: int, labels: Any, probs: Any, verified: Any = None) -> Batch:
        y, p = as_tensor(labels), as_tensor(probs)
        if not p.is_floating_point():
            raise TypeError(f"probs must be floating-point probabilities; got {p.dtype}.")
        given = p.dtype
        if given in (torch.float16, torch.bfloat16):
            p = p.float()
        if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
            raise TypeError(f"labels must be class indices (integers); got {y.dtype}.")
        if p.ndim != 2 or p.shape[1] < 2:
            raise ValueError(
                f"probs must have shape (N, K) with K >= 2, a row per sample; got {tuple(p.shape)}."
            )
        if self.num_classes is None:
            self.num_classes = p.shape[1]
        K = self.num_classes
        if p.shape[1] != K:
            raise ValueError(
                f"probs must have {K} columns, a class each; got {p.shape[1]} from sample {start} on."
            )
        if y.shape != (len(p),):
            raise ValueError(
                f"labels must have shape ({len(p)},), one per row of probs; got {tuple(y.shape)}."
            )
        y = y.long()
        if len(y):
            low, high = (int(k) for k in y.aminmax())
            if low < 0 or high >= K:
                row = int(((y < 0) | (y >= K)).nonzero()[0])
                raise IndexError(
                    f"labels must lie in 0..{K - 1}; got {int(y[row])} at {start + row}. Leave samples without a "
                    "label out."
                )
            if self.thorough:
                self._check_rows(start, p, max(1e-3, 4 * torch.finfo(given).eps))
        known = None
        if verified is not None:
            known = as_tensor(verified)
            if known.dtype != torch.bool or known.shape != y.shape:
                raise ValueError(
                    f"verified must be a mask, bool of shape ({len(y)},), true where a label is known to be right; "
                    f"got {known.dtype} of shape {tuple(known.shape)}."
                )
        return Batch(start, y, p, known)

    @staticmethod
    def _check_rows(start: int, p: Tensor, tolerance: float) -> None:
        total = p.sum(dim=1)
        # Written so that NaN fails too.
        if float(p.amin()) >= -tolerance and bool(((total - 1).abs() <= tolerance).all()):
            return
        wrong = ~((p >= -tolerance).all(dim=1) & ((total - 1).abs() <= tolerance))
        row = int(wrong.nonzero()[0])
        if bool(p[row].isnan().any()):
            what = "holds NaN"
        elif float(p[row].min()) < -tolerance:
            what = f"holds {float(p[row].min()):.4g}"
        else:
            what = f"sums to {float(total[row]):.4g}"
        raise ValueError(
            f"probs must be probabilities, none negative and rows summing to 1; row {start + row} {what}. If these "
            "are logits, apply softmax."
        )

"""Columns of probabilities that stand in another order than the classes of the labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_BETTER = 0.3  # of all labels: what the other order must explain more than the given one


def column_order(counts: Tensor) -> list[int] | None:
    """The order of columns in which labels and predictions agree, where it is not the given one.

    Args:
        counts: Shape (K, K), samples by given label (row) and predicted class (column).

    Returns:
        Column ``order[j]`` of the probabilities belongs to label j; None if the given order is right, or no order
        is: most labels of every class must be predicted as one class, another one for each, and three labels in ten
        more agree with their prediction then.

    >>> column_order(torch.tensor([[1, 0, 9], [9, 1, 0], [0, 9, 1]]))
    [2, 0, 1]
    >>> column_order(torch.tensor([[7, 2, 1], [1, 7, 2], [2, 1, 7]]))
    """
    most, order = counts.max(dim=1)
    carried, _ = totals(counts)
    best = most.double() / carried.clamp_min(1)
    K = len(counts)
    if len(set(order.tolist())) < K or float(best.min()) <= 0.5:
        return None
    total = max(1, int(carried.sum()))
    gained = int(counts[torch.arange(K), order].sum()) - int(counts.diagonal().sum())
    return order.tolist() if gained > _BETTER * total else None


def totals(counts: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of the rows and of the columns, int64; a few rows at a time, since a sum of small integers copies them.

    >>> totals(torch.tensor([[1, 2], [3, 4]], dtype=torch.int32))
    (tensor([3, 7]), tensor([4, 6]))
    """
    blocks = torch.split(counts, 512)
    rows = torch.cat([block.sum(dim=1) for block in blocks])
    columns = torch.stack([block.sum(dim=0) for block in blocks]).sum(dim=0)
    return rows, columns


def order_warning(order: Sequence[int], counts: Tensor, names: Sequence[str] | None) -> str:
    """What to do about it, in words."""
    total = max(1, int(counts.sum()))
    then = int(counts[torch.arange(len(order)), torch.tensor(order)].sum()) / total
    now = int(counts.diagonal().sum()) / total
    moved = [j for j, column in enumerate(order) if j != column]
    shown = ", ".join(f"{names[j] if names else j} in column {order[j]}" for j in moved[:4])
    more = ", ..." if len(moved) > 4 else ""
    wanted = list(order) if len(order) <= 20 else "order"
    return (
        f"the columns of probs seem to stand in another order than the classes: {shown}{more}, counted from 0. With "
        f"probs[:, {wanted}] {then:.0%} of the labels agree with their prediction, now {now:.0%}. If classes are "
        "numbers written as text, they were sorted as text."
    )

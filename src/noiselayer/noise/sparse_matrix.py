"""A noise matrix that stores a few confusions per class, for thousands of classes (§4.3 and beyond)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from noiselayer.arrays.kinds import check_tensor
from noiselayer.arrays.tensors import as_tensor
from noiselayer.noise.matrices import check
from noiselayer.noise.simplex import project


class SparseNoiseMatrix(nn.Module):
    r"""Q with the diagonal, a few confusions per true class, and a uniform rest that keeps all labels possible.

    .. math:: Q_{ji} = \sum_{s:\, l_{si} = j} v_{si} + \frac{u_i}{K}

    Column i of ``labels`` and ``values`` belongs to true class i, as in the dense matrix: slot s says that it
    is called ``labels[s, i]`` with probability ``values[s, i]``, and the last row of ``values`` is the rest
    :math:`u`, if there is one. So the columns of ``values`` lie on the simplex, and
    :func:`noiselayer.noise.project` puts them there. K = 21,841 classes with 20 confusions take 9 MB,
    the dense matrix 1.9 GB.

    Takes the place of a dense matrix in :func:`noiselayer.noisy_label_loss`,
    :class:`noiselayer.NoisyLabelLoss` and :class:`noiselayer.NoiseLayer`; a loss reads the stored entries of
    one row per sample. Make one from estimated confusions as here, from a dense matrix (:meth:`from_dense`),
    or start at the identity (:meth:`identity`) and :meth:`grow` it in training.

    Args:
        labels: Shape (S, K), integers: the noisy labels of every true class; no label twice in a column.
        values: Shape (S, K), their probabilities.
        rest: Shape (K,), the mass of every true class that is spread evenly over all K labels; None for no
            rest, now or later.

    Raises:
        TypeError: If ``labels`` are not integers or ``values`` not floating-point numbers.
        ValueError: If shapes do not fit, a label is out of range or twice in a column, a value is negative or
            not finite, or a column with its rest does not sum to 1.

    >>> Q = SparseNoiseMatrix(torch.tensor([[0, 1, 2], [1, 2, 0]]), torch.tensor([[0.9, 0.8, 1.0], [0.1, 0.2, 0.0]]))
    >>> Q.to_dense()
    tensor([[0.9000, 0.0000, 0.0000],
            [0.1000, 0.8000, 0.0000],
            [0.0000, 0.2000, 1.0000]])
    """

    values: nn.Parameter
    labels: Tensor
    row_starts: Tensor
    row_entries: Tensor

    def __init__(self, labels: Tensor, values: Tensor, rest: Tensor | None = None) -> None:
        super().__init__()
        _check(labels, values, rest)
        columns = values if rest is None else torch.cat([values, rest.to(values).unsqueeze(0)])
        self.values = nn.Parameter(project(columns), requires_grad=False)
        self.has_rest = rest is not None
        self.register_buffer("labels", labels.detach().long().clone())
        # Made from the labels: not in checkpoints, but they move with the module.
        self.register_buffer("row_starts", torch.empty(0), persistent=False)
        self.register_buffer("row_entries", torch.empty(0), persistent=False)
        self._index_rows()
        self.register_load_state_dict_post_hook(_index_rows_again)  # type: ignore[no-untyped-call]

    @classmethod
    def identity(cls, num_classes: int, num_confusions: int, *, rest: bool = True) -> SparseNoiseMatrix:
        """Labels that are all right, with room for ``num_confusions`` per class that :meth:`grow` can use.

        >>> SparseNoiseMatrix.identity(4, 2).to_dense().diagonal()
        tensor([1., 1., 1., 1.])
        """
        _check_num_confusions(num_confusions, num_classes)
        labels = (torch.arange(num_confusions + 1).unsqueeze(1) + torch.arange(num_classes)) % num_classes
        values = torch.zeros(num_confusions + 1, num_classes)
        values[0] = 1
        return cls(labels, values, torch.zeros(num_classes) if rest else None)

    @classmethod
    def from_dense(cls, noise_matrix: Tensor, num_confusions: int, *, rest: bool = True) -> SparseNoiseMatrix:
        """Keep the diagonal and the largest ``num_confusions`` other entries of every column.

        What is left out goes evenly to all labels that are not stored; without a rest, the stored entries are
        moved to the nearest point of the simplex.

        Args:
            noise_matrix: Shape (K, K), columns = true classes, sum to 1.
            num_confusions: In 0..K-1.
            rest: Whether to keep a uniform rest.

        Raises:
            ValueError: If ``noise_matrix`` is not a noise matrix or ``num_confusions`` is out of range.

        >>> from noiselayer.noise import symmetric
        >>> SparseNoiseMatrix.from_dense(symmetric(4, 0.3), 1).to_dense()[:, 0]
        tensor([0.7000, 0.1000, 0.1000, 0.1000])
        """
        Q = check(as_tensor(noise_matrix, "noise_matrix"))
        K = len(Q)
        _check_num_confusions(num_confusions, K)
        ranked = Q.clone().fill_diagonal_(math.inf)  # the diagonal is always stored, and first
        labels = ranked.topk(num_confusions + 1, dim=0).indices
        values = Q.gather(0, labels)
        if not rest:
            return cls(labels, project(values))
        left_out = K - len(labels)
        share = (1 - values.sum(dim=0)).clamp_min(0) / max(left_out, 1)
        if left_out == 0:
            share.zero_()
        # Each stored entry gets its share of the rest too; a diagonal below it becomes part of the rest.
        own = (values - share).clamp_min(0)
        return cls(labels, own, (1 - own.sum(dim=0)).clamp_min(0))

    @property
    def num_classes(self) -> int:
        """K."""
        return self.labels.shape[1]

    @property
    def shape(self) -> torch.Size:
        """Of the matrix that this stands for: (K, K)."""
        return torch.Size((self.num_classes, self.num_classes))

    @property
    def requires_grad(self) -> bool:
        """Whether the values are learned."""
        return self.values.requires_grad

    @property
    def grad(self) -> Tensor | None:
        """Of the values, shape (S, K) or, with a rest, (S + 1, K)."""
        return self.values.grad

    @property
    def nbytes(self) -> int:
        """Memory of everything that is stored."""
        return sum(t.numel() * t.element_size() for t in (*self.parameters(), *self.buffers()))

    def to_dense(self) -> Tensor:
        """The matrix written out, shape (K, K); differentiable. K^2 numbers: for few classes."""
        K, slots = self.num_classes, len(self.labels)
        Q = self.values.new_zeros(K, K).scatter_add(0, self.labels, self.values[:slots])
        return Q + self.values[-1] / K if self.has_rest else Q

    def trace(self) -> Tensor:
        """tr(Q), between 0 and K. Differentiable.

        >>> SparseNoiseMatrix.identity(3, 1).trace()
        tensor(3.)
        """
        right = self.labels == torch.arange(self.num_classes, device=self.labels.device)
        trace = torch.where(right, self.values[: len(self.labels)], 0).sum()
        return trace + self.values[-1].sum() / self.num_classes if self.has_rest else trace

    def row_of(self, labels: Tensor, *, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """The stored entries of one row of Q per label, without the rest; differentiable.

        All shapes are known beforehand, so that no device is waited for.

        Args:
            labels: Shape (B,), noisy labels 0..K-1; not checked here.
            dtype: Of the entries; that of the values if None.

        Returns:
            True classes and ``Q[label, true class]``, both of shape (B, L) for the longest row of L entries; shorter
            rows end in entries of 0.

        >>> Q = SparseNoiseMatrix(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0.75, 0.5], [0.25, 0.5]]))
        >>> Q.row_of(torch.tensor([1]))
        (tensor([[1, 0]]), tensor([[0.5000, 0.2500]]))
        """
        places = self.row_starts[labels].unsqueeze(1) + torch.arange(self.longest_row, device=labels.device)
        stored = places < self.row_starts[labels + 1].unsqueeze(1)
        entries = self.row_entries[places.clamp_max(self.row_entries.numel() - 1)]
        values = self.values.to(dtype or self.values.dtype).flatten()
        return entries % self.num_classes, torch.where(stored, values[entries], 0)

    @torch.no_grad()
    def grow(self, logits: Tensor, noisy_labels: Tensor, per_class: int = 1, *, among: int = 5) -> int:
        """Exchange empty or weak slots for confusions that the samples ask for.

        A confusion (i called j) that is not stored is asked for by every sample with label j by as much as
        class i would explain the label better than Q does now:

            sum over samples of label j of p_i / (p_i + p(noisy = j | x))

        New slots start at 0, so that the loss does not jump; their gradient is the largest there is, and the
        optimizer fills them. The mass of an exchanged slot goes to the rest or, without one, to the diagonal.
        An exchanged slot is the weakest of its column, and never the diagonal.

        Args:
            logits: Shape (N, K), of many samples.
            noisy_labels: Shape (N,), their labels.
            per_class: At most so many exchanges in each column.
            among: A sample asks for its most probable classes only, so many of them.

        Returns:
            How many confusions are new.

        Raises:
            ValueError: If shapes do not fit.
        """
        K, slots = self.num_classes, len(self.labels)
        if logits.ndim != 2 or logits.shape[1] != K or noisy_labels.shape != logits.shape[:1]:
            raise ValueError(
                f"logits must have shape (N, {K}) and noisy_labels (N,); got {tuple(logits.shape)} and "
                f"{tuple(noisy_labels.shape)}."
            )
        probs = logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(dim=1)
        true_classes, row = self.row_of(noisy_labels, dtype=probs.dtype)
        evidence = (row * probs.gather(1, true_classes)).sum(dim=1, keepdim=True)
        if self.has_rest:
            evidence += (probs @ self.values[-1].to(probs.dtype)).unsqueeze(1) / K
        p, classes = probs.topk(min(among, K), dim=1)
        asked = p / (p + evidence).clamp_min(torch.finfo(p.dtype).tiny)
        stored = (self.labels[:, classes] == noisy_labels[:, None]).any(dim=0)
        pairs = (classes * K + noisy_labels[:, None])[~stored]  # column-major: sorted by true class
        pairs, where = torch.unique(pairs, return_inverse=True)
        scores = asked.new_zeros(len(pairs)).index_add_(0, where, asked[~stored])
        order = scores.argsort(descending=True)
        order = order[(pairs[order] // K).argsort(stable=True)]
        pairs, columns = pairs[order], pairs[order] // K
        rank = torch.arange(len(columns), device=columns.device) - torch.searchsorted(columns, columns)
        chosen = rank < per_class
        pairs, columns, rank = pairs[chosen], columns[chosen], rank[chosen]
        weakness = self.values[:slots].masked_fill(
            self.labels == torch.arange(K, device=self.labels.device), math.inf
        )
        weakest = weakness.argsort(dim=0, stable=True)
        free = rank < slots - 1  # a column of the diagonal alone has no slot to give
        columns, rank, new = columns[free], rank[free], pairs[free] % K
        slot = weakest[rank, columns]
        if self.has_rest:
            receiver = torch.full_like(slot, len(self.values) - 1)
        else:
            receiver = (self.labels[:, columns] == columns).int().argmax(dim=0)
        freed = self.values[slot, columns]
        self.values.index_put_((receiver, columns), freed, accumulate=True)
        self.values[slot, columns] = 0
        self.labels[slot, columns] = new
        self._index_rows()
        return len(new)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return f"num_classes={self.num_classes}, slots={len(self.labels)}, rest={self.has_rest}"

    def _index_rows(self) -> None:
        """For every label, where it stands among the slots: what a loss reads of a row."""
        flat = self.labels.flatten()
        self.row_entries = flat.argsort(stable=True)
        counts = flat.bincount(minlength=self.num_classes)
        self.row_starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        # A plain number, so that shapes are known on the host: no device is asked for them in a loss.
        self.longest_row = int(counts.max())


def _index_rows_again(module: SparseNoiseMatrix, incompatible_keys: object) -> None:
    module._index_rows()  # after loading a state; a function of its own, so that copies can be pickled


def _check_num_confusions(num_confusions: int, num_classes: int) -> None:
    if not 0 <= num_confusions < num_classes:
        raise ValueError(
            f"num_confusions must lie in 0..{num_classes - 1} for {num_classes} classes; got {num_confusions}."
        )


def _check(labels: Tensor, values: Tensor, rest: Tensor | None) -> None:
    check_tensor(labels, "labels")
    check_tensor(values, "values")
    if rest is not None:
        check_tensor(rest, "rest")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be class indices (integers); got {labels.dtype}.")
    if not values.is_floating_point():
        raise TypeError(f"values must be floating-point probabilities; got {values.dtype}.")
    if labels.ndim != 2 or labels.shape[1] < 2 or not 1 <= len(labels) <= labels.shape[1]:
        raise ValueError(
            f"labels must have shape (S, K), with 1..K slots for K >= 2 classes; got {tuple(labels.shape)}."
        )
    K = labels.shape[1]
    if values.shape != labels.shape:
        raise ValueError(
            f"values must have the shape of labels, {tuple(labels.shape)}; got {tuple(values.shape)}."
        )
    if rest is not None and rest.shape != (K,):
        raise ValueError(f"rest must have shape ({K},), a number per true class; got {tuple(rest.shape)}.")
    low, high = (int(k) for k in labels.aminmax())
    if low < 0 or high >= K:
        raise ValueError(f"labels must lie in 0..{K - 1}; got {low if low < 0 else high}.")
    ordered = labels.sort(dim=0).values
    twice = (ordered[1:] == ordered[:-1]).nonzero()
    if len(twice):
        slot, column = (int(k) for k in twice[0])
        raise ValueError(
            f"labels holds {int(ordered[slot, column])} twice in column {column}; add the two values up."
        )
    columns = values if rest is None else torch.cat([values, rest.to(values).unsqueeze(0)])
    bad = ~(torch.isfinite(columns) & (columns >= 0))
    if bool(bad.any()):
        slot, column = (int(k) for k in bad.nonzero()[0])
        raise ValueError(
            f"values and rest are probabilities; column {column} holds {float(columns[slot, column]):.4g}."
        )
    sums = columns.float().sum(dim=0)
    worst = int((sums - 1).abs().argmax())
    if abs(float(sums[worst]) - 1) > 1e-3:
        raise ValueError(
            f"values and rest must sum to 1 in every column; column {worst} sums to {float(sums[worst]):.4g}. "
            "Give what is missing as rest, or use noiselayer.noise.project(values)."
        )

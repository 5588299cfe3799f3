"""The noise layer with a matrix that is learned (§3.1, §3.3)."""

from __future__ import annotations

import copy
import warnings
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.hooks import RemovableHandle

from noiselayer.arrays.kinds import check_count
from noiselayer.arrays.tensors import as_tensor
from noiselayer.losses.annotator_rows import check_stack
from noiselayer.losses.bottom_up import noisy_label_loss
from noiselayer.losses.log_space import result_dtype
from noiselayer.losses.soft_labels import all_log_noisy_probs
from noiselayer.noise.matrices import check, identity
from noiselayer.noise.simplex import project
from noiselayer.noise.sparse_matrix import SparseNoiseMatrix


class NoiseLayer(nn.Module):
    r"""A linear layer on top of the softmax whose weights are the noise matrix, learned on the simplex.

    .. math:: p(\tilde y = j \mid x) = \sum_i Q_{ji}\, p(y^* = i \mid x)

    Logits in, log-probabilities of the *noisy* labels out (Eq. 1); the logits themselves stay the prediction
    of the true class. :meth:`loss` is their negative log-likelihood with K work per sample, where ``forward``
    costs K^2.

    After each step of any ``torch.optim`` optimizer that holds the matrix, every column is projected back on
    the simplex (§3.3). A hook in torch's optimizers does it, so it cannot be forgotten; a matrix changed by
    other means is projected before its next use or its ``state_dict``. (Only what is written into the memory of
    ``noise_matrix.data`` goes unseen: use ``with torch.no_grad()`` instead, or call :meth:`project_`.)

    Args:
        num_classes: K, at least 2.
        noise_matrix: The start, shape (K, K), columns = true classes; the identity if None. A
            :class:`noiselayer.SparseNoiseMatrix` is copied and its stored entries are learned. Of shape
            (S, K, K), a matrix for each of S annotators, of which every one is learned.
        num_annotators: S, to start with the same matrix for each of so many annotators; :meth:`loss` and
            ``forward`` then take ``annotators``, which annotator gave each label.
        trainable: False starts frozen, as in the first phase of §3.4 (see :meth:`freeze`).

    Raises:
        ValueError: If ``noise_matrix`` is not a noise matrix of ``num_classes`` classes.

    >>> model, layer = nn.Linear(4, 3), NoiseLayer(3)
    >>> optimizer = torch.optim.SGD([{"params": model.parameters()}, layer.parameter_group(lr=0.01)], lr=0.1)
    >>> loss = layer.loss(model(torch.randn(8, 4)), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]))
    >>> loss.backward()
    >>> optimizer.step()  # layer.noise_matrix is on the simplex again
    >>> layer.noise_matrix.detach().sum(dim=0)
    tensor([1., 1., 1.])
    """

    noise_matrix: nn.Parameter
    """Q; or a SparseNoiseMatrix, whose ``values`` are then what is learned (:attr:`parameter`)."""
    _projected: tuple[int, int, int] | None

    def __init__(
        self,
        num_classes: int,
        noise_matrix: Tensor | SparseNoiseMatrix | None = None,
        *,
        num_annotators: int | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        check_count(num_classes, "num_classes")
        if not isinstance(noise_matrix, SparseNoiseMatrix | None):
            noise_matrix = as_tensor(noise_matrix, "noise_matrix")
        if num_annotators is not None:
            noise_matrix = _per_annotator(num_classes, noise_matrix, num_annotators)
        if isinstance(noise_matrix, SparseNoiseMatrix):
            if noise_matrix.num_classes != num_classes:
                raise ValueError(
                    f"noise_matrix is of {noise_matrix.num_classes} classes, but there are {num_classes}."
                )
            self.noise_matrix = copy.deepcopy(noise_matrix).requires_grad_(trainable)  # type: ignore[assignment]
        else:
            if noise_matrix is None:
                start = identity(num_classes)
            else:
                checked = check_stack if noise_matrix.ndim == 3 else check
                start = project(checked(noise_matrix, num_classes=num_classes))
            self.noise_matrix = nn.Parameter(start, requires_grad=trainable)
        self.num_classes = num_classes
        self._start(projected=_state_of(self.parameter))

    @property
    def parameter(self) -> nn.Parameter:
        """What an optimizer changes, columns on the simplex: Q, or the values that a sparse one stores."""
        return self.sparse.values if self.sparse is not None else self.noise_matrix

    @property
    def sparse(self) -> SparseNoiseMatrix | None:
        """The matrix if it is a sparse one."""
        Q: object = self.noise_matrix
        return Q if isinstance(Q, SparseNoiseMatrix) else None

    @property
    def num_annotators(self) -> int | None:
        """S, if there is a matrix per annotator."""
        return len(self.noise_matrix) if self.sparse is None and self.noise_matrix.ndim == 3 else None

    def forward(
        self,
        logits: Tensor,
        annotators: Tensor | None = None,
        *,
        noisy_labels: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """Log-probabilities of the noisy labels, shape (N, K), from ``logits`` of shape (N, K).

        With a matrix per annotator, of the labels that ``annotators``, shape (N,), would give. With ``noisy_labels``,
        what :meth:`loss` gives, and its options.
        """
        if noisy_labels is not None:
            self._before_use()
            return noisy_label_loss(logits, noisy_labels, self.noise_matrix, annotators=annotators, **options)
        if logits.ndim != 2 or logits.shape[1] != self.num_classes:
            raise ValueError(f"logits must have shape (N, {self.num_classes}); got {tuple(logits.shape)}.")
        self._before_use()
        log_noisy = all_log_noisy_probs(logits, self.noise_matrix, annotators, logits.shape[:1])
        return log_noisy.to(result_dtype(logits))

    def loss(
        self, logits: Tensor, noisy_labels: Tensor, annotators: Tensor | None = None, **options: Any
    ) -> Tensor:
        """:func:`noiselayer.noisy_label_loss` through this layer's matrix; the same arguments.

        A call of the layer like any other: hooks that are registered with it run.
        """
        loss: Tensor = self(logits, annotators, noisy_labels=noisy_labels, **options)
        return loss

    def freeze(self) -> NoiseLayer:
        """Keep the matrix as it is: the first phase of §3.4, or a matrix that is known."""
        self.parameter.requires_grad_(False)
        self.parameter.grad = None
        return self

    def unfreeze(self) -> NoiseLayer:
        """Let the matrix learn with the network: the second phase of §3.4."""
        self.parameter.requires_grad_(True)
        return self

    def trace(self) -> Tensor:
        """tr(Q), between 0 and K; divided by K, the mean share of right labels. Differentiable.

        The mean over annotators, where there is a matrix for each.

        >>> NoiseLayer(3).trace().item()
        3.0
        """
        if self.sparse is not None:
            return self.sparse.trace()
        return self.noise_matrix.diagonal(dim1=-2, dim2=-1).sum(-1).mean()

    def parameter_group(self, lr: float | None = None, **options: Any) -> dict[str, Any]:
        """The matrix as an optimizer group of its own, by default without the optimizer's weight decay.

        Weight decay pulls every column towards uniform; ask for it by name if you want it
        (``weight_decay=0.05``), so that the network's setting does not leak into the noise matrix.
        """
        group: dict[str, Any] = {"params": [self.parameter], "weight_decay": 0.0, **options}
        if lr is not None:
            group["lr"] = lr
        return group

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        of_annotators = "" if self.num_annotators is None else f"num_annotators={self.num_annotators}, "
        return f"num_classes={self.num_classes}, {of_annotators}trainable={self.parameter.requires_grad}"

    @torch.no_grad()
    def project_(self) -> None:
        """Move every column to the nearest point of the simplex, in place."""
        Q = self.parameter
        projected = project(Q)
        if not torch.equal(projected, Q):  # a write would spoil graphs that already hold it
            Q.copy_(projected)
        self._projected = _state_of(Q)

    def _project_if_changed(self) -> None:
        # A plain tensor stands here under torch.func.functional_call: its caller's business.
        if isinstance(self.parameter, nn.Parameter) and _state_of(self.parameter) != self._projected:
            self.project_()

    def _save_to_state_dict(self, *args: Any) -> None:
        self._project_if_changed()  # whatever changed the matrix, an optimizer from outside torch too
        super()._save_to_state_dict(*args)

    def _before_use(self) -> None:
        if torch.compiler.is_compiling():
            return  # a counter that changes at every call would have the graph compiled again and again
        self._project_if_changed()
        Q = self.parameter
        # A plain tensor stands here under torch.func.functional_call: nobody's optimizer holds it.
        if self.training and isinstance(Q, nn.Parameter) and Q.requires_grad and torch.is_grad_enabled():
            self._uses_without_step += 1
            if self._uses_without_step == _PATIENCE:
                warnings.warn(
                    f"NoiseLayer has been used {_PATIENCE} times in training, but no optimizer has stepped "
                    "its noise_matrix: it is not being learned. Add layer.parameter_group() to the "
                    "optimizer, or call layer.freeze().",
                    stacklevel=6,  # whoever calls loss()
                )

    def _start(self, projected: tuple[int, int, int] | None = None) -> None:
        self._projected = projected
        self._uses_without_step = 0
        _watch(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._start()  # copies and unpickled layers are projected too


def _per_annotator(
    num_classes: int, noise_matrix: Tensor | SparseNoiseMatrix | None, num_annotators: int
) -> Tensor:
    if isinstance(noise_matrix, SparseNoiseMatrix):
        raise ValueError("num_annotators needs dense matrices; got a SparseNoiseMatrix.")
    check_count(num_annotators, "num_annotators", 1)
    Q = identity(num_classes) if noise_matrix is None else noise_matrix
    if Q.ndim == 3:
        if len(Q) != num_annotators:
            raise ValueError(f"noise_matrix holds {len(Q)} matrices, but num_annotators is {num_annotators}.")
        return Q
    return Q.expand(num_annotators, *Q.shape).contiguous()


_PATIENCE = 200
_live_layers: weakref.WeakSet[NoiseLayer] = weakref.WeakSet()
_hook: RemovableHandle | None = None


def _state_of(Q: Tensor) -> tuple[int, int, int]:
    """What differs as soon as the matrix has been replaced, moved or changed in place."""
    return id(Q), Q.data_ptr(), -1 if Q.is_inference() else Q._version


def _watch(layer: NoiseLayer) -> None:
    """Have the optimizer that holds the parameter project it: no parameter knows its own, so torch's common hook."""
    global _hook
    _live_layers.add(layer)
    if _hook is None:
        _hook = register_optimizer_step_post_hook(_project_after_step)


def _project_after_step(optimizer: Optimizer, args: Iterable[Any], kwargs: dict[str, Any]) -> None:
    learning = [layer for layer in list(_live_layers) if layer.parameter.requires_grad]
    if not learning:
        return
    stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for layer in learning:
        if id(layer.parameter) in stepped:
            layer.project_()
            layer._uses_without_step = 0

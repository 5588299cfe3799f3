"""A loss that is not a number stops the training, or the batch is left out, with the samples named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from noiselayer.choices import OnNonFinite
from noiselayer.data.inputs import SubsetInputs
from noiselayer.errors import InputError, argument, list_some
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.training.batches import Part, Trust
from noiselayer.training.phases import KeptState


class NonFiniteLossError(InputError):
    """The loss of a batch is NaN or infinite.

    Attributes:
        epoch: Counted from 0.
        batch: Counted from 0, within the epoch.
        indices: Name of a set ("noisy", "clean", "outside") -> positions of the batch's samples in it, as it was
            given, counted from 0.

    >>> NonFiniteLossError("the loss is nan", 0, 3, {"noisy": [7]}).indices
    {'noisy': [7]}
    """

    def __init__(self, message: str, epoch: int, batch: int, indices: dict[str, list[int]]) -> None:
        super().__init__(message)
        self.epoch, self.batch, self.indices = epoch, batch, indices


class FiniteLoss(KeptState, Callback):
    """Looks at the loss of every training batch, and stops or, where the module skips (:class:`SkipNonFinite`), counts.

    On a GPU the answer is read one step later, when it has arrived: asking at once would make the processor wait
    for every step. The samples are found again from the sampler, whose order the seed and the epoch decide.
    """

    kept = ("skipped",)

    def __init__(self, train: Sequence[Part], on_nonfinite: OnNonFinite) -> None:
        self.train = train
        self.on_nonfinite = on_nonfinite
        self.skipped = 0
        self._skipped_before = 0
        self._batch = 0
        self._earlier: tuple[Tensor, int] | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count anew."""
        self._skipped_before = self.skipped

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Know which batch it is."""
        self._batch = batch_idx

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Look at this batch's loss before a step is made with it, or at the last one's."""
        loss = loss.detach()
        learned = any(
            p.requires_grad for m in pl_module.modules() if isinstance(m, NoiseLayer) for p in m.parameters()
        )
        if loss.device.type == "cpu" or learned:  # the projection of Q asks for numbers in every step anyway
            if not torch.isfinite(loss):
                self._stop(trainer, loss, self._batch)
            return
        earlier, self._earlier = self._earlier, (loss, self._batch)
        if earlier is not None and not torch.isfinite(earlier[0]):
            self._stop(trainer, *earlier)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a batch that the module has skipped."""
        if not outputs:
            self.skipped += 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The last batch's loss, and whether any batch was left."""
        earlier, self._earlier = self._earlier, None
        if earlier is not None and not torch.isfinite(earlier[0]):
            self._stop(trainer, *earlier)
        if self.skipped - self._skipped_before >= trainer.num_training_batches:
            raise NonFiniteLossError(
                f"the loss of every batch of epoch {trainer.current_epoch} (counted from 0) was NaN or infinite, so "
                f"nothing was learned. Take a smaller {argument('learning_rate')}, or look at the inputs.",
                *(trainer.current_epoch, 0, {}),
            )

    def _stop(self, trainer: pl.Trainer, loss: Tensor, batch_idx: int) -> None:
        rows = batch_rows(trainer.train_dataloader, batch_idx)
        indices, names = _positions(self.train, rows)
        listed = "; ".join(f"{list_some(names[name], 16)} of the {name} set" for name in names)
        raise NonFiniteLossError(
            f"the loss is {float(loss)} in epoch {trainer.current_epoch}, batch {batch_idx} (counted from 0). Its "
            f"samples are {listed}. Look at them and at those of the batch before, take a smaller "
            f"{argument('learning_rate')}, or leave such batches out with {argument('on_nonfinite', 'skip')}.",
            *(trainer.current_epoch, batch_idx, indices),
        )


class SkipNonFinite:
    """Says which batches to leave out, and undoes what their forward pass did to running statistics.

    This asks for the loss at once, which on a GPU makes the processor wait for every step. With several processes a
    batch is left out by all of them if one of them must: else their weights would part.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.buffers = list(module.buffers())
        self.kept = [buffer.clone() for buffer in self.buffers]

    def must(self, loss: Tensor, trainer: pl.Trainer | None) -> bool:
        """Whether to leave the batch out; then the buffers are as they were."""
        finite = bool(torch.isfinite(loss))
        if trainer is not None and trainer.world_size > 1:
            finite = trainer.strategy.reduce_boolean_decision(finite, all=True)
        if finite:
            return False
        for buffer, kept in zip(self.buffers, self.kept, strict=True):
            buffer.copy_(kept)
        return True


def batch_rows(loader: Any, batch_idx: int) -> list[int]:
    """The rows of the joined data set that were in a batch of the epoch at hand.

    >>> from torch.utils.data import DataLoader
    >>> batch_rows(DataLoader(range(5), batch_size=2), 1)
    [2, 3]
    """
    batches = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    return [int(row) for row in next(islice(iter(batches), batch_idx, None))]


def _positions(
    parts: Sequence[Part], rows: Sequence[int]
) -> tuple[dict[str, list[int]], dict[str, list[str]]]:
    """Positions in each set as it was given, and the names of those samples, ascending."""
    ends = np.cumsum([len(part.labels) for part in parts])
    indices: dict[str, list[int]] = {}
    names: dict[str, list[str]] = {}
    for row in sorted(set(rows)):
        k = int(np.searchsorted(ends, row, side="right"))
        part, place = parts[k], row - int(ends[k]) + len(parts[k].labels)
        of = Trust(part.trust).name.lower()
        inputs = part.inputs
        indices.setdefault(of, []).append(
            int(inputs.indices[place]) if isinstance(inputs, SubsetInputs) else place
        )
        names.setdefault(of, []).append(inputs.ids[place])
    return indices, names

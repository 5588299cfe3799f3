"""The network, the noise layer and their optimizer as one LightningModule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from noiselayer.choices import Augmentation, check_choice
from noiselayer.joint.regularization import log_volume, trace_penalty, weight_decay_penalty
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.losses.reweighting import mixed_batch_loss
from noiselayer.losses.top_down import top_down_loss, uniform_conversion
from noiselayer.training.augmentation import augment
from noiselayer.training.batches import Batch, Trust
from noiselayer.training.finite import SkipNonFinite
from noiselayer.training.options import Optimization


class NoisyLabelModule(pl.LightningModule):
    """Trains ``network`` on labels that pass through ``noise_layer`` (Fig. 1).

    The noise layer stands between the network and the loss, in training and in validation on noisy labels.
    ``forward`` and prediction never see it: they give logits of the true class.

    Args:
        network: Inputs to logits, (N, ...) -> (N, K).
        noise_layer: Frozen or not; freezing it is the business of a callback or of the caller.
        optimization: Optimizer, rates and penalties.
        noisy_weight: gamma; see :func:`noiselayer.losses.reweighting.mixed_batch_loss`, as for the next one.
        outside_weight: Weight of samples that show none of the classes.
        alpha: If given, noisy labels meet the top-down loss with a uniform conversion (§3.5) in Q's place.
        trust_scale: Factors of clean and of other samples in training, where batches alternate between the
            two and so do not hold them in their true proportions. Validation does.
        augmentation: What is done to the images of a training batch; see
            :func:`noiselayer.training.augmentation.augment`.

    A batch is (inputs, labels, trust), see :class:`noiselayer.training.batches.Trust`, and with a fourth tensor,
    who gave the labels, where the noise layer has a matrix for each of those.
    """

    _schedule_span: Tensor
    _conversion: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        noise_layer: NoiseLayer,
        optimization: Optimization | None = None,
        *,
        noisy_weight: float = 1.0,
        outside_weight: float = 1.0,
        alpha: float | None = None,
        trust_scale: tuple[float, float] = (1.0, 1.0),
        augmentation: Augmentation = "none",
    ) -> None:
        super().__init__()
        check_choice("augmentation", augmentation, Augmentation)
        self.network = network
        self.noise_layer = noise_layer
        self.optimization = optimization or Optimization()
        self.noisy_weight = noisy_weight
        self.outside_weight = outside_weight
        self.alpha = alpha
        self.trust_scale = trust_scale
        self.augmentation: Augmentation = augmentation
        self.all_noisy = False
        """Whether no sample is clean or from outside, in training and in validation."""
        self.skip_nonfinite = False
        """Leave out batches whose loss is NaN or infinite; see :class:`noiselayer.training.finite.SkipNonFinite`."""
        S = None if alpha is None else uniform_conversion(noise_layer.num_classes, alpha)
        self.register_buffer("_conversion", S, persistent=False)
        self.register_buffer("_schedule_span", torch.tensor([0, 0]))  # first and last step of the phase

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of the true class, shape (N, K)."""
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """The loss of one batch, with the penalties on Q while it is learned; None skips it."""
        skip = SkipNonFinite(self) if self.skip_nonfinite else None
        batch = augment(batch[0], self.augmentation), *batch[1:]
        loss = self._mixture(batch, *self.trust_scale)
        if skip is not None and skip.must(loss, self.trainer):
            return None
        # Synchronised at the end of the epoch alone: a sum and a count from every process, none per step.
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            sync_dist=True,
            batch_size=self._weight(batch),
        )
        if self.noise_layer.noise_matrix.requires_grad:
            loss = loss + self._penalty()
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The same likelihood, through Q, on samples held out."""
        self.log(
            "val_loss", self._mixture(batch), on_epoch=True, sync_dist=True, batch_size=self._weight(batch)
        )

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Logits of the true class; the noise layer is never asked."""
        logits: Tensor = self(batch if isinstance(batch, Tensor) else batch[0])
        return logits.float()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Three groups: weights, biases and norms without decay, and the noise matrix at its own rate."""
        o = self.optimization
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        K = self.noise_layer.num_classes
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": o.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        if o.optimizer == "sgd":
            # The noise matrix joins with plain projected steps: momentum would push on against the border.
            groups.append(
                self.noise_layer.parameter_group(lr=o.noise_learning_rate * K, momentum=0.0, nesterov=False)
            )
            optimizer: torch.optim.Optimizer = torch.optim.SGD(
                groups, lr=o.learning_rate, momentum=0.9, nesterov=True
            )
        else:
            groups.append(self.noise_layer.parameter_group(lr=o.noise_learning_rate))
            optimizer = torch.optim.AdamW(groups, lr=o.learning_rate)
        self.restart_schedule(0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bound the gradient of every column of Q, and take its mean off.

        A single label that the network calls impossible has a gradient of up to 1 / p on Q: one step would
        throw a whole column on one class, and projection would leave it there. What all entries of a column share,
        projection takes back from a plain step; AdamW scales every entry by itself, and would see nothing else.
        """
        gradient = self.noise_layer.noise_matrix.grad
        if gradient is not None:
            norm = gradient.norm(dim=0, keepdim=True) * self.noise_layer.num_classes
            gradient.div_((norm / _LARGEST_COLUMN_GRADIENT).clamp_min(1.0))
            gradient.sub_(gradient.mean(dim=0, keepdim=True))

    def restart_schedule(self, first_step: int, last_step: int | None = None) -> None:
        """Run the learning-rate schedule afresh from one step to another: a phase of its own."""
        total = int(self.trainer.estimated_stepping_batches) if last_step is None else last_step
        self._schedule_span = torch.tensor([first_step, total], device=self._schedule_span.device)

    def _rate_factor(self, step: int) -> float:
        if self.optimization.schedule == "constant":
            return 1.0
        first, last = (int(s) for s in self._schedule_span)
        done = (step - first) / max(last - first, 1)
        if done < _WARM_UP:
            return 0.1 + 0.9 * done / _WARM_UP
        return max(0.5 * (1 + math.cos(math.pi * min((done - _WARM_UP) / (1 - _WARM_UP), 1.0))), 1e-3)

    def _weight(self, batch: Batch) -> int:
        """How much a batch counts in the mean of an epoch.

        Lightning averages the counts of all processes as integers, rounded down: a multiple of their number is exact.
        """
        return len(batch[1]) * (1 if self._trainer is None else self.trainer.world_size)

    def _mixture(self, batch: Batch, clean_scale: float = 1.0, other_scale: float = 1.0) -> Tensor:
        inputs, labels, trust, *annotators = batch
        S, through_Q = self._conversion, self.noise_layer.loss
        noisy_loss: Callable[..., Tensor] = (
            through_Q if S is None else partial(top_down_loss, conversion_matrix=S)
        )
        return mixed_batch_loss(
            self(inputs),
            labels,
            partial(noisy_loss, reduction="none"),
            clean=None if self.all_noisy else trust == Trust.CLEAN,
            outside=None if self.all_noisy else trust == Trust.OUTSIDE,
            annotators=annotators[0] if annotators and self.noise_layer.num_annotators is not None else None,
            clean_weight=clean_scale,
            noisy_weight=self.noisy_weight * other_scale,
            outside_weight=self.outside_weight * other_scale,
        )

    def _penalty(self) -> Tensor:
        o, Q, K = self.optimization, self.noise_layer.noise_matrix, self.noise_layer.num_classes
        terms: Sequence[tuple[float, Any]] = (
            (o.trace_penalty / K, trace_penalty),
            (o.noise_weight_decay or 0.0, weight_decay_penalty),
            (o.volume_penalty, log_volume),
        )
        penalty = Q.new_zeros(())
        for weight, term in terms:
            if weight:
                penalty = penalty + weight * term(Q)
        return penalty


_WARM_UP = 0.25
_LARGEST_COLUMN_GRADIENT = 5.0  # of K times the mean gradient, which is about 1 for a network that fits

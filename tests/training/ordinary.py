"""An ordinary LightningModule, as a user would write it: its own optimizer and its own validation."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from noiselayer import NoiseLayer

Batch = list[Tensor]


class Ordinary(pl.LightningModule):
    """Its validation losses are what the test says they are, epoch by epoch."""

    def __init__(self, losses: Sequence[float], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.network = nn.Linear(2, 3)
        self.noise = NoiseLayer(3) if layer is None else layer
        self.losses = list(losses)
        self.frozen: list[bool] = []
        self.matrices: list[Tensor] = []  # after every epoch's training, before a callback acts
        self.weights: list[Tensor] = []

    def noise_layer(self) -> NoiseLayer:
        return next(m for m in self.modules() if isinstance(m, NoiseLayer))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        inputs, labels = batch
        return self.noise_layer().loss(self.network(inputs), labels)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        # A sanity check comes before all epochs, with a loss that must not count.
        loss = -1e9 if self.trainer.sanity_checking else self.losses[self.current_epoch]
        self.log("val_loss", loss, on_epoch=True)

    def on_train_epoch_start(self) -> None:
        self.frozen.append(not self.noise_layer().parameter.requires_grad)

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:
            self.matrices.append(self.noise_layer().parameter.detach().clone())
            self.weights.append(self.network.weight.detach().clone())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.parameters())},
            self.noise_layer().parameter_group(lr=0.1),
        ]
        return torch.optim.SGD(groups, lr=0.1)


def train(
    module: pl.LightningModule,
    callbacks: list[Callback],
    *,
    max_epochs: int = 20,
    data: Dataset[Any] | None = None,
) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        log_every_n_steps=1,
    )
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(12, 2, generator=generator), torch.arange(12) % 3
    loader = DataLoader(TensorDataset(inputs, labels) if data is None else data, batch_size=6)
    trainer.fit(module, loader, loader)
    return trainer

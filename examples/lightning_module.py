"""Lightning: the layer is an attribute of the module, its group goes into configure_optimizers.

python examples/lightning_module.py
"""

import pytorch_lightning as pl
import torch
from digits import START, load, network, report
from torch.utils.data import DataLoader, TensorDataset

import noiselayer


class Classifier(pl.LightningModule):
    """Logits of the true class; the noise layer is for training only."""

    def __init__(self):
        super().__init__()
        self.network = network()
        self.noise = noiselayer.NoiseLayer(10, START)  # new

    def training_step(self, batch, _):
        """The loss of noisy labels, and the mean share of right labels that the matrix now says."""
        x, noisy = batch
        self.log("noise_trace", self.noise.trace() / 10)
        return self.noise.loss(self.network(x), noisy)  # was: cross_entropy(self.network(x), noisy)

    def configure_optimizers(self):
        """The matrix in a group of its own: no weight decay, and a rate of its own if you like."""
        groups = [{"params": self.network.parameters()}, self.noise.parameter_group()]
        return torch.optim.Adam(groups, lr=0.01, weight_decay=1e-3)


pl.seed_everything(0, verbose=False)
x, noisy, x_test, y_test = load()
module = Classifier()
trainer = pl.Trainer(
    max_epochs=15,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(module, DataLoader(TensorDataset(x, noisy), batch_size=64, shuffle=True))
module.eval()
report(module.network(x_test).argmax(dim=1), y_test, module.noise.noise_matrix.detach())

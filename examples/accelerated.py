"""Accelerate: the layer is prepared with the model and the optimizer.

python examples/accelerated.py    (or: accelerate launch examples/accelerated.py)
"""

import torch
from accelerate import Accelerator
from digits import START, load, network, report
from torch.utils.data import DataLoader, TensorDataset

import noiselayer


class WithNoise(torch.nn.Module):
    """Network and layer as one module, so that several processes share the matrix's gradients too."""

    def __init__(self):
        super().__init__()
        self.network = network()
        self.noise = noiselayer.NoiseLayer(10, START)  # new

    def forward(self, images, labels):
        """The loss of noisy labels."""
        return self.noise.loss(self.network(images), labels)


torch.manual_seed(0)
x, noisy, x_test, y_test = load()
accelerator = Accelerator(cpu=True)
module = WithNoise()
groups = [{"params": module.network.parameters()}, module.noise.parameter_group()]
optimizer = torch.optim.Adam(groups, lr=0.01, weight_decay=1e-3)
batches = DataLoader(TensorDataset(x, noisy), batch_size=64, shuffle=True)
prepared, optimizer, batches = accelerator.prepare(module, optimizer, batches)

for _ in range(15):
    for images, labels in batches:
        optimizer.zero_grad()
        accelerator.backward(prepared(images, labels))
        optimizer.step()

report(module.network(x_test).argmax(dim=1), y_test, module.noise.noise_matrix.detach())

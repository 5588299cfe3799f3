"""torch.compile: network and noise layer as one compiled loss; forwards, backwards and gradients stay exact.

    python examples/compiled.py [--backend inductor]

The backend "inductor" needs a C++ compiler; "aot_eager" compiles the same graphs without one.
"""

import argparse

import torch
from digits import START, load, network, report

import noiselayer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--backend", default="aot_eager")
backend = parser.parse_args().backend

torch.manual_seed(0)
x, noisy, x_test, y_test = load()
model = network()
layer = noiselayer.NoiseLayer(10, START)
groups = [{"params": model.parameters()}, layer.parameter_group()]
optimizer = torch.optim.Adam(groups, lr=0.01, weight_decay=1e-3)


@torch.compile(backend=backend)
def loss_of(images, labels):
    """One graph from images to the loss of noisy labels."""
    return layer.loss(model(images), labels)


for _ in range(15):
    for rows in torch.randperm(len(x)).split(64)[:-1]:  # the last batch is smaller: it would compile again
        optimizer.zero_grad()
        loss_of(x[rows], noisy[rows]).backward()
        optimizer.step()

report(model(x_test).argmax(dim=1), y_test, layer.noise_matrix.detach())

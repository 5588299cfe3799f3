"""A plain PyTorch loop: three lines are new.

python examples/plain_loop.py
"""

import torch
from digits import START, load, network, report

import noiselayer

torch.manual_seed(0)
x, noisy, x_test, y_test = load()
model = network()
layer = noiselayer.NoiseLayer(10, START)  # new
parameters = [{"params": model.parameters()}, layer.parameter_group()]  # was: model.parameters()
optimizer = torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-3)

for _ in range(15):
    for rows in torch.randperm(len(x)).split(64):
        loss = layer.loss(model(x[rows]), noisy[rows])  # was: cross_entropy(model(x[rows]), noisy[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # and every column of layer.noise_matrix is a distribution again

report(model(x_test).argmax(dim=1), y_test, layer.noise_matrix.detach())

"""A sparse noise matrix over 21,841 classes: its memory, and its share of the training step of a linear classifier.

python benchmarks/sparse.py [--quick]
"""

from __future__ import annotations

import torch
from measure import arguments, interleaved, milliseconds, ratios, row, write
from torch import nn
from torch.nn.functional import cross_entropy

from noiselayer import NoiseLayer, SparseNoiseMatrix


def some_matrix(K: int, confusions: int) -> SparseNoiseMatrix:
    """Seven labels in ten right, a fifth among random confusions, a tenth anywhere."""
    strides = torch.randperm(K - 1)[:confusions] + 1
    labels = (torch.cat([torch.zeros(1, dtype=torch.long), strides]).unsqueeze(1) + torch.arange(K)) % K
    values = torch.full((confusions + 1, K), 0.2 / confusions)
    values[0] = 0.7
    return SparseNoiseMatrix(labels, values, rest=torch.full((K,), 0.1))


def main() -> None:
    """Parse the options and run."""
    options = arguments(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    B, D, K, confusions, rounds = (64, 32, 1000, 20, 3) if options.quick else (256, 512, 21_841, 20, 100)
    torch.manual_seed(0)
    model, matrix = nn.Linear(D, K), some_matrix(K, confusions)
    inputs, labels = torch.randn(B, D), torch.randint(K, (B,))
    layers = {"fixed": NoiseLayer(K, matrix, trainable=False), "learned": NoiseLayer(K, matrix)}
    network = torch.optim.SGD(model.parameters(), lr=0.01)
    groups = [{"params": model.parameters()}, layers["learned"].parameter_group(lr=0.01)]
    with_q = torch.optim.SGD(groups, lr=0.01)  # its step ends with the projection

    def step(which: str | None) -> None:
        optimizer = with_q if which == "learned" else network
        optimizer.zero_grad()
        logits = model(inputs)
        loss = cross_entropy(logits, labels) if which is None else layers[which].loss(logits, labels)
        loss.backward()
        optimizer.step()

    seconds = interleaved(
        {"plain": lambda: step(None), "fixed": lambda: step("fixed"), "learned": lambda: step("learned")},
        rounds,
    )
    size = f"K = {K}, {confusions} confusions, batch {B}, {D} features"
    rows = [
        row(f"memory of the sparse Q, K = {K}", [matrix.nbytes / 1e6], "MB", at_most=100.0),
        row(f"dense Q / sparse Q, memory, K = {K}", [4 * K * K / matrix.nbytes], "x"),
        row(f"step with cross_entropy, {size}", milliseconds(seconds["plain"]), "ms"),
    ]
    for which in ("fixed", "learned"):
        share = [max(0.0, 1 - 1 / ratio) for ratio in ratios(seconds[which], seconds["plain"])]
        rows.append(row(f"step with {which} sparse Q, {size}", milliseconds(seconds[which]), "ms"))
        rows.append(row(f"share of {which} sparse Q in the step, {size}", share, "", at_most=0.1))
    with torch.no_grad():
        logits = model(inputs)
    sparse = layers["learned"].sparse
    assert sparse is not None
    grown = interleaved({"grow": lambda: sparse.grow(logits, labels)}, 3, warm_up=0)["grow"]
    rows.append(row(f"growing by the confusions of a batch, {size}", milliseconds(grown), "ms"))
    write("sparse", "A sparse noise matrix over thousands of classes", rows, quick=options.quick)


if __name__ == "__main__":
    main()

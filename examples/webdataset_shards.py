"""Tar shards, read by webdataset in their own order, in a loop of your own.

python examples/webdataset_shards.py
"""

import io
import random
import tempfile
from pathlib import Path

import numpy as np
import torch
import webdataset as wds
from digits import START, load, network, report

import noiselayer


def write_shards(folder, x, labels, *, per_shard):
    """Tar files of arrays and labels, as they would come from a web crawl."""
    for number, rows in enumerate(torch.arange(len(x)).split(per_shard)):
        with wds.TarWriter(str(folder / f"digits-{number:04d}.tar")) as shard:
            for row in rows.tolist():
                content = io.BytesIO()
                np.save(content, x[row].numpy())
                shard.write({"__key__": f"{row:06d}", "npy": content.getvalue(), "cls": int(labels[row])})
    return sorted(map(str, folder.glob("*.tar")))


torch.manual_seed(0)
x, noisy, x_test, y_test = load()
with tempfile.TemporaryDirectory() as folder:
    shards = write_shards(Path(folder), x, noisy, per_shard=200)
    samples = wds.WebDataset(shards, shardshuffle=len(shards), seed=0).shuffle(2000, rng=random.Random(0))
    samples = samples.decode().to_tuple("npy", "cls")
    loader = wds.WebLoader(samples.batched(64), batch_size=None)

    model, layer = network(), noiselayer.NoiseLayer(10, START)
    parameters = [{"params": model.parameters()}, layer.parameter_group()]
    optimizer = torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-3)
    for _ in range(15):
        for batch, labels in loader:
            loss = layer.loss(model(torch.as_tensor(batch)), torch.as_tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

report(model(x_test).argmax(dim=1), y_test, layer.noise_matrix.detach())

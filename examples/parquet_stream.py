"""Parquet files larger than memory, in a loop of your own: a row group at a time, by pyarrow.

python examples/parquet_stream.py
"""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from digits import START, load, network, report
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import noiselayer


class RowGroups(IterableDataset):
    """Samples of a file, a row group in memory at a time: groups in random order, rows shuffled within each."""

    def __init__(self, path):
        self.path = path

    def __iter__(self):
        file, worker = pq.ParquetFile(self.path), get_worker_info()
        groups = torch.randperm(file.num_row_groups).tolist()
        if worker is not None:  # each worker takes its share
            groups = range(worker.id, file.num_row_groups, worker.num_workers)
        for group in groups:
            table = file.read_row_group(group, columns=["pixels", "label"])
            x = torch.from_numpy(table["pixels"].combine_chunks().flatten().to_numpy().copy()).view(
                len(table), -1
            )
            labels = torch.from_numpy(table["label"].to_numpy().copy())
            for row in torch.randperm(len(table)).tolist():
                yield x[row], labels[row]


torch.manual_seed(0)
x, noisy, x_test, y_test = load()
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.parquet"
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(x.flatten().numpy()), x.shape[1])
    pq.write_table(pa.table({"pixels": pixels, "label": noisy.numpy()}), path, row_group_size=200)

    model, layer = network(), noiselayer.NoiseLayer(10, START)
    parameters = [{"params": model.parameters()}, layer.parameter_group()]
    optimizer = torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-3)
    loader = DataLoader(RowGroups(path), batch_size=64)
    for _ in range(15):
        for batch, labels in loader:
            loss = layer.loss(model(batch), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

report(model(x_test).argmax(dim=1), y_test, layer.noise_matrix.detach())

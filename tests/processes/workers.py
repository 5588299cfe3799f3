"""Started as a program by the tests: processes that share samples, and what they find together.

``python workers.py OUT PROCESSES``: each process works on every PROCESSES-th sample, and the first writes OUT.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

from noiselayer import NoiseLayer
from noiselayer.data import ArrayInputs
from noiselayer.data.inputs import SubsetInputs
from noiselayer.estimation import ConfusionCounts
from noiselayer.noise.posterior import label_error_probability
from noiselayer.training.logits import predict_logits

N, K, D = 203, 4, 6


def samples() -> tuple[torch.Tensor, torch.Tensor, torch.nn.Module, torch.Tensor]:
    """Inputs, noisy labels, a network and an asymmetric noise matrix, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, D, generator=generator)
    labels = torch.randint(K, (N,), generator=generator)
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Linear(D, 8), torch.nn.ReLU(), torch.nn.Linear(8, K))
    Q = torch.eye(K) * 0.7 + 0.3 * torch.eye(K).roll(1, 0)
    return x, labels, network, Q


def audit(rank: int, processes: int) -> dict[str, torch.Tensor]:
    """Errors and confusions of the samples of one process."""
    x, labels, network, Q = samples()
    rows = torch.arange(rank, N, processes)
    logits = predict_logits(network, SubsetInputs(ArrayInputs(x), rows), batch_size=16)
    counts = ConfusionCounts(K)
    for start in range(0, len(rows), 10):  # in parts, as a loader gives them
        part = slice(start, start + 10)
        counts.update(labels[rows[part]], probs=logits[part].softmax(dim=1))
    return {
        "rows": rows,
        "errors": label_error_probability(logits, labels[rows], Q),
        "sums": counts.sums,
        "num_samples": counts.num_samples,
    }


def reduce_counts(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The sums of all processes, as the documentation of ConfusionCounts says."""
    sums, num_samples = found["sums"].clone(), found["num_samples"].clone()
    dist.all_reduce(sums)
    dist.all_reduce(num_samples)
    return {"sums": sums, "num_samples": num_samples}


def learn(rank: int, processes: int, *, shard: bool) -> dict[str, torch.Tensor]:
    """A loop of one's own: the network cut among the processes by FSDP, Q whole in each, its gradient averaged."""
    x, labels, network, _ = samples()
    layer = NoiseLayer(K, 0.8 * torch.eye(K) + 0.2 / K)
    if shard:
        fully_shard(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    of_q = torch.optim.SGD([layer.parameter_group(lr=0.05)], lr=0.05)
    for step in range(5):
        rows = torch.arange(step * 32, (step + 1) * 32)[rank::processes]
        optimizer.zero_grad()
        of_q.zero_grad()
        layer.loss(network(x[rows]), labels[rows]).backward()
        if shard:
            dist.all_reduce(layer.noise_matrix.grad)
            layer.noise_matrix.grad.div_(processes)
        optimizer.step()
        of_q.step()
    full = [p.full_tensor() if shard else p for p in network.parameters()]  # type: ignore[attr-defined]
    return {
        "noise_matrix": layer.noise_matrix.detach(),
        "weights": torch.cat([p.detach().flatten() for p in full]),
    }


def work(rank: int, out: str, processes: int) -> None:
    """What one process does: its share, and a file of what it found."""
    torch.set_num_threads(1)
    store = dist.FileStore(f"{out}.store", processes)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes)
    audited = audit(rank, processes)
    found = {
        "audit": audited,
        "reduced": reduce_counts(audited),
        "learn": learn(rank, processes, shard=True),
    }
    torch.save(found, f"{out}.{rank}")
    dist.barrier()
    dist.destroy_process_group()


def main(out: str, processes: int) -> None:
    """Start fresh processes (a fork would inherit PyTorch's threads, which do not survive one), and gather files."""
    torch.multiprocessing.spawn(work, (out, processes), nprocs=processes)
    whole = {"audit": audit(0, 1), "learn": learn(0, 1, shard=False)}
    parts = [torch.load(f"{out}.{rank}", weights_only=True) for rank in range(processes)]
    torch.save({"whole": whole, "parts": parts}, Path(out))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], int(sys.argv[2]))

"""What the noise matrix adds to the traffic between processes, in bytes, beside the formulas of docs/scaling.md.

    python benchmarks/collectives.py

Trains a linear classifier with gloo in 2, 4 and 8 processes of this machine, through torch's DistributedDataParallel,
with a fixed and with a learned noise matrix of K classes. Two counts a step: the payload, which a communication hook
sees, and the bytes that really went through the loopback device. The second needs a network of its own (``unshare -n``,
Linux, as root); where that is not allowed it is null. Counts do not depend on the load of the machine.
Writes benchmarks/results/collectives.json.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from noiselayer import NoiseLayer
from noiselayer.estimation import ConfusionCounts

FEATURES, STEPS = 16, 5


class WithQ(torch.nn.Module):
    """A linear classifier whose forward gives the noisy-label loss, so that Q's gradient is DDP's affair too."""

    def __init__(self, num_classes: int, learned: bool) -> None:
        super().__init__()
        self.network = torch.nn.Linear(FEATURES, num_classes)
        self.noise_layer = NoiseLayer(num_classes, trainable=learned)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a batch."""
        return self.noise_layer.loss(self.network(x), labels)


def sent_bytes() -> int:
    """Through the loopback device so far, by all processes in this network."""
    line = next(
        line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:")
    )
    return int(line.split(":")[1].split()[8])


def work(rank: int, processes: int, num_classes: int, learned: bool, store: str, out: str) -> None:
    """Train a few steps in one process; the first writes what was counted."""
    dist.init_process_group("gloo", store=dist.FileStore(store, processes), rank=rank, world_size=processes)
    torch.manual_seed(0)
    model = DistributedDataParallel(WithQ(num_classes, learned))
    payload = 0

    def hook(group: Any, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        nonlocal payload
        payload += bucket.buffer().nbytes
        reduced = dist.all_reduce(bucket.buffer().div_(processes), async_op=True).get_future()
        return reduced.then(lambda done: done.value()[0])

    model.register_comm_hook(None, hook)
    groups = [{"params": model.module.network.parameters()}]
    if learned:
        groups.append(model.module.noise_layer.parameter_group(lr=0.01))
    optimizer = torch.optim.SGD(groups, lr=0.1)
    x, labels = torch.randn(32, FEATURES), torch.randint(num_classes, (32,))

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            model(x, labels).backward()
            optimizer.step()

    steps(2)  # DDP orders its buckets anew after the first
    dist.barrier()
    payload, before = 0, sent_bytes()
    steps(STEPS)
    dist.barrier()
    sent = sent_bytes() - before
    counts = ConfusionCounts(num_classes)
    dist.barrier()
    before = sent_bytes()
    dist.all_reduce(counts.sums)
    dist.all_reduce(counts.num_samples)
    dist.barrier()
    merged = sent_bytes() - before
    Q = model.module.noise_layer.noise_matrix.detach()
    all_of_it = [torch.empty_like(Q) for _ in range(processes)]
    dist.all_gather(all_of_it, Q)
    if rank == 0:
        found = {
            "payload_per_step": payload / STEPS,
            "sent_per_step": sent / STEPS,
            "sent_merging_confusions": merged,
            "largest_difference_of_Q": max(float((other - Q).abs().max()) for other in all_of_it),
        }
        Path(out).write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


def count(processes: int, num_classes: int, learned: bool) -> dict[str, Any]:
    """Fork so many processes and read what the first has counted."""
    with tempfile.TemporaryDirectory() as folder:
        store, out = f"{folder}/store", f"{folder}/out.json"
        children = []
        for rank in range(processes):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    work(rank, processes, num_classes, learned, store, out)
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if any(codes):
            raise RuntimeError(f"processes ended with {codes}")
        found: dict[str, Any] = json.loads(Path(out).read_text())
        return found


def compare(processes: int, num_classes: int, alone: bool) -> dict[str, Any]:
    """Counts with a fixed and a learned Q, their difference, and the formulas."""
    P, K = processes, num_classes
    fixed, learned = count(P, K, learned=False), count(P, K, learned=True)
    row: dict[str, Any] = {
        "processes": P,
        "classes": K,
        "payload_of_Q_counted": learned["payload_per_step"] - fixed["payload_per_step"],
        "payload_of_Q_formula": 4 * K * K,
        "sent_for_Q_counted": learned["sent_per_step"] - fixed["sent_per_step"] if alone else None,
        "sent_for_Q_formula": 2 * (P - 1) * 4 * K * K,
        "sent_merging_confusions_counted": learned["sent_merging_confusions"] if alone else None,
        "sent_merging_confusions_formula": 2 * (P - 1) * 8 * (K * K + K),
        "largest_difference_of_Q": learned["largest_difference_of_Q"],
    }
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Count for all numbers of processes and classes, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "collectives.json")
    parser.add_argument("--alone", action="store_true", help="Set by this script in a network of its own.")
    given = parser.parse_args()
    if not given.alone and shutil.which("unshare") and shutil.which("ip"):
        inside = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0:
            sys.exit(subprocess.run([*inside, sys.executable, *sys.argv, "--alone"], check=False).returncode)
    torch.set_num_threads(1)
    rows = [compare(P, K, given.alone) for P in given.processes for K in given.classes]
    result = {
        "command": "python benchmarks/collectives.py",
        "backend": "gloo, one machine",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "features": FEATURES,
        "steps": STEPS,
        "rows": rows,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Where the time of a training step goes, operator by operator, and how near the machine's arithmetic peak it is.

    python benchmarks/step.py [--quick] [--threads 2]

The small network with half its filters, and the paper's: batches of 128 images of 32 x 32 pixels, a
noisy-label loss with a known matrix, SGD with momentum, in the precision that the machine computes in. Torch counts the
floating-point operations (forward and backward, a multiply-add is two); the peak is that of a product of two large
matrices, measured just before. A share above 1 is possible: convolutions and products are of different libraries.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from measure import Row, arguments, interleaved, row, write
from torch.profiler import ProfilerActivity, profile

from noiselayer import NoisyLabelLoss
from noiselayer.models import build_model
from noiselayer.noise import symmetric
from noiselayer.paper.beyond.small_network import operations_per_sample
from noiselayer.training.precision import best_precision

BATCH, K = 128, 10
NETWORKS: dict[str, dict[str, Any]] = {"small": {"widths": [32, 64, 128]}, "paper": {}}
GROUPS = {
    "convolution": ("conv", "mkldnn"),
    "batch norm": ("batch_norm",),
    "pooling": ("pool", "amax"),
    "activation": ("relu", "threshold", "clamp"),
    "optimizer": ("foreach", "_fused", "addcmul", "add_"),
}


def matrix_product_speed(dtype: torch.dtype, *, size: int) -> float:
    """Floating-point operations a second of the fastest of several products, after one that is not timed."""
    a = torch.ones(size, size, dtype=dtype)
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds[1:])


def step_of(name: str) -> tuple[Callable[[], Any], float]:
    """A training step, and its floating-point operations."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 3, 32, 32), dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, K, (BATCH,))
    statistics = {"mean": [127.5] * 3, "std": [74.0] * 3}
    network = build_model(name, num_classes=K, input_shape=(3, 32, 32), **statistics, **NETWORKS[name])
    network.to(memory_format=torch.channels_last)
    operations = operations_per_sample(network, images[:8]) * BATCH
    criterion = NoisyLabelLoss(symmetric(K, 0.3))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    half = best_precision("cpu") == "bf16-mixed"

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = criterion(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step, operations


def shares(step: Callable[[], Any], steps: int) -> dict[str, float]:
    """Of each group of operators in the time of the step."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            step()
    found = dict.fromkeys([*GROUPS, "everything else"], 0.0)
    for event in profiler.key_averages():
        group = next((g for g, words in GROUPS.items() if any(w in event.key for w in words)), None)
        found[group or "everything else"] += event.self_cpu_time_total
    total = sum(found.values())
    return {group: time / total for group, time in found.items()}


def main() -> None:
    """Parse the options and run."""
    options = arguments(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    rounds = 3 if options.quick else 30
    size = 256 if options.quick else 2048
    peak = matrix_product_speed(torch.float32, size=size) / 1e9
    if best_precision("cpu") == "bf16-mixed":
        peak = max(peak, matrix_product_speed(torch.bfloat16, size=size) / 1e9)
    rows: list[Row] = [row("product of two large matrices", [peak], "GFLOP/s")]
    for name in NETWORKS:
        step, operations = step_of(name)
        seconds = interleaved({"step": step}, rounds)["step"]
        rows += [
            row(f"{name} network, step", [1e3 * s for s in seconds], "ms"),
            row(f"{name} network, images", [BATCH / s for s in seconds], "images/s"),
            row(f"{name} network, arithmetic", [operations / s / 1e9 for s in seconds], "GFLOP/s"),
            row(f"{name} network, of the peak", [operations / s / 1e9 / peak for s in seconds], "x"),
        ]
        of_step = shares(step, rounds)
        rows += [row(f"{name} network, share of {group}", [share], "x") for group, share in of_step.items()]
    write("step", "Where a training step's time goes", rows, quick=options.quick)


if __name__ == "__main__":
    main()

"""Bytes of memory that a sample costs besides its own: labels, splits and orders. See docs/scaling.md.

    python benchmarks/memory_per_sample.py [--quick]

Reads two memory-mapped files of one byte a sample as training does (read, split, join, shuffle), each in a process of
its own, and divides the difference of what remains resident, and of the peak, by the difference in samples. Linux.
Does not depend on the load of the machine. Writes benchmarks/results/memory_per_sample.json.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import arguments, row, write

INSIDE = """
import json, resource, sys
from pathlib import Path
import torch
from noiselayer.data import read_data
from noiselayer.data.splits import split_validation
from noiselayer.training.batches import make_loader
from noiselayer.training.stage import noisy_part

data = read_data(sys.argv[1], labels=sys.argv[2], layout="NCHW")
train, validation = split_validation(data.labels, 0.1, generator=torch.Generator().manual_seed(0))
parts = [noisy_part(data.subset(rows)) for rows in (train, validation)]
loaders = [make_loader([part], batch_size=64, shuffle_seed=0) for part in parts]
batches = iter(loaders[0])
next(batches)
pages = int(open("/proc/self/statm").read().split()[1])
lines = Path("/proc/self/status").read_text().splitlines()
peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
print(json.dumps({"resident": pages * resource.getpagesize(), "peak": peak}))
"""


def measure(samples: int) -> dict[str, int]:
    """Resident bytes with so many samples of one byte each."""
    with tempfile.TemporaryDirectory() as folder:
        x = np.lib.format.open_memmap(
            Path(folder, "x.npy"), mode="w+", dtype=np.uint8, shape=(samples, 1, 1, 1)
        )
        x.flush()
        np.save(Path(folder, "y.npy"), np.arange(samples, dtype=np.int32) % 10)
        words = [sys.executable, "-c", INSIDE, f"{folder}/x.npy", f"{folder}/y.npy"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure two sizes and write the result."""
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs=2, default=[2_000_000, 10_000_000])
    options = parser.parse_args()
    few, many = [100_000, 500_000] if options.quick else options.samples
    less, more = measure(few), measure(many)
    rows = []
    for what in ("resident", "peak"):
        rows += [
            row(f"{what} memory with {few:,} samples", [less[what] / 1e6], "MB"),
            row(f"{what} memory with {many:,} samples", [more[what] / 1e6], "MB"),
            row(f"{what} memory a sample", [(more[what] - less[what]) / (many - few)], "bytes"),
        ]
    rows[2].target, rows[2].met = "at most 64", rows[2].value <= 64
    write("memory_per_sample", "Labels, splits and orders: bytes a sample", rows, quick=options.quick)


if __name__ == "__main__":
    main()

"""Data larger than memory: what a training on a memory-mapped file holds, and a folder of very many image files.

    python benchmarks/large_data.py [--quick] [--gigabytes 10] [--files 1000000]

The file: images of 96 x 96 pixels in bytes, written once and removed at the end; one epoch of a linear classifier with
a known noise matrix, once on the whole and once on a fiftieth, each in a process of its own. Resident memory is the
largest there was less that of the interpreter with its imports.

The folder: hard links to small images, a thousand to a directory. It is read twice: the first time every file is
decoded to see whether it can be, the second time an index says so: how many times as long the first takes, and what
is held while the second reads. Needs room for the file; Linux.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import Row, arguments, in_fresh_process, row, write
from PIL import Image

from noiselayer.data import from_arrays, read_data
from noiselayer.noise import symmetric
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, default_options

SHAPE, K, BLOCK = (96, 96, 3), 10, 2_000
PER_FOLDER = 1_000


def peak_megabytes() -> float:
    """The largest resident set so far; getrusage would count what the process was before it became this program."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def train(path: str, labels: str) -> dict[str, float]:
    """One epoch; what the libraries take at their first use is taken before."""
    few = np.random.default_rng(0).integers(0, 256, (200, *SHAPE), dtype=np.uint8)
    options = default_options(
        "image", model="linear", model_options={}, method="known", max_epochs=1, patience=None, batch_size=128
    )
    hardware, Q = Hardware(accelerator="cpu", devices=1), symmetric(K, 0.3)
    fit_classifier(from_arrays(few, np.arange(200) % K), options, noise_matrix=Q, hardware=hardware)
    before = peak_megabytes()
    data = read_data(path, labels=labels, layout="NHWC")
    fit_classifier(data, options, noise_matrix=Q, hardware=hardware)
    return {"peak": peak_megabytes() - before}


def read_folder(path: str) -> dict[str, float]:
    """Read a folder's names, labels and index."""
    before, began = peak_megabytes(), time.perf_counter()
    data = read_data(path, image_size=(8, 8))
    return {
        "seconds": time.perf_counter() - began,
        "peak": peak_megabytes() - before,
        "samples": len(data),
    }


def memory_mapped(folder: Path, size: int) -> list[Row]:
    """The file of ``size`` bytes, and the part of it."""
    samples = size // int(np.prod(SHAPE))
    found = {}
    for count in (max(samples // 50, 500), samples):
        x = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=np.uint8, shape=(count, *SHAPE))
        block = np.random.default_rng(0).integers(0, 256, (BLOCK, *SHAPE), dtype=np.uint8)
        for first in range(0, count, BLOCK):
            rows = min(BLOCK, count - first)
            x[first : first + rows] = block[:rows] + np.uint8(first // BLOCK % 256)
        x.flush()
        del x
        np.save(folder / "y.npy", np.random.default_rng(1).integers(K, size=count))
        found[count] = in_fresh_process(
            "large_data.py", "--of", "train", str(folder / "x.npy"), str(folder / "y.npy")
        )
        (folder / "x.npy").unlink()
    (few, small), (_, large) = found.items()
    what = f"{size / 1e9:.3g} GB, {samples:,} images"
    return [
        row(f"training on {few:,} images of that size, resident memory", [small["peak"]], "MB"),
        row(f"training on {what}, resident memory", [large["peak"]], "MB"),
        row(
            f"that of {what} less that of {few:,}",
            [large["peak"] - small["peak"]],
            "MB",
            at_most=64 * (samples - few) / 1e6 + 128,
            note="64 bytes a sample, and twice the 64 MB that a file may hold",
        ),
    ]


def many_files(folder: Path, files: int) -> list[Row]:
    """A folder by class of so many files."""
    images, generator = folder / "images", np.random.default_rng(0)
    for k in range(max(files // PER_FOLDER, 2)):
        directory = images / f"class-{k:04d}"
        directory.mkdir(parents=True)
        first = directory / "00000.png"
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(first)
        for n in range(1, files // max(files // PER_FOLDER, 2)):
            os.link(first, directory / f"{n:05d}.png")
    environment = {"NOISELAYER_CACHE": str(folder / "cache")}
    first, second = (
        in_fresh_process("large_data.py", "--of", "folder", str(images), "", environment=environment)
        for _ in range(2)
    )
    samples, ratio = int(first["samples"]), first["seconds"] / second["seconds"]
    return [
        row(f"a folder of {samples:,} image files, the first time / again", [ratio], "x"),
        row(f"a folder of {samples:,} image files, resident memory", [second["peak"]], "MB"),
        row("the same for each file", [second["peak"] * 2**20 / samples], "bytes"),
    ]


def main() -> None:
    """Parse the options and run."""
    parser = arguments(__doc__)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument(
        "--folder", type=Path, help="where the files are made; a temporary folder if not given"
    )
    parser.add_argument("--of", nargs=3, metavar=("WHAT", "PATH", "LABELS"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if sys.platform != "linux":
        raise SystemExit("peak memory is read in Linux's way; nothing was measured.")
    if options.of:
        what, path, labels = options.of
        found: dict[str, Any] = train(path, labels) if what == "train" else read_folder(path)
        print(json.dumps(found))
        return
    gigabytes, files = (0.05, 2_000) if options.quick else (options.gigabytes, options.files)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = memory_mapped(Path(folder), int(gigabytes * 1e9))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows += many_files(Path(folder), files)
    write("large_data", "Data larger than memory", rows, quick=options.quick)


if __name__ == "__main__":
    main()
